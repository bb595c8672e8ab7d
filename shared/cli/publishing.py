"""Publishing records as they are, from the command line: once, acknowledged, to the byte."""

from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaProducer

from shared.codec.record import Headers
from shared.kafka_client import client_options
from shared.settings import Settings
from shared.topics import partition_of


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


class RawPublisher:
    """Publishes records whatever is in them; use it as ``async with``."""

    def __init__(self, settings: Settings) -> None:
        """Make it; nothing is connected yet."""
        self._producer: Any = None
        self._options = client_options(settings)

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            aiokafka.errors.KafkaError: no broker is to be reached.
        """
        self._producer = AIOKafkaProducer(**self._options, enable_idempotence=True, acks="all", linger_ms=0)
        try:
            await self._producer.start()
        except BaseException:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def publish(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers, *, keyless_partition: int) -> Place:
        """Publish a record, and return where it lies.

        Args:
            topic: its topic.
            key: decides the partition, as for every producer.
            value: may be null, and the key, too.
            headers: in this order.
            keyless_partition: where a record without a key goes, if the topic has it.

        Raises:
            aiokafka.errors.KafkaError: the brokers do not take it.
        """
        count = max(await self._producer.partitions_for(topic)) + 1
        partition = partition_of(key, count) if key else keyless_partition % count
        # Made by hand: the client's own `send` takes no record that has neither key nor value.
        batch = self._producer.create_batch()
        batch.append(timestamp=None, key=key, value=value, headers=list(headers))
        acknowledged = await (await self._producer.send_batch(batch, topic, partition=partition))
        return Place(topic, partition, acknowledged.offset)
