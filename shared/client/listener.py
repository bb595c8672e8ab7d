"""Reading topics from now on: every record that is appended after ``async with`` was entered."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from shared.kafka_client import client_options, consumer_options
from shared.settings import Settings

_POLL_MILLISECONDS: Final = 1_000
_PAUSE_AFTER_FAILURE_SECONDS: Final = 1.0
#: So long may a partition that was added stay unnoticed; it is then read from its beginning.
_METADATA_AGE_MILLISECONDS: Final = 5_000

_log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Message:
    """A record of the mesh as a reader sees it.

    Attributes:
        timestamp: milliseconds since 1970, UTC.
        headers: the last of each name, as text.
        raw: the value to the byte.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def type(self) -> str:
        """The ``ce_type``."""
        return self.headers.get("ce_type", "")

    @cached_property
    def value(self) -> Mapping[str, Any]:
        """The JSON object; empty when the value is not one."""
        try:
            value = orjson.loads(self.raw)
        except orjson.JSONDecodeError:
            return {}
        return value if isinstance(value, dict) else {}


class Listener:
    """Reads topics as a member of no group; use it as ``async with``."""

    def __init__(self, settings: Settings, topics: Sequence[str], hear: Callable[[Message], None]) -> None:
        """Make it; nothing is connected yet.

        Args:
            settings: say where Kafka is.
            topics: their full names; they exist.
            hear: is called for each record, in the order of its partition; it must not raise.
        """
        self._settings = settings
        self._topics = topics
        self._hear = hear
        self._consumer: Any = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect, and stand at the ends of all partitions.

        Raises:
            aiokafka.errors.KafkaError: no broker is to be reached, or a topic does not exist.
        """
        self._consumer = AIOKafkaConsumer(
            **consumer_options(self._settings), enable_auto_commit=False, metadata_max_age_ms=_METADATA_AGE_MILLISECONDS
        )
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
        admin = AIOKafkaAdminClient(**client_options(self._settings))
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
        while True:
            try:
                for records in (await self._consumer.getmany(timeout_ms=_POLL_MILLISECONDS)).values():
                    for record in records:
                        self._hear(_message(record))
                await self._take_new_partitions()
            except KafkaError as error:
                _log.warning("Listening failed for now, trying again", error=repr(error))
                await asyncio.sleep(_PAUSE_AFTER_FAILURE_SECONDS)

    async def _take_new_partitions(self) -> None:
        """Partitions that were added since are read from their beginning: nothing lay in them before."""
        known = self._consumer.assignment()
        found = {TopicPartition(topic, number) for topic in self._topics for number in self._consumer.partitions_for_topic(topic) or ()}
        added = found - known
        if not added:
            return
        positions = {partition: await self._consumer.position(partition) for partition in known} | dict.fromkeys(added, 0)
        self._consumer.assign(list(positions))
        for partition, position in positions.items():
            self._consumer.seek(partition, position)


def _message(record: Any) -> Message:
    return Message(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=(record.key or b"").decode(errors="replace"),
        headers={name: (content or b"").decode(errors="replace") for name, content in record.headers},
        raw=record.value or b"",
    )
