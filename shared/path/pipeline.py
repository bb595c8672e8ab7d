"""Deciding one batch while the one before is being published; acknowledging in order.

submit ──► decide, commit ──► publish, awaited ──► acknowledge
(batch n + 1)       (batch n)           (batch n - 1)
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.codec.record import OutgoingMessage, Record
from shared.path.decisions import Positions
from shared.path.publisher import Publisher

#: Called in log order with the next offsets of partitions, once all before them is decided and published.
Acknowledge = Callable[[Positions], Awaitable[None]]


async def _nothing() -> Sequence[OutgoingMessage]:
    return ()


@dataclass(frozen=True, slots=True)
class Handled:
    """What a batch came to.

    Attributes:
        messages: to publish, in order.
        positions: the next offset of each partition before which all is decided, once the messages are published.
        when_published: called once they are.
        remaining: asked then what is left to publish, and again when that is published, until nothing is.
    """

    messages: list[OutgoingMessage]
    positions: Positions
    when_published: Callable[[], None] = lambda: None
    remaining: Callable[[], Awaitable[Sequence[OutgoingMessage]]] = _nothing


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
        #: Since when each batch in decision or in publication is, in order.
        self._begun: deque[float] = deque()

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
        self._begun.append(time.monotonic())
        self._idle.clear()
        try:
            await self._decided.put(await self._handler.handle(records))
        except BaseException:
            self._begun.pop()
            self._rest()
            raise

    async def run(self) -> None:
        """Publish and acknowledge what was decided, in order, until cancelled."""
        while True:
            handled = await self._decided.get()
            await self._publisher.publish(handled.messages)
            handled.when_published()
            while messages := await handled.remaining():
                await self._publisher.publish(messages)
            await self._acknowledge(handled.positions)
            self._begun.popleft()
            self._rest()

    async def drained(self) -> None:
        """Wait until nothing is in decision or in publication."""
        await self._idle.wait()

    def in_hand_seconds(self) -> float:
        """For how long the oldest batch is in decision or in publication; 0 when there is none."""
        return time.monotonic() - self._begun[0] if self._begun else 0.0

    def _rest(self) -> None:
        if not self._begun:
            self._idle.set()
