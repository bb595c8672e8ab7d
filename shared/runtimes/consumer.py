"""The aiokafka runtime: one consumer of a group, polling batches into the path."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.codec.record import Record
from shared.health import PartitionProgress
from shared.metrics import MisroutedRecords
from shared.path import decisions
from shared.path.backoff import Backoff
from shared.path.decisions import Positions
from shared.path.errors import DATABASE_ERRORS, Failure, FatalError, classify, describe
from shared.path.log_ends import KafkaLogEnds
from shared.path.pipeline import Pipeline
from shared.runtimes.in_hand import InHand
from shared.runtimes.lost_decisions import check_nothing_was_lost

_POLL_SECONDS: Final = 0.5
_COMMIT_INTERVAL_SECONDS: Final = 0.1
_DRAIN_SECONDS: Final = 10.0
_MAX_PARTITION_FETCH_BYTES: Final = 512 * 1024
#: While no more records than these are being decided, Kafka is asked for the next at once.
_FEW_RECORDS: Final = 2
_MAX_POLL_INTERVAL_MILLISECONDS: Final = 24 * 60 * 60 * 1000

_log = structlog.get_logger()


class ConsumerRuntime:
    """Reads topics as a member of a group, and commits offsets after what they stand for was published."""

    def __init__(
        self,
        consumer_options: dict[str, Any],
        *,
        topics: Collection[str],
        consumer_group: str,
        engine: AsyncEngine,
        log_ends: KafkaLogEnds,
        batch_max_records: int,
        session_timeout_seconds: float = 10.0,
    ) -> None:
        """Make it; nothing is connected yet."""
        self._consumer_options = consumer_options
        self._topics = topics
        self._consumer_group = consumer_group
        self._engine = engine
        self._log_ends = log_ends
        self._batch_max_records = batch_max_records
        self._session_timeout_seconds = session_timeout_seconds
        self._published: dict[TopicPartition, int] = {}
        self._in_hand = InHand()
        self._to_commit = asyncio.Event()
        self._stopping = asyncio.Event()
        self._unchecked: set[TopicPartition] = set()
        self._consumer: Any = None
        self._misrouted = MisroutedRecords(consumer_group, topics, self._partitions_of)

    def stop(self) -> None:
        """End after the batches in hand."""
        self._stopping.set()

    async def acknowledge(self, positions: Positions) -> None:
        """Note up to where all is done; these offsets are committed soon."""
        self._published |= {TopicPartition(*place): offset for place, offset in positions.items()}
        self._in_hand.put_down(positions)
        self._to_commit.set()

    def not_consuming(self) -> str:
        """Why it takes nothing, as a sentence; empty when it does."""
        if self._consumer is None:
            return "It is joining its group."
        if not self._consumer.assignment():
            return "It has no partitions: the group is rebalancing, or has more members than partitions."
        if self._unchecked:
            return "Its new partitions are not compared with the database yet."
        return ""

    async def progress(self) -> Sequence[PartitionProgress]:
        """The partitions that it holds; the brokers are asked where they end.

        Raises:
            KafkaError: they do not say.
        """
        if self._consumer is None:
            return ()
        # Not over the consumer's own connection: there, an answer waits behind a fetch that waits for records.
        ends = await self._log_ends.next_offsets(self._consumer.assignment())
        return [
            PartitionProgress(place.topic, place.partition, await self._done_before(place), end)
            for place, end in sorted(ends.items())
            if place in self._consumer.assignment()
        ]

    async def _done_before(self, place: TopicPartition) -> int:
        first = self._in_hand.first(place)
        # Also behind what is no record: the end of a transaction lies in the log, too.
        return int(await self._consumer.position(place)) if first is None else first

    def _partitions_of(self, topic: str) -> int | None:
        partitions = self._consumer.partitions_for_topic(topic)
        return len(partitions) if partitions else None

    async def run(self, pipeline: Pipeline) -> None:
        """Consume until stopped.

        Raises:
            FatalError: nothing can be decided before somebody mends the set-up.
            KafkaError: the brokers refuse this consumer.
        """
        self._consumer = await self._start(pipeline)
        committing = asyncio.create_task(self._commit_forever())
        publishing = asyncio.create_task(pipeline.run())
        try:
            await self._decide_until_stopped(pipeline, (committing, publishing))
            await asyncio.wait([asyncio.create_task(pipeline.drained()), publishing], return_when=asyncio.FIRST_COMPLETED)
            if publishing.done():
                publishing.result()
            await self._commit()
        finally:
            for task in (committing, publishing):
                task.cancel()
            await self._consumer.stop()

    async def _decide_until_stopped(self, pipeline: Pipeline, beside: Collection["asyncio.Task[None]"]) -> None:
        while not self._stopping.is_set():
            for task in beside:
                if task.done():
                    task.result()
            records = await self._poll(pipeline.pause_seconds if pipeline.carries else _POLL_SECONDS)
            self._misrouted.count(records)
            await self._check_new_partitions()
            if (records or pipeline.carries) and not self._unchecked:
                await pipeline.submit(records)
        if pipeline.carries:
            await pipeline.submit([])

    async def _poll(self, timeout_seconds: float) -> list[Record]:
        """The next batch, as large as it is by now; nothing when nothing comes in time."""
        self._consumer.resume(*self._consumer.paused())
        polled = await self._consumer.getmany(timeout_ms=int(timeout_seconds * 1000), max_records=self._batch_max_records)
        self._in_hand.take_up(polled)
        batch: list[Record] = list(chain.from_iterable(polled.values()))
        if _FEW_RECORDS < len(batch) < self._batch_max_records:
            # These were all. A consumer asks on by itself, and whoever asks while a batch is being decided gets every record with an answer
            # of its own, at a tenth of the machine's time, or leaves what comes right after the answer to the batch after the next. Where
            # records come so rarely that one or two are a batch, asking at once only spares the next of them that turn.
            self._consumer.pause(*self._consumer.assignment())
        return batch

    async def _start(self, pipeline: Pipeline) -> Any:
        backoff = Backoff()
        while True:
            consumer = AIOKafkaConsumer(
                **self._consumer_options,
                group_id=self._consumer_group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                # The same partition of every topic goes to one member: commands of a doctor and what it hears of that doctor.
                partition_assignment_strategy=(RangePartitionAssignor,),
                max_partition_fetch_bytes=_MAX_PARTITION_FETCH_BYTES,
                session_timeout_ms=int(self._session_timeout_seconds * 1000),
                heartbeat_interval_ms=int(self._session_timeout_seconds * 1000 / 3),
                # Our own watchdog ends a process that hangs; one that waits for its database keeps its place in the group.
                max_poll_interval_ms=_MAX_POLL_INTERVAL_MILLISECONDS,
                metadata_max_age_ms=60_000,
            )
            consumer.subscribe(list(self._topics), listener=_Listener(self, pipeline))
            try:
                await consumer.start()
            except KafkaError as error:
                await consumer.stop()
                if not error.retriable or self._stopping.is_set():
                    raise
                _log.warning("Kafka cannot be reached for now, trying again", error=repr(error))
                await backoff.wait()
            else:
                return consumer

    async def _commit_forever(self) -> None:
        while True:
            await self._to_commit.wait()
            self._to_commit.clear()
            await self._commit()
            # Offsets lag a little on purpose: a commit for every batch would cost more than a rare repetition.
            await asyncio.sleep(_COMMIT_INTERVAL_SECONDS)

    async def _commit(self) -> None:
        assigned = self._consumer.assignment()
        offsets = {partition: offset for partition, offset in self._published.items() if partition in assigned}
        if not offsets:
            return
        try:
            await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError):
            # The partitions have gone to another member, which decides nothing twice: the decisions are recorded.
            _log.info("Offsets not committed: the group has rebalanced")
        except KafkaError as error:
            _log.warning("Offsets not committed for now", error=repr(error))
            self._to_commit.set()
            return
        for partition, offset in offsets.items():
            if self._published.get(partition) == offset:
                del self._published[partition]

    async def revoked(self, pipeline: Pipeline) -> None:
        """Finish what is in hand before others take the partitions; safe without, but it would be done twice."""
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await pipeline.drained()
                await self._commit()
        except TimeoutError:
            _log.warning("Partitions handed over with batches still in hand")

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Decide nothing of these partitions before they are checked."""
        self._unchecked = set(partitions)
        # What was not committed when they were here before is behind by now; another member went on.
        self._published.clear()
        self._in_hand.clear()

    async def _check_new_partitions(self) -> None:
        """Check that the database knows all that the group has committed in Kafka.

        Raises:
            FatalError: it does not, or it cannot be asked.
        """
        backoff = Backoff()
        while self._unchecked and not self._stopping.is_set():
            partitions = frozenset(self._unchecked)
            try:
                # Kafka first: what is decided and committed meanwhile must not look like something that the database lost.
                committed = {partition: await self._consumer.committed(partition) for partition in partitions}
                async with self._engine.connect() as connection:
                    known = await decisions.read_positions(connection, self._consumer_group)
            except (*DATABASE_ERRORS, KafkaError) as error:
                if classify(error) is Failure.FATAL:
                    message = f"The database refuses to say what it has decided: {describe(error)}. Run `caremesh migrate`."
                    raise FatalError(message) from error
                _log.warning("New partitions cannot be checked for now, trying again", error=describe(error))
                await backoff.wait()
                continue
            check_nothing_was_lost(committed, known, self._consumer_group, self._consumer_options["bootstrap_servers"])
            self._unchecked -= partitions


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Tells the runtime about partitions that come and go."""

    def __init__(self, runtime: ConsumerRuntime, pipeline: Pipeline) -> None:
        self._runtime = runtime
        self._pipeline = pipeline

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Before the group rebalances."""
        if revoked:
            await self._runtime.revoked(self._pipeline)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Before the first record of the new partitions."""
        self._runtime.assigned(assigned)
