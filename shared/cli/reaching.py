"""Reaching Kafka and the database from the command line: what goes wrong is a sentence that says what to do."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import typer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from shared.cli.exits import Exit
from shared.cli.inputs import closest, shortened
from shared.cli.masking import mask_url
from shared.cli.terminal import complain, print_json
from shared.embedded.endpoints import resolve
from shared.embedded.errors import EmbeddedError
from shared.path.errors import DATABASE_ERRORS, Failure, classify, describe
from shared.settings import Settings


class CannotError(Exception):
    """The command cannot do its work; the message is a sentence for people."""

    exit_code = Exit.CANNOT


class UnansweredError(CannotError):
    """It was asked for, and nobody answered in time."""

    exit_code = Exit.UNANSWERED


class NotFoundError(CannotError):
    """It was looked for, and is not there."""

    exit_code = Exit.NO


def kafka_settings() -> Settings:
    """The settings, with the address of Kafka filled in; a database plays no part.

    Raises:
        NoMeshError: none is set, and no mesh runs in the home.
    """
    settings = Settings()
    return resolve(settings) if settings.embedded_kafka else settings


def database_settings() -> Settings:
    """The settings, with the address of the database filled in; Kafka plays no part.

    Raises:
        NoMeshError: none is set, and no mesh runs in the home.
    """
    settings = Settings()
    return resolve(settings) if settings.embedded_database else settings


def mesh_settings() -> Settings:
    """The settings, with both addresses filled in.

    Raises:
        NoMeshError: one is not set, and no mesh runs in the home.
    """
    return resolve(Settings())


@contextmanager
def told(*, as_json: bool) -> Iterator[None]:
    """Tell what keeps a command from its work, and exit with 2, or with 1 when it only has not found what was asked for."""
    try:
        yield
    except (CannotError, EmbeddedError) as error:
        if as_json:
            print_json({"problem": str(error)})
        else:
            complain(str(error))
        raise typer.Exit(error.exit_code if isinstance(error, CannotError) else Exit.CANNOT) from None


@contextmanager
def reaching_kafka(settings: Settings) -> Iterator[None]:
    """Say what is wrong with Kafka.

    Raises:
        CannotError: it is not to be reached, or refuses.
    """
    try:
        yield
    except (KafkaError, OSError) as error:
        servers = settings.kafka_bootstrap_servers
        if isinstance(error, TopicAuthorizationFailedError):
            message = f"Kafka at {servers} does not let us: {error}. An ACL for our principal is missing."
        elif isinstance(error, UnknownTopicOrPartitionError):
            message = " ".join(map(str, error.args))
        else:
            message = f"Kafka at {servers} is not to be reached, or refuses ({type(error).__name__}: {error}). `caremesh status` says more."
        raise CannotError(message) from error


@contextmanager
def reaching_database(settings: Settings) -> Iterator[None]:
    """Say what is wrong with the database.

    Raises:
        CannotError: it is not to be reached, or refuses.
    """
    try:
        yield
    except DATABASE_ERRORS as error:
        url = mask_url(settings.database_url.get_secret_value())
        if classify(error) is Failure.FATAL:
            message = f"The database at {url} refuses: {describe(error)}. Is its role right, and was `caremesh migrate` called?"
        else:
            message = f"The database at {url} is not to be reached ({describe(error)}). `caremesh status` says more."
        raise CannotError(message) from error


Thing = TypeVar("Thing")


def named(what: str, given: str, known: Mapping[str, Thing]) -> Thing:
    """The thing of that name.

    Args:
        what: the kind of thing, such as ``sweep``.
        given: what was typed.
        known: what there is, by name.

    Raises:
        CannotError: there is none; the message names the close ones, and what there is.
    """
    if given in known:
        return known[given]
    message = f"There is no {what} {shortened(given)}.{closest(given, known)} There are: {', '.join(known)}."
    raise CannotError(message)
