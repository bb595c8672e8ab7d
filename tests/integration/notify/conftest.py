"""Notify's path on a real database, without Kafka."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.notify import app
from shared.database import create_engine
from shared.path.handler import Handler
from shared.path.hearing import Hearing
from shared.path.intake import heard_topics, intake_of
from shared.path.transaction import Transactions
from shared.path.watchdog import Watchdog
from shared.settings import Settings
from tests.integration.notify.delivering import Notify
from tests.integration.worker import Worker
from tests.mail_server import MailServer, mail_server


class NothingToHear:
    """No command of notify's waits for what it has not heard."""

    async def end_of(self, topic: str, key: bytes) -> tuple[int, int]:
        """Nobody asks."""
        raise AssertionError((topic, key))


@pytest.fixture
def notify_settings(database_settings: Settings) -> Settings:
    """Every channel is set up."""
    channels = ("email", "push", "sms", "chat")
    values = database_settings.model_dump() | {f"notify_{channel}_url": "json://127.0.0.1:1/{recipient}" for channel in channels}
    return Settings(**values)


@pytest.fixture
async def engine(database_settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Connections in notify's role."""
    engine = create_engine(database_settings, "notify", connections=8)
    yield engine
    await engine.dispose()


MakeWorker = Callable[[], Worker]


@pytest.fixture
def make_worker(notify_settings: Settings, engine: AsyncEngine, rescuer: AsyncEngine, watchdog: Watchdog) -> MakeWorker:
    """Makes workers of one consumer group."""

    def make() -> Worker:
        service = app.notify(notify_settings)
        hearing = Hearing(heard_topics(service, "test"), NothingToHear())
        transactions = Transactions(
            service, engine=engine, rescuer=rescuer, topic_prefix="test", consumer_group="test-notify", hearing=hearing
        )
        handler = Handler(
            service, transactions, intake=intake_of(service, "test"), hearing=hearing, consumer_group="test-notify", watchdog=watchdog
        )
        return Worker(transactions, handler)

    return make


@pytest.fixture
def worker(make_worker: MakeWorker) -> Worker:
    """One worker."""
    return make_worker()


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    """A connection of the test's own, to look and to disturb."""
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "notify"})
    yield connection
    await connection.close()


@pytest.fixture
async def notify(worker: Worker, engine: AsyncEngine, connection: Any) -> Notify:
    """Notify as one process."""
    return Notify(worker, engine, connection)


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    """A real mail server."""
    async with mail_server() as server:
        yield server
