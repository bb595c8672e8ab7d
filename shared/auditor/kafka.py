"""Reads a mesh's topics from offset 0, as fast as the broker gives them, without joining any group."""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)

from shared import lenient_records
from shared.auditor.core import Audit
from shared.auditor.records import Record, Scope
from shared.auditor.report import Report
from shared.auditor.rules import Rules

_POLL_RECORDS: Final = 5_000
_POLL_TIMEOUT_MILLISECONDS: Final = 1_000
_FETCH_BYTES: Final = 16 * 1024 * 1024
_PARTITION_FETCH_BYTES: Final = 2 * 1024 * 1024
_WAIT_STEP_SECONDS: Final = 0.25
#: The broker has records and gives none for so long: it is down, or the topic was deleted.
_SILENCE_SECONDS: Final = 30.0
#: The first question for a group makes a fresh broker create the topic of the commits, which takes a moment.
_COORDINATOR_PATIENCE_SECONDS: Final = 15.0
_COORDINATOR_IS_COMING: Final = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)


class CannotLookError(Exception):
    """The topics could not be read, so nothing can be said of the mesh; the message says why."""


async def audit(
    client_options: Mapping[str, object],
    prefix: str,
    *,
    services: Collection[str] | None = None,
    acknowledged: Collection[tuple[str, int, int]] = (),
    rules: Rules | None,
    wait_seconds: float = 0,
) -> Report:
    """Read a mesh's topics up to their ends of now, and audit them.

    Args:
        client_options: keyword arguments for aiokafka clients: where the brokers are, and how to be let in.
        prefix: of the mesh's topics and groups.
        services: whose topics; None: all that the auditor knows.
        acknowledged: (topic, partition, offset) that Kafka acknowledged to producers; each must still be there.
        rules: the settings to judge by; None: what depends on them is not judged.
        wait_seconds: wait so long at the most until the mesh has committed all that lies in its topics.

    Raises:
        CannotLookError: Kafka cannot be reached, or the mesh's topics are not there.
    """
    lenient_records.install()
    options: dict[str, Any] = dict(client_options)
    consumer = AIOKafkaConsumer(
        **options,
        group_id=None,
        enable_auto_commit=False,
        # What its producer has taken back was not said, and asks for no outcome.
        isolation_level="read_committed",
        fetch_max_bytes=_FETCH_BYTES,
        max_partition_fetch_bytes=_PARTITION_FETCH_BYTES,
    )
    admin = AIOKafkaAdminClient(**options)
    scope = Scope(prefix=prefix, services=services, acknowledged=acknowledged, rules=rules)
    try:
        await consumer.start()
        await admin.start()
        reader = _Reader(consumer, admin, scope)
        partitions = await reader.partitions()
        await reader.wait_until_idle(partitions, wait_seconds)
        snapshot = await reader.snapshot(partitions)
        audit = Audit(
            replace(
                scope,
                partition_counts={topic: len(numbers) for topic, numbers in partitions.items()},
                beginnings={(place.topic, place.partition): offset for place, offset in snapshot.beginnings.items()},
                committed=snapshot.committed,
            )
        )
        await reader.read(audit, snapshot)
    except (KafkaError, OSError) as error:
        message = f"Kafka cannot be read: {error!r}"
        raise CannotLookError(message) from error
    finally:
        await consumer.stop()
        await admin.close()
    return audit.conclude()


#: (topic, partition) → what a group has committed of it.
_Committed = Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """What there is to read, and up to where the mesh had come before."""

    beginnings: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]
    committed: Mapping[str, _Committed]


