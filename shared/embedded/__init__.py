"""The embedded default: Apache Kafka and PostgreSQL without Docker, Java or a database on the machine, under one supervisor."""
