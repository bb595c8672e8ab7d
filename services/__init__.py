"""The services of caremesh: booking, calls, billing, notify. None imports another."""
