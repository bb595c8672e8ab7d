"""What the system tests are written with: real processes, real producers, and waits on conditions."""
