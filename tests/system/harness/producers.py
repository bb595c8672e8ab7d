"""Producers of other services, with two client libraries; each remembers where Kafka acknowledged what."""

import asyncio
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer

from tests.system.harness.commands import Message

Acknowledged = tuple[str, int, int]


class Publishes(Protocol):
    """Publishes commands."""

    acknowledged: list[Acknowledged]

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish, and return once Kafka acknowledged them all."""


class PythonProducer:
    """A producer with aiokafka."""

    def __init__(self, bootstrap_servers: str, topic: str, *, idempotent: bool = True, metadata_max_age_seconds: float = 300) -> None:
        self._topic = topic
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers,
            acks="all",
            enable_idempotence=idempotent,
            linger_ms=2,
            metadata_max_age_ms=int(metadata_max_age_seconds * 1000),
        )
        self.acknowledged: list[Acknowledged] = []

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._producer.stop()

    async def publish(self, messages: Sequence[Message]) -> None:
        waiting = [
            await self._producer.send(
                self._topic, key=message.key, value=message.value, headers=list(message.headers), partition=message.partition
            )
            for message in messages
        ]
        for metadata in await asyncio.gather(*waiting):
            self.acknowledged.append((metadata.topic, metadata.partition, metadata.offset))

    async def publish_as_one(self, batch: Any, partition: int) -> None:
        """Publish records that lie in one batch, built by hand."""
        count = batch.record_count()
        metadata = await (await self._producer.send_batch(batch, self._topic, partition=partition))
        self.acknowledged += [(metadata.topic, metadata.partition, metadata.offset + number) for number in range(count)]


class NativeProducer:
    """A producer with librdkafka, set up as the contract tells strangers to."""

    def __init__(self, bootstrap_servers: str, topic: str, *, compression: str = "none", metadata_max_age_seconds: float = 300) -> None:
        self._topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 2,
                "compression.type": compression,
                "topic.metadata.refresh.interval.ms": int(metadata_max_age_seconds * 1000),
                "reconnect.backoff.max.ms": 500,
                # It tells of every lost connection, and losing them is what the tests are about.
                "log_level": 0,
            }
        )
        self._failed: deque[str] = deque()
        self.acknowledged: list[Acknowledged] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await asyncio.to_thread(self._producer.flush, 10)

    async def publish(self, messages: Sequence[Message]) -> None:
        await asyncio.to_thread(self._publish, messages)
        assert not self._failed, self._failed

    def _publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            where: dict[str, Any] = {} if message.partition is None else {"partition": message.partition}
            self._producer.produce(
                self._topic, key=message.key, value=message.value, headers=list(message.headers), on_delivery=self._delivered, **where
            )
            self._producer.poll(0)
        assert self._producer.flush(60) == 0

    def _delivered(self, error: Any, message: Any) -> None:
        if error is None:
            self.acknowledged.append((message.topic(), message.partition(), message.offset()))
        else:
            self._failed.append(str(error))
