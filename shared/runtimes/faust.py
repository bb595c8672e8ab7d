"""The Faust runtime: stream processors on the one path.

Faust acknowledges an event when an agent raises, is cancelled or cannot decode it, and ``take()`` even when its block
raises. So nothing is left to it: events are taken without acknowledgement and as raw bytes, handed to a bounded queue,
and acknowledged by this adapter in the order of their offsets, after what they caused was published.
"""

import asyncio
import ssl
import tempfile
from collections import defaultdict, deque
from collections.abc import Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import faust
import structlog
from aiokafka import TopicPartition
from faust.tables import TableManager
from faust.types import EventT

from shared import lenient_records
from shared.codec.record import Headers
from shared.health import PartitionProgress
from shared.metrics import MisroutedRecords
from shared.path.decisions import Positions
from shared.path.log_ends import KafkaLogEnds
from shared.path.pipeline import Pipeline
from shared.settings import Settings

_STOP_SECONDS: Final = 15.0
#: Others take over from a processor that was killed after so long; Faust's own default is a minute.
_SESSION_TIMEOUT_SECONDS: Final = 10.0

Waiting = TypeVar("Waiting")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FaustRecord:
    """A Faust event as a record of the path."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    event: EventT[Any]


class FaustRuntime:
    """Reads topics as a Faust stream processor, and acknowledges after what the events caused was published."""

    def __init__(self, settings: Settings, *, topics: Collection[str], consumer_group: str, log_ends: KafkaLogEnds) -> None:
        """Make the app; nothing is connected yet."""
        self._log_ends = log_ends
        self._batch_max_records = settings.batch_max_records
        #: Not in a batch yet: one batch is being decided, so two may wait.
        self._waiting: asyncio.Queue[FaustRecord] = asyncio.Queue(2 * settings.batch_max_records)
        #: Not acknowledged yet, in the order of their offsets.
        self._in_hand: defaultdict[tuple[str, int], deque[FaustRecord]] = defaultdict(deque)
        self._stopping = asyncio.Event()
        # Faust insists on a folder for tables; there are none.
        self._folder = tempfile.TemporaryDirectory(prefix="caremesh-faust-")
        self._app = _make_app(settings, consumer_group, self._folder.name)
        source = self._app.topic(*topics, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
        self._app.agent(source, name="processor")(self._take)
        self._started = False
        self._misrouted = MisroutedRecords(consumer_group, topics, self._partitions_of)

    def stop(self) -> None:
        """End after the batches in hand."""
        self._stopping.set()

    async def acknowledge(self, positions: Positions) -> None:
        """Tell Faust that the events before these positions are done, strictly in the order of their offsets."""
        for place, position in positions.items():
            in_hand = self._in_hand[place]
            while in_hand and in_hand[0].offset < position:
                in_hand.popleft().event.ack()

    def not_consuming(self) -> str:
        """Why it takes nothing, as a sentence; empty when it does."""
        if not self._started:
            return "It is joining its group."
        if not self._app.consumer.assignment():
            return "It has no partitions: the group is rebalancing, or has more members than partitions."
        return ""

    async def progress(self) -> Sequence[PartitionProgress]:
        """The partitions that it holds; the brokers are asked where they end.

        Raises:
            KafkaError: they do not say.
        """
        if not self._started:
            return ()
        places = sorted(self._app.consumer.assignment())
        # Not over the consumer's own connection: there, an answer waits behind a fetch that waits for records.
        ends = await self._log_ends.next_offsets([TopicPartition(*place) for place in places])
        return [
            PartitionProgress(place.topic, place.partition, await self._done_before(place, ends[place]), ends[place]) for place in places
        ]

    def _partitions_of(self, topic: str) -> int | None:
        count: int | None = self._app.consumer.topic_partitions(topic)
        return count

    async def _done_before(self, place: Any, end: int) -> int:
        """All but what is in hand, what Faust has read and holds for us, and what it has not read."""
        consumer = self._app.consumer
        committed, read = consumer._committed_offset[place], consumer._read_offset[place]  # noqa: SLF001 - nobody else knows them
        position = int(await consumer.position(place))
        held = self._in_hand[place.topic, place.partition] or (read is not None and (committed is None or read > committed))
        if position >= end and not held:
            # Also behind what is no record: the end of a transaction lies in the log, too.
            return end
        return int(committed or 0)

    async def run(self, pipeline: Pipeline, beside: Iterable[Coroutine[Any, Any, None]] = ()) -> None:
        """Process until stopped.

        Args:
            pipeline: where the events go.
            beside: what runs as long as this does, such as sweeps.

        Raises:
            RuntimeError: Faust has crashed; its own log says why.
            Exception: what a handler cannot go on after.
        """
        working: list[asyncio.Task[Any]] = [asyncio.create_task(part) for part in (self._batch(pipeline), pipeline.run(), *beside)]
        stopping: asyncio.Task[Any] = asyncio.create_task(self._stopping.wait())
        try:
            await self._app.start()
            self._started = True
            crashing: asyncio.Task[Any] = asyncio.create_task(self._app.wait_until_stopped())
            await asyncio.wait([*working, stopping, crashing], return_when=asyncio.FIRST_COMPLETED)
            for task in working:
                if task.done():
                    task.result()
            if not self._stopping.is_set():
                message = f"Faust has stopped on its own: {self._app.crash_reason!r}"
                raise RuntimeError(message)
        finally:
            await self._stop_app()
            for task in (*working, stopping):
                task.cancel()

    async def _stop_app(self) -> None:
        try:
            # It waits for the events in hand to be acknowledged; what is not will come again.
            async with asyncio.timeout(_STOP_SECONDS):
                await self._app.stop()
        except TimeoutError:
            _log.warning("Faust did not stop in time; events in hand will be delivered again")

    async def _take(self, stream: Any) -> None:
        async for event in stream.noack().events():
            await self._waiting.put(_record(event))

    async def _batch(self, pipeline: Pipeline) -> None:
        while True:
            batch = await next_batch(self._waiting, self._batch_max_records, pipeline.pause_seconds if pipeline.carries else None)
            for record in batch:
                self._in_hand[record.topic, record.partition].append(record)
            self._misrouted.count(batch)
            await pipeline.submit(batch)


async def next_batch(waiting: asyncio.Queue[Waiting], at_most: int, timeout_seconds: float | None) -> list[Waiting]:
    """The next batch, as large as it is by now; nothing when nothing comes in time.

    Args:
        waiting: whence to take it.
        at_most: how many to take.
        timeout_seconds: how long to wait for the first; ``None``: for as long as it takes.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            batch = [await waiting.get()]
    except TimeoutError:
        return []
    while len(batch) < at_most and not waiting.empty():
        batch.append(waiting.get_nowait())
    return batch


