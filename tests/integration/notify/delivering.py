"""Notify with deliverers that run: for the tests of what they send, and of what they leave to each other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.notify.deliverer import Deliverer, Limits
from services.notify.domain.attempt import Answer
from services.notify.domain.notification import Rules
from services.notify.provider import Outgoing, Provider
from shared.codec.record import OutgoingMessage, StoredRecord
from shared.messages.fields import Command
from shared.messages.notify import Channel
from tests.examples import milliseconds
from tests.examples_of_notify import (
    ALL,
    COMMANDS_TOPIC,
    RECIPIENT,
    example_record,
    heard_appointment,
)
from tests.integration.worker import Worker, value_of
from tests.system.harness.waiting import until

Connection = Any
FROM = "Caremesh <no-reply@mesh.example>"
#: Three attempts within a third of a second.
QUICK = Rules(channels=ALL, max_attempts=3, retry_period=timedelta(seconds=0.3))
LIMITS = Limits(concurrency=8, attempt_seconds=1)
#: A busy machine is no failing provider.
PATIENT = Limits(concurrency=8, attempt_seconds=60)


class Notify:
    """Notify as one process: what a deliverer publishes is decided, and what comes of it is kept."""

    def __init__(self, worker: Worker, engine: AsyncEngine, connection: Connection) -> None:
        self.worker, self.engine, self.connection = worker, engine, connection
        self.offsets = count()
        self.events: list[dict[str, Any]] = []
        self.published: list[OutgoingMessage] = []
        self.hears = True
        self.one_at_a_time = asyncio.Lock()

    async def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """As the brokers and the consumer do it."""
        self.published += messages
        if self.hears:
            await self._decide(*map(self._lying, messages))

    async def ask(self, *commands: Command) -> None:
        now = datetime.now(UTC)
        await self._decide(
            *(example_record(command, identifier=f"command-{(at := next(self.offsets))}", offset=at, at=now) for command in commands)
        )

    async def hear(self, status: str, version: int) -> None:
        await self._decide(heard_appointment(status, version, offset=next(self.offsets)))

    def _lying(self, message: OutgoingMessage) -> StoredRecord:
        offset, now = next(self.offsets), milliseconds(datetime.now(UTC))
        return StoredRecord(COMMANDS_TOPIC, 0, offset, now, message.key, message.value, message.headers)

    async def _decide(self, *records: StoredRecord) -> None:
        async with self.one_at_a_time:
            for message in await self.worker.handle(*records):
                assert not message.topic.endswith(".dlq"), message
                self.events.append(value_of(message))

    @asynccontextmanager
    async def delivering(self, rules: Rules = QUICK, limits: Limits = LIMITS, **providers: Provider) -> AsyncIterator[None]:
        deliverer = Deliverer(
            {Channel(name): provider for name, provider in providers.items()},
            engine=self.engine,
            publisher=self,
            topic=COMMANDS_TOPIC,
            rules=rules,
            limits=limits,
        )
        running = asyncio.create_task(deliverer.run())
        try:
            yield
        finally:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    def ends(self, channel: str = "email") -> list[tuple[str, str, str | None]]:
        """What became of which notification on a channel, each event once."""
        once = {
            event["id"]: event for event in self.events if event["type"].startswith("notify.notification") and event["channel"] == channel
        }
        return [(event["notification_id"], event["type"].split(".")[2], event["reason"]) for event in once.values()]

    async def until_ended(self, number: int, channel: str = "email", seconds: float = 20) -> float:
        return await until(
            lambda: len(self.ends(channel)) >= number, f"{number} deliveries by {channel} have ended", seconds=seconds, step=0.01
        )

    async def give(self, recipient_id: str = RECIPIENT, **addresses: str) -> None:
        names = ["recipient_id", *addresses, "updated_at"]
        places = ", ".join(f"${number}" for number in range(1, len(names)))
        statement = f"INSERT INTO recipients ({', '.join(names)}) VALUES ({places}, now())"
        await self.connection.execute(statement, recipient_id, *addresses.values())

    async def attempts(self) -> int:
        return int(await self.connection.fetchval("SELECT attempts FROM deliveries WHERE channel = 'email'"))

    async def make_everything_due(self) -> None:
        """As time passes."""
        await self.connection.execute("UPDATE deliveries SET due_at = now() WHERE due_at IS NOT NULL")


class Stub:
    """A provider whose answers a test gives."""

    def __init__(self, answer: Callable[[Outgoing], Awaitable[Answer]]) -> None:
        self.answer = answer
        self.asked: list[Outgoing] = []

    async def send(self, outgoing: Outgoing) -> Answer:
        self.asked.append(outgoing)
        return await self.answer(outgoing)
