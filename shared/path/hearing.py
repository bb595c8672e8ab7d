"""What a command waits for that names something of another service which this one may not have heard of yet.

It is decided only after the other service's events were read up to where they ended when the command arrived: before that
nobody can say that what it names does not exist.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import Final, Protocol

import structlog
from aiokafka.errors import KafkaError

from shared.codec.decode import Received
from shared.path.decisions import Identity, Positions

#: How long to wait for the brokers to say where a partition ends, before others are decided; asked again after that.
_ASK_SECONDS: Final = 5

_log = structlog.get_logger()


class LogEnds(Protocol):
    """Says where partitions end."""

    async def end_of(self, topic: str, key: bytes) -> tuple[int, int]:
        """The partition on which a key lies, and the offset of the next record there; 0 when no record is left on it.

        Raises:
            KafkaError: no broker is to be reached.
        """


class Hearing:
    """Remembers up to where the heard topics must be read before a command can be decided."""

    def __init__(self, topics: Collection[str], ends: LogEnds) -> None:
        """Make it.

        Args:
            topics: the events topics that the service hears.
            ends: says where they end.
        """
        self._topics = topics
        self._ends = ends
        self._awaited: dict[Identity, Positions] = {}

    def awaits(self, batch: Iterable[Received]) -> bool:
        """Whether any of these commands waits for something."""
        return bool(self._awaited) and any((received.source, received.id) in self._awaited for received in batch)

    def has_heard(self, received: Received, positions: Positions) -> bool:
        """Whether all was read, up to these positions, that the command waits for."""
        awaited = self._awaited.get((received.source, received.id))
        return awaited is not None and all(positions.get(place, 0) >= end for place, end in awaited.items())

    async def listen(self, unheard: Iterable[Received], decided: Iterable[Received]) -> None:
        """Note where the heard topics end for commands that wait from now on, and forget those that wait no longer."""
        if self._awaited:
            for received in decided:
                self._awaited.pop((received.source, received.id), None)
        for received in unheard:
            identity = (received.source, received.id)
            if identity in self._awaited:
                continue
            try:
                async with asyncio.timeout(_ASK_SECONDS):
                    self._awaited[identity] = await self._ends_for(received)
            except (KafkaError, TimeoutError) as error:
                _log.warning("Kafka does not say where a topic ends, asking again", error=repr(error))
                return

    async def _ends_for(self, received: Received) -> Positions:
        ends: dict[tuple[str, int], int] = {}
        for topic in self._topics:
            partition, end = await self._ends.end_of(topic, received.record.key or b"")
            ends[topic, partition] = end
        return ends
