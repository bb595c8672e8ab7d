"""Commands into Kafka, and outcomes out of it."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.ground import Stage
from shared.codec.record import OutgoingMessage
from shared.kafka_client import client_options
from shared.settings import Settings
from shared.topics import partition_of

_BATCH_BYTES: Final = 512 * 1024
_PROBE_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """An event, as far as the benchmark looks at it."""

    command_id: str
    event_id: str
    type: str
    reason: str | None
    appended_at_seconds: float
    time: str
    value_bytes: int
    headers_bytes: int


class Loader:
    """Puts commands into a topic as fast as the broker takes them; they are made ready beforehand."""

    def __init__(self, settings: Settings) -> None:
        """Make it."""
        self._producer = AIOKafkaProducer(
            **client_options(settings), enable_idempotence=True, max_batch_size=_BATCH_BYTES, max_request_size=2 * _BATCH_BYTES
        )
        self._partitions = settings.topic_partitions

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    def prepare(self, messages: Iterable[OutgoingMessage]) -> list[list[Any]]:
        """Make batches, for each partition in order."""
        batches: list[list[Any]] = [[self._producer.create_batch()] for _ in range(self._partitions)]
        for message in messages:
            assert message.key is not None
            of_partition = batches[partition_of(message.key, self._partitions)]
            if not _append(of_partition[-1], message):
                of_partition.append(self._producer.create_batch())
                _append(of_partition[-1], message)
        return batches

    async def send(self, topic: str, prepared: list[list[Any]]) -> None:
        """Send batches that were made ready, and return when the broker has them."""
        await asyncio.gather(*(self._send_partition(topic, partition, batches) for partition, batches in enumerate(prepared)))

    async def _send_partition(self, topic: str, partition: int, batches: list[Any]) -> None:
        futures = [await self._producer.send_batch(batch, topic, partition=partition) for batch in batches if batch.record_count()]
        for future in futures:
            await future


def _append(batch: Any, message: OutgoingMessage) -> bool:
    return batch.append(timestamp=None, key=message.key, value=message.value, headers=message.headers) is not None


async def load_commands(stage: Stage, messages: Iterable[OutgoingMessage]) -> None:
    """Put commands into the stage's commands topic."""
    loader = Loader(stage.settings)
    await loader.start()
    try:
        await loader.send(stage.commands_topic, loader.prepare(messages))
    finally:
        await loader.stop()


class Reader:
    """Reads a topic as a whole, without a group; use it as ``async with``."""

    def __init__(self, settings: Settings, topic: str) -> None:
        """Make it."""
        self._topic = topic
        self._consumer = AIOKafkaConsumer(
            **client_options(settings), enable_auto_commit=False, auto_offset_reset="earliest", max_partition_fetch_bytes=8 * 1024 * 1024
        )
        self._partitions = [TopicPartition(topic, number) for number in range(settings.topic_partitions)]

    async def __aenter__(self) -> Self:
        """Connect."""
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def count(self) -> int:
        """How many records the topic holds."""
        return sum((await self._consumer.end_offsets(self._partitions)).values())

    async def wait_for(self, count: int, *, timeout_seconds: float, check: Callable[[], None]) -> None:
        """Return once the topic holds so many records.

        Args:
            count: how many.
            timeout_seconds: how long without any new one.
            check: raises when there is nothing to wait for any more.

        Raises:
            TimeoutError: no record came for so long.
        """
        seen, changed_at = -1, time.monotonic()
        while (now := await self.count()) < count:
            check()
            if now != seen:
                seen, changed_at = now, time.monotonic()
            if time.monotonic() - changed_at > timeout_seconds:
                message = f"{self._topic} holds {now} records and should hold {count}; none came for {timeout_seconds:g} seconds."
                raise TimeoutError(message)
            await asyncio.sleep(_PROBE_SECONDS)

    async def records(self) -> list[Any]:
        """Every record, in the order of each partition."""
        await self._consumer.seek_to_beginning(*self._partitions)
        ends = await self._consumer.end_offsets(self._partitions)
        remaining = {partition for partition, end in ends.items() if end}
        records: list[Any] = []
        while remaining:
            for partition, polled in (await self._consumer.getmany(*remaining, timeout_ms=1_000)).items():
                records += polled
                if polled[-1].offset + 1 >= ends[partition]:
                    remaining.discard(partition)
        return records

    async def outcomes(self) -> list[Outcome]:
        """Every event."""
        return [_outcome(record) for record in await self.records()]


def _outcome(record: Any) -> Outcome:
    headers = dict(record.headers)
    type_ = headers["ce_type"].decode()
    return Outcome(
        command_id=headers["ce_causationid"].decode(),
        event_id=headers["ce_id"].decode(),
        type=type_,
        reason=orjson.loads(record.value)["reason"] if ".rejected." in type_ else None,
        appended_at_seconds=record.timestamp / 1000,
        time=headers["ce_time"].decode(),
        value_bytes=len(record.value),
        headers_bytes=sum(len(name) + len(value) for name, value in record.headers),
    )


async def read_records(settings: Settings, topic: str) -> list[Any]:
    """Every record of a topic."""
    async with Reader(settings, topic) as reader:
        return await reader.records()


class VoidError(Exception):
    """The mesh or a baseline decided something else than it must: the measurement is void."""


def verify(outcomes: Sequence[Outcome], *, booked: int, refused: int, what: str) -> None:
    """See that the commands came to what they must come to.

    Raises:
        VoidError: they did not.
    """
    types = {outcome.command_id: (outcome.type, outcome.reason) for outcome in outcomes}
    counted_booked = sum(1 for type_, _ in types.values() if type_ == "booking.appointment.booked.v1")
    counted_refused = sum(1 for _, reason in types.values() if reason == "slot_already_booked")
    if (counted_booked, counted_refused, len(types)) != (booked, refused, booked + refused):
        message = (
            f"{what}: {booked} must be booked and {refused} refused with slot_already_booked; {counted_booked} were booked and "
            f"{counted_refused} so refused, of {len(types)} with an outcome. The measurement is void."
        )
        raise VoidError(message)
