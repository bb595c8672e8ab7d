"""The command line: ``caremesh``."""
