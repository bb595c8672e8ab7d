"""The only SQL of notify: what a batch loads and records, the delay queue, and what the command line asks."""
