"""The path put together, for either runtime."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import check_fitness, create_engine
from shared.kafka_client import client_options
from shared.path.handler import Handler
from shared.path.publisher import Publisher
from shared.path.service import Service, State
from shared.path.transaction import Transactions
from shared.path.watchdog import Watchdog
from shared.settings import Settings
from shared.topics import events_topic


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process of a service holds while it runs."""

    engine: AsyncEngine
    rescuer: AsyncEngine
    publisher: Publisher
    watchdog: Watchdog


@asynccontextmanager
async def open_resources(settings: Settings, service: str) -> AsyncIterator[Resources]:
    """Connect to the database and to Kafka, and disconnect at the end.

    Raises:
        DatabaseUnfitError: the database is set up in a way that the guarantees do not hold on.
    """
    watchdog = Watchdog(settings.handler_deadline_seconds)
    engine = create_engine(settings, service)
    rescuer = create_engine(settings, connections=1)
    publisher = Publisher(client_options(settings), watchdog)
    try:
        await check_fitness(engine)
        await publisher.start()
        yield Resources(engine, rescuer, publisher, watchdog)
    finally:
        await publisher.stop()
        await engine.dispose()
        await rescuer.dispose()
        watchdog.stop()


def make_handler(settings: Settings, service: Service[State], resources: Resources, consumer_group: str) -> Handler[State]:
    """The path of one service."""
    transactions = Transactions(
        service,
        engine=resources.engine,
        rescuer=resources.rescuer,
        events_topic=events_topic(settings.topic_prefix, service.name),
        consumer_group=consumer_group,
    )
    return Handler(service, transactions, consumer_group=consumer_group, watchdog=resources.watchdog)
