"""Booking: a doctor's slot is never sold twice."""
