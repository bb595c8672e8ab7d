"""The commands that notify brings to the command line: `caremesh recipients` and `caremesh inbox`."""
