"""Deciding one batch while the one before is being published; acknowledging in order.

submit ──► decide, commit ──► publish, awaited ──► acknowledge
(batch n + 1)       (batch n)           (batch n - 1)
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.codec.record import OutgoingMessage, Record
from shared.path.decisions import Positions
from shared.path.publisher import Publisher

#: Called in log order with the next offsets of partitions, once all before them is decided and published.
Acknowledge = Callable[[Positions], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Handled:
    """What a batch came to.

    Attributes:
        messages: to publish, in order.
        positions: the next offset of each partition before which all is decided, once the messages are published.
    """

    messages: list[OutgoingMessage]
    positions: Positions


class BatchHandler(Protocol):
    """Turns records into messages to publish before the records are acknowledged."""

    @property
    def carries(self) -> bool:
        """Whether some records were left for the next batch; an empty batch decides them."""

    @property
    def pause_seconds(self) -> float:
        """How long to wait for further records before an empty batch decides what was left."""

    async def handle(self, records: Sequence[Record]) -> Handled:
        """Decide what was left by the last batch, and records in their order."""


class Pipeline:
    """Keeps one batch in decision and one in publication."""

    def __init__(self, handler: BatchHandler, publisher: Publisher, acknowledge: Acknowledge) -> None:
        """Make it; ``run`` must run for anything to be published."""
        self._handler = handler
        self._publisher = publisher
        self._acknowledge = acknowledge
        self._decided: asyncio.Queue[Handled] = asyncio.Queue(maxsize=1)
        self._idle = asyncio.Event()
        self._idle.set()
        self._in_flight = 0

    @property
    def carries(self) -> bool:
        """Whether some records were left for the next batch; an empty batch decides them."""
        return self._handler.carries

    @property
    def pause_seconds(self) -> float:
        """How long to wait for further records before an empty batch decides what was left."""
        return self._handler.pause_seconds

    async def submit(self, records: Sequence[Record]) -> None:
        """Decide a batch and hand it on to be published; waits while a decided batch is still waiting."""
        self._in_flight += 1
        self._idle.clear()
        try:
            await self._decided.put(await self._handler.handle(records))
        except BaseException:
            self._done()
            raise

    async def run(self) -> None:
        """Publish and acknowledge what was decided, in order, until cancelled."""
        while True:
            handled = await self._decided.get()
            await self._publisher.publish(handled.messages)
            await self._acknowledge(handled.positions)
            self._done()

    async def drained(self) -> None:
        """Wait until nothing is in decision or in publication."""
        await self._idle.wait()

    def _done(self) -> None:
        self._in_flight -= 1
        if self._in_flight == 0:
            self._idle.set()
