"""Deciding one batch while the one before is being published; acknowledging in order.

submit ──► decide, commit ──► publish, awaited ──► acknowledge
(batch n + 1)       (batch n)           (batch n - 1)
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from shared.codec.record import OutgoingMessage, Record
from shared.path.publisher import Publisher

#: Called in log order, once the records' messages are published.
Acknowledge = Callable[[Sequence[Record]], Awaitable[None]]


class BatchHandler(Protocol):
    """Turns records into messages to publish before the records are acknowledged."""

    async def handle(self, records: Sequence[Record]) -> list[OutgoingMessage]:
        """Decide records in their order."""


class Pipeline:
    """Keeps one batch in decision and one in publication."""

    def __init__(self, handler: BatchHandler, publisher: Publisher, acknowledge: Acknowledge) -> None:
        """Make it; ``run`` must run for anything to be published."""
        self._handler = handler
        self._publisher = publisher
        self._acknowledge = acknowledge
        self._decided: asyncio.Queue[tuple[list[OutgoingMessage], Sequence[Record]]] = asyncio.Queue(maxsize=1)
        self._idle = asyncio.Event()
        self._idle.set()
        self._in_flight = 0

    async def submit(self, records: Sequence[Record]) -> None:
        """Decide a batch and hand it on to be published; waits while a decided batch is still waiting."""
        self._in_flight += 1
        self._idle.clear()
        try:
            messages = await self._handler.handle(records)
            await self._decided.put((messages, records))
        except BaseException:
            self._done()
            raise

    async def run(self) -> None:
        """Publish and acknowledge what was decided, in order, until cancelled."""
        while True:
            messages, records = await self._decided.get()
            await self._publisher.publish(messages)
            await self._acknowledge(records)
            self._done()

    async def drained(self) -> None:
        """Wait until nothing is in decision or in publication."""
        await self._idle.wait()

    def _done(self) -> None:
        self._in_flight -= 1
        if self._in_flight == 0:
            self._idle.set()
