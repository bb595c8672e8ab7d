"""The benchmark: what the mesh's real path does, beside what it is measured against, in one run on one machine.

``python -m bench`` starts a Kafka and a PostgreSQL of its own; every measurement gets fresh topics and a fresh database.
"""
