"""The path put together, for either runtime."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import check_answers, check_fitness, create_engine
from shared.health import Health
from shared.health_server import HealthServer
from shared.kafka_client import client_options
from shared.path.backoff import Backoff
from shared.path.errors import DATABASE_ERRORS, Failure, FatalError, classify, describe
from shared.path.handler import Handler
from shared.path.hearing import Hearing
from shared.path.intake import heard_topics, intake_of
from shared.path.log_ends import KafkaLogEnds
from shared.path.publisher import Publisher
from shared.path.service import Service, State
from shared.path.transaction import Transactions
from shared.path.watchdog import Watchdog
from shared.settings import Settings

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process of a service holds while it runs."""

    engine: AsyncEngine
    rescuer: AsyncEngine
    publisher: Publisher
    log_ends: KafkaLogEnds
    watchdog: Watchdog
    health: Health


@asynccontextmanager
async def open_resources(settings: Settings, service: str, consumer_group: str) -> AsyncIterator[Resources]:
    """Serve the process's health, connect to the database and to Kafka, and end all that at the end.

    Raises:
        DatabaseUnfitError: the database is set up in a way that the guarantees do not hold on.
    """
    watchdog = Watchdog(settings.handler_deadline_seconds)
    engine = create_engine(settings, service)
    rescuer = create_engine(settings, connections=1)
    publisher = Publisher(client_options(settings), watchdog, service=service)
    log_ends = KafkaLogEnds(client_options(settings), publisher.partitions_of)
    health = Health(consumer_group, watchdog, partial(check_answers, rescuer))
    server = HealthServer(settings, health)
    server.start()
    try:
        await _until_it_answers("The database", partial(check_fitness, engine), health)
        await _until_it_answers("Kafka", publisher.start, health)
        yield Resources(engine, rescuer, publisher, log_ends, watchdog, health)
    finally:
        # Not in the event loop: a question that is under way waits for it.
        await asyncio.to_thread(server.stop)
        await log_ends.stop()
        await publisher.stop()
        await engine.dispose()
        await rescuer.dispose()
        watchdog.stop()


async def _until_it_answers(what: str, attempt: Callable[[], Awaitable[None]], health: Health) -> None:
    """Wait for a server that is not there yet: at a common start, nobody says who comes first.

    Raises:
        FatalError: it answers, but lets nobody in.
    """
    backoff = Backoff()
    while True:
        try:
            return await attempt()
        except (*DATABASE_ERRORS, KafkaError) as error:
            if classify(error) is Failure.FATAL:
                message = f"{what} refuses this process: {describe(error)}. Check its address and credentials, and run `caremesh migrate`."
                raise FatalError(message) from error
            health.waits_for(f"{what} cannot be reached: {describe(error)}.")
            _log.warning(f"{what} cannot be reached for now, trying again", error=describe(error))
        await backoff.wait()


def make_handler(settings: Settings, service: Service[State], resources: Resources, consumer_group: str) -> Handler[State]:
    """The path of one service."""
    prefix = settings.topic_prefix
    hearing = Hearing(heard_topics(service, prefix), resources.log_ends)
    transactions = Transactions(
        service,
        engine=resources.engine,
        rescuer=resources.rescuer,
        topic_prefix=prefix,
        consumer_group=consumer_group,
        hearing=hearing,
    )
    return Handler(
        service,
        transactions,
        intake=intake_of(service, prefix),
        hearing=hearing,
        consumer_group=consumer_group,
        watchdog=resources.watchdog,
    )
