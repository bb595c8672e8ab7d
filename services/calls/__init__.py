"""Calls: nobody waits for ever, and nobody is in two places."""
