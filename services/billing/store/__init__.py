"""The only SQL of billing: its tables, what a batch loads and records, what falls due, and what the command line asks."""
