"""Booking's path on a real database, without Kafka."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.booking.app import booking
from services.booking.working_set import Appointments
from shared.database import create_engine
from shared.path import transaction
from shared.path.handler import Handler
from shared.path.hearing import Hearing
from shared.path.intake import heard_topics, intake_of
from shared.path.service import Service
from shared.path.transaction import Transactions
from shared.path.watchdog import Watchdog
from shared.settings import Settings
from tests.integration.worker import Worker
from tests.without_locks import needs_nothing


@pytest.fixture
async def engine(database_settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Connections in booking's role."""
    engine = create_engine(database_settings, "booking", connections=8)
    yield engine
    await engine.dispose()


@pytest.fixture
async def rescuer(database_settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Connections in the role of the URL."""
    engine = create_engine(database_settings, connections=2)
    yield engine
    await engine.dispose()


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    """A watchdog that never has a reason to bark."""
    watchdog = Watchdog(deadline_seconds=120)
    yield watchdog
    watchdog.stop()


MakeWorker = Callable[..., Worker]


class NoEnds:
    """Booking hears nobody: nothing asks where a topic ends."""

    async def end_of(self, topic: str, key: bytes) -> tuple[int, int]:
        """Never called."""
        raise AssertionError(topic, key)


@pytest.fixture
def make_worker(database_settings: Settings, engine: AsyncEngine, rescuer: AsyncEngine, watchdog: Watchdog) -> MakeWorker:
    """Makes workers of one consumer group."""

    def make(*, service: Service[Appointments] | None = None) -> Worker:
        service = service or booking(database_settings)
        hearing = Hearing(heard_topics(service, "test"), NoEnds())
        transactions = Transactions(
            service, engine=engine, rescuer=rescuer, topic_prefix="test", consumer_group="test-booking", hearing=hearing
        )
        intake = intake_of(service, "test")
        return Worker(
            transactions,
            Handler(service, transactions, intake=intake, hearing=hearing, consumer_group="test-booking", watchdog=watchdog),
        )

    return make


@pytest.fixture
def worker(make_worker: MakeWorker) -> Worker:
    """One worker."""
    return make_worker()


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    """A connection of the test's own, to look and to disturb."""
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "booking"})
    yield connection
    await connection.close()


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks that hold nothing."""
    monkeypatch.setattr(transaction, "needs_of", needs_nothing)