class _Reader:
    """Reads the topics of one mesh."""

    def __init__(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient, scope: Scope) -> None:
        self._consumer = consumer
        self._admin = admin
        self._prefix = scope.prefix
        empty = Audit(scope)
        self._topics = empty.topics
        self._groups = empty.groups

    async def partitions(self) -> dict[str, list[TopicPartition]]:
        """The partitions of every topic.

        Raises:
            CannotLookError: a topic is not there. Asking for all topics creates none.
        """
        existing = await self._admin.list_topics()
        missing = [topic for topic in self._topics if topic not in existing]
        if missing:
            message = f"These topics are not there: {', '.join(missing)}. Is the prefix right, and were they created?"
            raise CannotLookError(message)
        described = await self._admin.describe_topics(self._topics)
        places = {topic["topic"]: sorted(partition["partition"] for partition in topic["partitions"]) for topic in described}
        unknown = [topic for topic in self._topics if not places.get(topic)]
        if unknown:
            message = f"Kafka does not tell the partitions of these topics: {', '.join(unknown)}. May this client describe them?"
            raise CannotLookError(message)
        return {topic: [TopicPartition(topic, number) for number in places[topic]] for topic in self._topics}

    async def wait_until_idle(self, partitions: Mapping[str, list[TopicPartition]], wait_seconds: float) -> None:
        """Return when all groups have committed all that lies in their topics, or when the time is up."""
        until = time.monotonic() + wait_seconds
        while time.monotonic() < until:
            # The ends after the commits: an event that was published in between counts as not yet read.
            committed = await self._committed()
            ends = await self._ends(partitions)
            behind = _behind(ends, committed, self._groups)
            if not behind or not await self._lies_anything(behind, ends):
                return
            await asyncio.sleep(_WAIT_STEP_SECONDS)

    async def _lies_anything(self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> bool:
        """Whether a record lies in between: the end of a transaction has an offset that nobody commits."""
        beginnings = await self._consumer.beginning_offsets(list(starts))
        self._consumer.assign(sorted(starts))
        for place, start in starts.items():
            self._consumer.seek(place, max(start, beginnings[place]))
        try:
            if await self._consumer.getmany(timeout_ms=_POLL_TIMEOUT_MILLISECONDS, max_records=1):
                return True
            return any([await self._consumer.position(place) < ends[place] for place in starts])
        finally:
            # The next question would wait behind a fetch that waits for more.
            self._consumer.pause(*starts)

    async def snapshot(self, partitions: Mapping[str, list[TopicPartition]]) -> _Snapshot:
        """Look up to where to read: effects before their causes, so that whatever is read has its cause read too."""
        committed = await self._committed()
        ends = await self._ends(partitions)
        beginnings = await self._consumer.beginning_offsets(list(ends))
        return _Snapshot(beginnings=beginnings, ends=ends, committed=committed)

    async def _ends(self, partitions: Mapping[str, list[TopicPartition]]) -> dict[TopicPartition, int]:
        ends: dict[TopicPartition, int] = {}
        for topic in self._topics:
            ends |= await self._consumer.end_offsets(partitions[topic])
        return ends

    async def read(self, audit: Audit, snapshot: _Snapshot) -> None:
        """Hand every record of the snapshot to the audit.

        Raises:
            CannotLookError: the broker fell silent.
        """
        left = {place for place, end in snapshot.ends.items() if snapshot.beginnings.get(place, 0) < end}
        if not left:
            return
        self._consumer.assign(sorted(left))
        for place in left:
            self._consumer.seek(place, snapshot.beginnings.get(place, 0))
        heard = time.monotonic()
        while left:
            batches = await self._consumer.getmany(*left, timeout_ms=_POLL_TIMEOUT_MILLISECONDS, max_records=_POLL_RECORDS)
            for place, records in batches.items():
                end = snapshot.ends[place]
                for record in records:
                    if record.offset < end:
                        audit.take(
                            Record(
                                record.topic,
                                record.partition,
                                record.offset,
                                record.timestamp,
                                record.key,
                                record.value,
                                tuple(record.headers),
                            )
                        )
            done = {place for place in left if await self._consumer.position(place) >= snapshot.ends[place]}
            left -= done
            if done:
                self._consumer.pause(*done)
            if batches or done:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENCE_SECONDS:
                message = f"Kafka gave nothing for {_SILENCE_SECONDS:g} s, and {len(left)} partitions are not read to their ends."
                raise CannotLookError(message)

    async def _committed(self) -> dict[str, _Committed]:
        """Up to where the commands are decided, the events of others heard, and the own events told."""
        return {group: await self._committed_by(f"{self._prefix}-{group}") for group in self._groups}

    async def _committed_by(self, group: str) -> _Committed:
        until = time.monotonic() + _COORDINATOR_PATIENCE_SECONDS
        while True:
            try:
                committed = await self._admin.list_consumer_group_offsets(group)
            except _COORDINATOR_IS_COMING:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(_WAIT_STEP_SECONDS)
            else:
                return {(place.topic, place.partition): entry.offset for place, entry in committed.items() if entry.offset >= 0}


def _behind(
    ends: Mapping[TopicPartition, int], committed: Mapping[str, _Committed], groups: Mapping[str, Collection[str]]
) -> dict[TopicPartition, int]:
    """Where a group has not committed up to the end, and the least that one has committed there."""
    behind: dict[TopicPartition, int] = {}
    for group, topics in groups.items():
        for place, end in ends.items():
            # What no record was ever written to needs no commit.
            offset = committed[group].get((place.topic, place.partition), 0)
            if place.topic in topics and offset < end:
                behind[place] = min(offset, behind.get(place, offset))
    return behind
