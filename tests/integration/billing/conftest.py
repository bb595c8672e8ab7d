"""Billing's path on a real database, without Kafka."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.billing.app import billing
from shared.database import create_engine
from shared.path.handler import Handler
from shared.path.hearing import Hearing
from shared.path.intake import heard_topics, intake_of
from shared.path.service import Service
from shared.path.transaction import Transactions
from shared.path.watchdog import Watchdog
from shared.settings import Settings
from tests.integration.billing.books import Books, Log
from tests.integration.worker import Worker


class Ends:
    """Where the topic of calls ends: all of it was read, unless a test says that more lies in it."""

    def __init__(self) -> None:
        self.end = 0

    async def end_of(self, topic: str, key: bytes) -> tuple[int, int]:
        """The end of the one partition."""
        assert (topic, key[:6]) == ("test.calls.events.v1", b"doctor")
        return 0, self.end


@pytest.fixture
def ends() -> Ends:
    """Where the topic of calls ends."""
    return Ends()


@pytest.fixture
async def engine(database_settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Connections in billing's role."""
    engine = create_engine(database_settings, "billing", connections=8)
    yield engine
    await engine.dispose()


MakeWorker = Callable[..., Worker]


@pytest.fixture
def make_worker(database_settings: Settings, engine: AsyncEngine, rescuer: AsyncEngine, watchdog: Watchdog, ends: Ends) -> MakeWorker:
    """Makes workers of one consumer group."""

    def make(*, service: Service[Any] | None = None, settings: Settings = database_settings) -> Worker:
        service = service or billing(settings)
        hearing = Hearing(heard_topics(service, "test"), ends)
        transactions = Transactions(
            service, engine=engine, rescuer=rescuer, topic_prefix="test", consumer_group="test-billing", hearing=hearing
        )
        intake = intake_of(service, "test")
        return Worker(
            transactions,
            Handler(service, transactions, intake=intake, hearing=hearing, consumer_group="test-billing", watchdog=watchdog),
        )

    return make


@pytest.fixture
def worker(make_worker: MakeWorker) -> Worker:
    """One worker."""
    return make_worker()


@pytest.fixture
def log() -> Log:
    """What lies in billing's commands topic and in that of calls."""
    return Log()


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    """A connection of the test's own, to look and to disturb."""
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "billing"})
    yield connection
    await connection.close()


@pytest.fixture
def books(connection: Any) -> Books:
    """What the database says in the end."""
    return Books(connection)
