"""Where Kafka, the database and the mail server of the mesh in hand are."""

from pydantic import SecretStr

from shared.embedded.errors import NoMeshError
from shared.embedded.state import MeshState
from shared.settings import Settings


def resolve(settings: Settings) -> Settings:
    """Return the settings with Kafka and the database filled in: as set, else those of the embedded mesh that runs in the home.

    Raises:
        NoMeshError: one of the two is not set, and no embedded mesh runs in the home.
    """
    if not settings.embedded_kafka and not settings.embedded_database:
        return settings
    state = MeshState.read(settings.home.absolute())
    if state is None or not state.kafka or not state.database:
        message = (
            f"No mesh is running here ({settings.home.absolute()}): start one with `caremesh up`, or set "
            "CAREMESH_KAFKA_BOOTSTRAP_SERVERS and CAREMESH_DATABASE_URL."
        )
        raise NoMeshError(message)
    return with_endpoints(settings, kafka=state.kafka, database=state.database, mail=state.mail)


def with_endpoints(settings: Settings, *, kafka: str, database: str, mail: str = "") -> Settings:
    """Return the settings with these endpoints wherever none is set."""
    filled = settings.model_dump() | {
        "kafka_bootstrap_servers": settings.kafka_bootstrap_servers or kafka,
        "database_url": settings.database_url if settings.database_url.get_secret_value() else SecretStr(database),
        "notify_email_url": settings.notify_email_url if settings.notify_email_url.get_secret_value() else SecretStr(mail),
    }
    return Settings(**filled)


def as_environment(settings: Settings) -> dict[str, str]:
    """The variables by which a process that we start knows the same mesh."""
    return {
        "CAREMESH_HOME": str(settings.home.absolute()),
        "CAREMESH_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "CAREMESH_DATABASE_URL": settings.database_url.get_secret_value(),
        "CAREMESH_NOTIFY_EMAIL_URL": settings.notify_email_url.get_secret_value(),
    }
