"""Where Kafka, the database and the mail server of the mesh in hand are, and what it decides by."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import SecretStr

from shared.embedded.errors import NoMeshError
from shared.embedded.state import MeshState
from shared.settings import Settings

#: How the settings begin that each process has for itself, or that say where something is and how to be let in.
_OF_A_PROCESS: Final = ("home", "health_", "log_", "kafka_", "database_")


def resolve(settings: Settings) -> Settings:
    """Return the settings with whatever is not set filled in from the embedded mesh that runs in the home: Kafka, the database, its limits.

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
    return with_endpoints(_with_limits(settings, state.settings), kafka=state.kafka, database=state.database, mail=state.mail)


def common(settings: Settings) -> dict[str, Any]:
    """The settings that all processes of a mesh have in common, as plain JSON data; no secret is among them."""
    names = {name for name in Settings.model_fields if not name.startswith(_OF_A_PROCESS)}
    return settings.model_dump(mode="json", include={name for name in names if not isinstance(getattr(settings, name), SecretStr)})


def _with_limits(settings: Settings, limits: Mapping[str, Any]) -> Settings:
    # A mesh of another release may know others.
    missing = {name: limits[name] for name in limits.keys() & Settings.model_fields.keys() - settings.model_fields_set}
    return Settings(**settings.model_dump(include=settings.model_fields_set), **missing)


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
    limits = {
        f"CAREMESH_{name.upper()}": value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in common(settings).items()
    }
    return limits | {
        "CAREMESH_HOME": str(settings.home.absolute()),
        "CAREMESH_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "CAREMESH_DATABASE_URL": settings.database_url.get_secret_value(),
        "CAREMESH_NOTIFY_EMAIL_URL": settings.notify_email_url.get_secret_value(),
    }
