"""The two runtimes of the one path: aiokafka consumers, and Faust stream processors."""
