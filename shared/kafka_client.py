"""The options that every Kafka client of the mesh is made with."""

import ssl
from typing import Any

from shared import broken_connections, lenient_records
from shared.settings import Settings


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for any aiokafka client: where the brokers are, and how to be let in.

    From then on no consumer of the process stumbles over a header, and no client over a connection that breaks.

    Raises:
        OSError: the file of ``CAREMESH_KAFKA_CA_FILE`` cannot be read.
    """
    lenient_records.install()
    broken_connections.install()
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
        "client_id": "caremesh",
    }
    if settings.kafka_security_protocol in {"SSL", "SASL_SSL"}:
        options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_security_protocol.startswith("SASL_"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    return options


def consumer_options(settings: Settings) -> dict[str, Any]:
    """The same for a consumer, which reads nothing that its producer has taken back, or still may: it was not said.

    Raises:
        OSError: the file of ``CAREMESH_KAFKA_CA_FILE`` cannot be read.
    """
    return client_options(settings) | {"isolation_level": "read_committed"}
