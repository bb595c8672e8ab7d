"""Calls' path on a real database, without Kafka."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.calls.app import calls
from services.calls.working_set import Sessions
from shared.database import create_engine
from shared.path.handler import Handler
from shared.path.hearing import Hearing
from shared.path.intake import heard_topics, intake_of
from shared.path.service import Service
from shared.path.transaction import Transactions
from shared.path.watchdog import Watchdog
from shared.settings import Settings
from tests.integration.worker import Worker

MakeWorker = Callable[..., Worker]


class Ends:
    """Where booking's events end, as the test says."""

    def __init__(self) -> None:
        self.end = 0

    async def end_of(self, topic: str, key: bytes) -> tuple[int, int]:
        assert (topic, key[:6]) == ("test.booking.events.v1", b"doctor")
        return 0, self.end


@pytest.fixture
async def engine(database_settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Connections in calls' role."""
    engine = create_engine(database_settings, "calls", connections=8)
    yield engine
    await engine.dispose()


@pytest.fixture
def ends() -> Ends:
    """Where booking's events end: at once, unless the test says otherwise."""
    return Ends()


@pytest.fixture
def make_worker(database_settings: Settings, engine: AsyncEngine, rescuer: AsyncEngine, watchdog: Watchdog, ends: Ends) -> MakeWorker:
    """Makes workers of one consumer group."""

    def make(*, service: Service[Sessions] | None = None) -> Worker:
        service = service or calls(database_settings)
        hearing = Hearing(heard_topics(service, "test"), ends)
        transactions = Transactions(
            service, engine=engine, rescuer=rescuer, topic_prefix="test", consumer_group="test-calls", hearing=hearing
        )
        intake = intake_of(service, "test")
        return Worker(
            transactions,
            Handler(service, transactions, intake=intake, hearing=hearing, consumer_group="test-calls", watchdog=watchdog),
        )

    return make


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    """A connection of the test's own, to look and to disturb."""
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "calls"})
    yield connection
    await connection.close()
