"""Where the partitions of a topic end, asked of the brokers."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.topics import partition_of


class KafkaLogEnds:
    """Asks the brokers through a consumer without a group, which is connected when it is first needed."""

    def __init__(self, client_options: dict[str, Any], partitions_of: Callable[[str], Awaitable[int]]) -> None:
        """Make it; nothing is connected yet.

        Args:
            client_options: how to reach the brokers.
            partitions_of: how many partitions a topic has.
        """
        self._client_options = client_options
        self._partitions_of = partitions_of
        self._consumer: AIOKafkaConsumer | None = None
        self._connecting = asyncio.Lock()

    async def end_of(self, topic: str, key: bytes) -> tuple[int, int]:
        """The partition on which a key lies, and the offset of the next record there; 0 when no record is left on it.

        Raises:
            KafkaError: no broker is to be reached, or there is no such topic.
        """
        consumer = await self._connected()
        place = TopicPartition(topic, partition_of(key, await self._partitions_of(topic)))
        # The end last: what is appended meanwhile only makes a reader wait for more.
        beginning = (await consumer.beginning_offsets([place]))[place]
        end = (await consumer.end_offsets([place]))[place]
        return place.partition, end if end > beginning else 0

    async def ends_of(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The offset of the next record on every partition; partitions on which no record is left are left out.

        Raises:
            KafkaError: no broker is to be reached, or there is no such topic.
        """
        consumer = await self._connected()
        places = [TopicPartition(topic, number) for topic in topics for number in range(await self._partitions_of(topic))]
        beginnings = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        return {(place.topic, place.partition): end for place, end in ends.items() if end > beginnings[place]}

    async def next_offsets(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset of the next record on each of these partitions.

        Raises:
            KafkaError: no broker is to be reached, or there is no such partition.
        """
        consumer = await self._connected()
        ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
        return ends

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None

    async def _connected(self) -> AIOKafkaConsumer:
        async with self._connecting:
            if self._consumer is None:
                consumer = AIOKafkaConsumer(**self._client_options)
                try:
                    await consumer.start()
                except BaseException:
                    # Also when nobody waits for it any longer.
                    await consumer.stop()
                    raise
                self._consumer = consumer
            return self._consumer
