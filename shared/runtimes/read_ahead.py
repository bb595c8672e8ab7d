"""Records that were read while a batch is being decided.

A consumer asks a broker for more only when all that it has is taken. Without somebody who takes it at once, what comes in during a
batch would wait for the end of the next one as well.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

Read = TypeVar("Read")

#: One is being decided, so many may wait.
_BATCHES_AHEAD: Final = 2


class ReadAhead(Generic[Read]):
    """A queue of records that is filled by one task, and emptied by another in batches."""

    def __init__(self, batch_max_records: int) -> None:
        """Begin with nothing.

        Args:
            batch_max_records: how many are taken at the most.
        """
        self._batch_max_records = batch_max_records
        self._at_most = _BATCHES_AHEAD * batch_max_records
        self._records: deque[Read] = deque()
        self._filled = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._held = False

    async def room(self) -> int:
        """For how many records there is room, as soon as there is any."""
        await self._has_room.wait()
        return self._at_most - len(self._records)

    def put(self, records: Iterable[Read]) -> None:
        """Add what was read; at once, so that nothing that happens to the partitions comes between."""
        self._records += records
        self._note()

    async def take(self, timeout_seconds: float | None) -> list[Read]:
        """The next batch, as large as it is by now; nothing when nothing comes in time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._filled.wait()
        except TimeoutError:
            return []
        batch = [self._records.popleft() for _ in range(min(len(self._records), self._batch_max_records))]
        self._note()
        return batch

    def hold(self) -> None:
        """Give nothing out until the next ``clear``: what is here may soon be others' to decide."""
        self._held = True
        self._note()

    def clear(self) -> None:
        """Forget what is here: whoever has the partitions now reads it again."""
        self._held = False
        self._records.clear()
        self._note()

    def _note(self) -> None:
        for event, is_so in (
            (self._filled, bool(self._records) and not self._held),
            (self._has_room, len(self._records) < self._at_most),
        ):
            if is_so:
                event.set()
            else:
                event.clear()
