"""Reading topics for people: as a member of no group, from any moment on, up to where they end or for as long as it goes on."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError

from shared.codec.record import Record
from shared.kafka_client import client_options, consumer_options
from shared.settings import Settings

_POLL_MILLISECONDS: Final = 500
_BATCH_RECORDS: Final = 2_000
#: When nothing comes for so long although a partition has not ended, it cannot be read: half a story would be worse than none.
_SILENCE_SECONDS: Final = 30


class TopicReader:
    """Reads topics; use it as ``async with``."""

    def __init__(self, settings: Settings) -> None:
        """Make it; nothing is connected yet."""
        self._settings = settings
        self._consumer: Any = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            aiokafka.errors.KafkaError: no broker is to be reached.
        """
        self._consumer = AIOKafkaConsumer(**consumer_options(self._settings), enable_auto_commit=False)
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def present(self, topics: Sequence[str]) -> list[str]:
        """Those of the topics that exist."""
        async with self._administration() as admin:
            existing = set(await admin.list_topics())
        return [topic for topic in topics if topic in existing]

    async def partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        """All partitions of these topics.

        Raises:
            aiokafka.errors.KafkaError: one of them does not exist.
        """
        async with self._administration() as admin:
            # Asked for by name, a topic that is not there would be created on some clusters.
            missing = set(topics) - set(await admin.list_topics())
            if missing:
                message = f"Kafka has no topic {', '.join(sorted(missing))}: create it with `caremesh topics create`."
                raise UnknownTopicOrPartitionError(message)
            described = await admin.describe_topics(list(topics))
        return [TopicPartition(topic["topic"], partition["partition"]) for topic in described for partition in topic["partitions"]]

    async def extent(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """Partition → the offset of the oldest record that it still has, and that of the next one to come."""
        partitions = await self.partitions([topic])
        beginnings, ends = await self._consumer.beginning_offsets(partitions), await self._consumer.end_offsets(partitions)
        return {place.partition: (beginnings[place], ends[place]) for place in partitions}

    async def committed(self, group: str) -> Mapping[tuple[str, int], int]:
        """(topic, partition) → the next offset that a consumer group would read, where it has read anything."""
        async with self._administration() as admin:
            offsets = await admin.list_consumer_group_offsets(group)
        return {(place.topic, place.partition): entry.offset for place, entry in offsets.items() if entry.offset >= 0}

    async def existing(
        self, topics: Sequence[str], *, since: datetime | None = None, progress: Callable[[int, int], None] = lambda _read, _total: None
    ) -> AsyncIterator[Sequence[Record]]:
        """What lies in topics now, in batches ordered by time within each batch.

        Args:
            topics: their full names.
            since: nothing older; ``None``: from the beginning.
            progress: is told how many offsets were passed, and of how many.

        Raises:
            aiokafka.errors.KafkaError: it cannot be read to its end.
        """
        partitions = await self.partitions(topics)
        ends = await self._consumer.end_offsets(partitions)
        starts = await self._starts(partitions, since)
        unfinished = {place: ends[place] for place in partitions if starts[place] < ends[place]}
        if not unfinished:
            return
        self._assign({place: starts[place] for place in unfinished})
        total = sum(end - starts[place] for place, end in unfinished.items())
        heard_at = time.monotonic()
        while unfinished:
            batch = await self._poll()
            if not batch and time.monotonic() - heard_at > _SILENCE_SECONDS:
                message = f"nothing more came of {', '.join(sorted({place.topic for place in unfinished}))} for {_SILENCE_SECONDS} seconds"
                raise KafkaTimeoutError(message)
            if batch:
                heard_at = time.monotonic()
                yield [record for record in batch if record.offset < ends[TopicPartition(record.topic, record.partition)]]
            for place in [*unfinished]:
                if await self._consumer.position(place) >= unfinished[place]:
                    del unfinished[place]
                    self._consumer.pause(place)
            progress(total - sum([end - await self._consumer.position(place) for place, end in unfinished.items()]), total)

    async def following(
        self, topics: Sequence[str], *, since: datetime | None = None, from_beginning: bool = False
    ) -> AsyncIterator[Sequence[Record]]:
        """What comes into topics, in batches ordered by time within each batch, until nobody asks any more.

        Args:
            topics: their full names.
            since: also what came since then.
            from_beginning: also what lies there.
        """
        partitions = await self.partitions(topics)
        if from_beginning or since is not None:
            self._assign(await self._starts(partitions, since))
        else:
            self._assign(await self._consumer.end_offsets(partitions))
        while True:
            if batch := await self._poll():
                yield batch

    async def at(self, topic: str, partition: int, offset: int) -> Record | None:
        """One record by its place; ``None`` when it is no longer there.

        Raises:
            aiokafka.errors.KafkaError: it cannot be read.
        """
        record = await self.first_from(topic, partition, offset)
        return record if record is not None and record.offset == offset else None

    async def first_from(self, topic: str, partition: int, offset: int) -> Record | None:
        """The first record from an offset on; ``None`` when none lies there by now: the end of a transaction has an offset, too.

        Raises:
            aiokafka.errors.KafkaError: it cannot be read.
        """
        place = TopicPartition(topic, partition)
        start = max(offset, (await self._consumer.beginning_offsets([place]))[place])
        end = (await self._consumer.end_offsets([place]))[place]
        self._assign({place: start})
        give_up_at = time.monotonic() + _SILENCE_SECONDS
        try:
            while await self._consumer.position(place) < end:
                if polled := await self._poll():
                    return min(polled, key=lambda record: record.offset)
                if time.monotonic() > give_up_at:
                    message = f"{topic}, partition {partition}, offset {start} did not come within {_SILENCE_SECONDS} seconds"
                    raise KafkaTimeoutError(message)
        finally:
            # The next question would wait behind a fetch that waits for more.
            self._consumer.pause(place)
        return None

    async def _starts(self, partitions: Sequence[TopicPartition], since: datetime | None) -> dict[TopicPartition, int]:
        if since is None:
            return dict(await self._consumer.beginning_offsets(partitions))
        milliseconds = int(since.timestamp() * 1000)
        found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds))
        ends = await self._consumer.end_offsets(partitions)
        # Where nothing came since then, nothing is to be read.
        return {place: found[place].offset if found.get(place) is not None else ends[place] for place in partitions}

    def _assign(self, starts: Mapping[TopicPartition, int]) -> None:
        self._consumer.assign(list(starts))
        for place, offset in starts.items():
            self._consumer.seek(place, offset)

    async def _poll(self) -> list[Record]:
        polled = await self._consumer.getmany(timeout_ms=_POLL_MILLISECONDS, max_records=_BATCH_RECORDS)
        return sorted((record for records in polled.values() for record in records), key=lambda record: record.timestamp)

    @asynccontextmanager
    async def _administration(self) -> AsyncIterator[Any]:
        admin = AIOKafkaAdminClient(**client_options(self._settings))
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()
