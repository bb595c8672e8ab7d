"""Publish a command and await its outcome: the pattern of the contract, for the mesh's own tools.

    assign the events topic's partitions at their ends → publish → match ``decision.command``
                                                            ▲                │ no answer in time
                                                            └── the same record, again

Publishing again is safe: a command is known by its source and id, and the recorded outcome is what comes back.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from uuid import uuid4

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError

from shared.codec.encode import encode_command
from shared.codec.record import OutgoingMessage
from shared.kafka_client import client_options
from shared.messages.fields import Command
from shared.settings import Settings
from shared.topics import commands_topic, events_topic


class NoOutcomeError(Exception):
    """Nobody answered a command in time; it lies in the log, and its outcome may still come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A record of the mesh as a reader sees it.

    Attributes:
        timestamp: milliseconds since 1970, UTC.
        headers: the last of each name, as text.
        value: the JSON object; empty when it is not one.
        raw: the value to the byte.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: str
    headers: Mapping[str, str]
    value: Mapping[str, Any]
    raw: bytes

    @property
    def type(self) -> str:
        """The ``ce_type``."""
        return self.headers.get("ce_type", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a command.

    Attributes:
        event: the outcome event: the thing that happened, or the refusal.
        latency_seconds: from the first publication until the outcome was here.
        publications: how often the record was published.
    """

    event: Message
    latency_seconds: float
    publications: int

    @property
    def refused(self) -> bool:
        """Whether the command was refused."""
        return self.event.type.endswith(".rejected.v1")

    @property
    def status_code(self) -> int:
        """What a web tier would pass on: 200, or the refusal's own code."""
        return int(self.event.value["status_code"]) if self.refused else 200

    @property
    def reason(self) -> str:
        """Why it was refused; empty when it was not."""
        return str(self.event.value["reason"]) if self.refused else ""


class Listener:
    """Reads topics from now on, as a member of no group; use it as ``async with``.

    Every record that is appended after ``async with`` was entered is handed to ``hear``. Partitions that are added later are
    not read.
    """

    def __init__(self, settings: Settings, topics: Sequence[str], hear: Callable[[Message], None]) -> None:
        """Make it; nothing is connected yet.

        Args:
            settings: say where Kafka is.
            topics: their full names; they exist.
            hear: is called for each record, in the order of its partition; it must not raise.
        """
        self._options = client_options(settings)
        self._topics = topics
        self._hear = hear
        self._consumer: Any = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect, and stand at the ends of all partitions.

        Raises:
            aiokafka.errors.KafkaError: no broker is to be reached, or a topic does not exist.
        """
        self._consumer = AIOKafkaConsumer(**self._options, enable_auto_commit=False)
        try:
            await self._consumer.start()
            partitions = await self._partitions()
            self._consumer.assign(partitions)
            for partition, end in (await self._consumer.end_offsets(partitions)).items():
                self._consumer.seek(partition, end)
        except BaseException:
            await self._consumer.stop()
            raise
        self._reading = asyncio.create_task(self._read(), name="listener")
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Disconnect."""
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
        await self._consumer.stop()

    async def _partitions(self) -> list[TopicPartition]:
        admin = AIOKafkaAdminClient(**self._options)
        try:
            await admin.start()
            # Asked for by name, a topic that is not there would be created on some clusters.
            missing = set(self._topics) - set(await admin.list_topics())
            if missing:
                message = f"Kafka has no topic {', '.join(sorted(missing))}: create it with `caremesh topics create`."
                raise UnknownTopicOrPartitionError(message)
            described = await admin.describe_topics(list(self._topics))
        finally:
            await admin.close()
        return [TopicPartition(topic["topic"], partition["partition"]) for topic in described for partition in topic["partitions"]]

    async def _read(self) -> None:
        async for record in self._consumer:
            self._hear(_message(record))


class CommandClient:
    """Publishes commands to one service of the mesh, and awaits what becomes of them; use it as ``async with``."""

    def __init__(
        self, settings: Settings, *, service: str, source: str, answer_timeout_seconds: float = 5.0, publications: int = 4
    ) -> None:
        """Make it; nothing is connected yet.

        Args:
            settings: say where Kafka is.
            service: whose commands these are.
            source: the ``ce_source`` of the publisher.
            answer_timeout_seconds: after so long without an answer the same record is published again.
            publications: how often at the most.
        """
        self._source = source
        self._topic = commands_topic(settings.topic_prefix, service)
        self._answer_timeout_seconds = answer_timeout_seconds
        self._publications = publications
        self._waiting: dict[str, asyncio.Future[Message]] = {}
        self._options = client_options(settings)
        self._producer: Any = None
        self._listener = Listener(settings, [events_topic(settings.topic_prefix, service)], self._hear)

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            aiokafka.errors.KafkaError: no broker is to be reached.
        """
        self._producer = AIOKafkaProducer(**self._options, enable_idempotence=True, acks="all", linger_ms=0)
        try:
            await self._producer.start()
            await self._listener.__aenter__()
        except BaseException:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Disconnect."""
        try:
            await self._listener.__aexit__(*exception)
        finally:
            await self._producer.stop()

    def encode(self, command: Command, identifier: str | None = None) -> OutgoingMessage:
        """The record of a command; its id is the given one, or a new one."""
        return encode_command(
            command, topic=self._topic, source=self._source, identifier=identifier or str(uuid4()), time=datetime.now(UTC)
        )

    async def publish(self, message: OutgoingMessage) -> None:
        """Publish a record, and return when the brokers have it.

        Raises:
            aiokafka.errors.KafkaError: they do not take it.
        """
        await self._producer.send_and_wait(message.topic, key=message.key, value=message.value, headers=[*message.headers])

    async def request(self, command: Command, identifier: str | None = None) -> Outcome:
        """Publish a command and await its outcome.

        Args:
            command: what to ask for.
            identifier: the ``ce_id``; ``None``: a new one. The same one twice gives the same outcome twice.

        Raises:
            NoOutcomeError: nobody answered, although it was published again and again.
            aiokafka.errors.KafkaError: the brokers do not take it.
        """
        message = self.encode(command, identifier)
        command_id = dict(message.headers)["ce_id"].decode()
        answer = self._waiting.setdefault(command_id, asyncio.get_running_loop().create_future())
        began = time.perf_counter()
        try:
            for publication in range(1, self._publications + 1):
                await self.publish(message)
                with suppress(TimeoutError):
                    event = await asyncio.wait_for(asyncio.shield(answer), self._answer_timeout_seconds)
                    return Outcome(event=event, latency_seconds=time.perf_counter() - began, publications=publication)
        finally:
            self._waiting.pop(command_id, None)
        seconds = self._publications * self._answer_timeout_seconds
        problem = f"Nobody answered {command.type} {command_id} within {seconds:g} seconds: does its service run (`caremesh status`)?"
        raise NoOutcomeError(problem)

    def _hear(self, message: Message) -> None:
        decision = message.value.get("decision")
        if not isinstance(decision, dict) or decision.get("index") != 0:
            return
        command = decision.get("command")
        if not isinstance(command, dict) or command.get("source") != self._source:
            return
        answer = self._waiting.get(str(command.get("id")))
        if answer is not None and not answer.done():
            answer.set_result(message)


def _message(record: Any) -> Message:
    try:
        value = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        value = {}
    return Message(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=(record.key or b"").decode(errors="replace"),
        headers={name: (content or b"").decode(errors="replace") for name, content in record.headers},
        value=value if isinstance(value, dict) else {},
        raw=record.value or b"",
    )
