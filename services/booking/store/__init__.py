"""The only SQL of booking: its tables, what a batch loads and records, what falls due, and what stands now."""
