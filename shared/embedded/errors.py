"""What goes wrong with an embedded mesh, as sentences that say what to do."""


class EmbeddedError(Exception):
    """Something about the embedded Kafka, PostgreSQL or their home is wrong; the message says what, and what to do."""


class PortTakenError(EmbeddedError):
    """A port that was asked for by number belongs to another program."""

    def __init__(self, port: int) -> None:
        """Name the port."""
        super().__init__(f"Port {port} of 127.0.0.1 is taken by another program: end that program, or leave the choice of the port to us.")


class NoMeshError(EmbeddedError):
    """Nothing runs in this home, and no other Kafka and database are named."""
