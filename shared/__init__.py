"""What every service of caremesh shares: contracts, the one path from topic to topic, and the runtimes."""
