"""Publishing: one idempotent producer, whole batches, awaited; and never given up.

Messages of one batch go out as ready-made record batches, one for each partition: a future for each batch of records and
not for each message, which is where a producer in Python spends its time.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.codec.record import OutgoingMessage
from shared.metrics import retries
from shared.path.backoff import Backoff
from shared.path.watchdog import Watchdog
from shared.topics import fallback_partition, partition_of

_MAX_BATCH_BYTES: Final = 512 * 1024
_MAX_REQUEST_BYTES: Final = 1024 * 1024

_log = structlog.get_logger()


class Publisher:
    """Publishes messages in order, and returns when the brokers have them all."""

    def __init__(self, client_options: dict[str, Any], watchdog: Watchdog, *, service: str) -> None:
        """Make it; nothing is connected yet.

        Args:
            client_options: how to reach the brokers.
            watchdog: ends the process when an attempt hangs.
            service: whose retries are counted.
        """
        self._client_options = client_options
        self._retries = retries(service, "publish")
        self._watchdog = watchdog
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaError: no broker is to be reached.
        """
        self._producer = await self._connect()

    async def stop(self) -> None:
        """Disconnect."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """Publish messages, in order within each partition; try again for as long as it takes.

        After a failure some may have arrived: they are published again, and readers drop the copies.
        """
        backoff = Backoff()
        while messages:
            producer: AIOKafkaProducer | None = None
            try:
                with self._watchdog.expect("publishing a batch"):
                    producer = await self._connected()
                    await self._attempt(producer, messages)
            except KafkaError as error:
                self._retries.inc()
                _log.warning("Publishing failed for now, trying again", error=repr(error), messages=len(messages))
                # A batch given up leaves a gap in an idempotent producer's sequence; a new producer has none.
                if producer is not None:
                    await self._abandon(producer)
                await backoff.wait()
            else:
                return

    async def partitions_of(self, topic: str) -> int:
        """How many partitions a topic has now.

        Raises:
            KafkaError: there is no such topic, or no broker is to be reached.
        """
        producer = await self._connected()
        partitions = await producer.partitions_for(topic)
        return int(max(partitions)) + 1

    async def _attempt(self, producer: AIOKafkaProducer, messages: Sequence[OutgoingMessage]) -> None:
        waiting = []
        for (topic, partition), group in (await self._by_partition(messages)).items():
            builder = producer.create_batch()
            for message in group:
                if _append(builder, message) is None:
                    waiting.append(await producer.send_batch(builder, topic, partition=partition))
                    builder = producer.create_batch()
                    _append(builder, message)
            waiting.append(await producer.send_batch(builder, topic, partition=partition))
        failures: list[BaseException] = []
        for future in waiting:
            try:
                await future
            except KafkaError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    async def _by_partition(self, messages: Iterable[OutgoingMessage]) -> dict[tuple[str, int], list[OutgoingMessage]]:
        counts: dict[str, int] = {}
        groups: dict[tuple[str, int], list[OutgoingMessage]] = {}
        for message in messages:
            topic, key = message.topic, message.partition_key or message.key
            if topic not in counts:
                counts[topic] = await self.partitions_of(topic)
            count = counts[topic]
            partition = partition_of(key, count) if key else fallback_partition(str(message.partition).encode(), count)
            groups.setdefault((topic, partition), []).append(message)
        return groups

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                self._producer = await self._connect()
            return self._producer

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._client_options,
            enable_idempotence=True,
            acks="all",
            # The path makes whole batches itself; waiting for more would only add latency.
            linger_ms=0,
            max_batch_size=_MAX_BATCH_BYTES,
            max_request_size=_MAX_REQUEST_BYTES,
            request_timeout_ms=20_000,
            metadata_max_age_ms=60_000,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    async def _abandon(self, producer: AIOKafkaProducer) -> None:
        # Somebody else who publishes may have made a new one already: that one is well.
        current = self._producer
        if current is None or current is not producer:
            return
        self._producer = None
        with self._watchdog.expect("closing a producer"):
            await current.stop()


def _append(builder: Any, message: OutgoingMessage) -> object:
    return builder.append(timestamp=None, key=message.key, value=message.value, headers=message.headers)