def _record(event: EventT[Any]) -> FaustRecord:
    message = event.message
    headers = message.headers
    return FaustRecord(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp=round(message.timestamp * 1000),
        key=message.key,
        value=message.value,
        headers=list(headers.items()) if isinstance(headers, dict) else list(headers or ()),
        event=event,
    )


class _NoTables(TableManager):  # type: ignore[misc]  # Faust has no types
    """There are none. Faust would wait a second for some to be added, and join the group only then."""

    async def sleep(self, n: float, **_: object) -> None:
        """Nothing comes that is worth it."""


def _make_app(settings: Settings, consumer_group: str, folder: str) -> faust.App:
    lenient_records.install()
    return faust.App(
        consumer_group,
        broker=[f"kafka://{server.strip()}" for server in settings.kafka_bootstrap_servers.split(",")],
        broker_credentials=_credentials(settings),
        # Exactly-once crashes on rebalances, and could not reach into PostgreSQL; the path is idempotent instead.
        processing_guarantee="at_least_once",
        broker_commit_interval=1.0,
        broker_session_timeout=_SESSION_TIMEOUT_SECONDS,
        broker_heartbeat_interval=_SESSION_TIMEOUT_SECONDS / 3,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=60_000,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=True,
        TableManager=_NoTables,
        store="memory://",
        datadir=folder,
        web_enabled=False,
        autodiscover=False,
        loop=asyncio.get_running_loop(),
    )


def _credentials(settings: Settings) -> object:
    """How to be let in; credentials without a TLS context would silently travel in the clear."""
    context = None
    if settings.kafka_security_protocol in {"SSL", "SASL_SSL"}:
        context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_security_protocol.startswith("SASL_"):
        return faust.SASLCredentials(
            username=settings.kafka_sasl_username,
            password=settings.kafka_sasl_password.get_secret_value(),
            mechanism=settings.kafka_sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context is not None else None
