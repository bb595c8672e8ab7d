"""Between Kafka's records and the mesh's messages: decoding, encoding, dead letters."""
