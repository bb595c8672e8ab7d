"""Whether notify has heard what others have said: after it was down, what it is about to tell may have become untrue long ago."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Final, Protocol

import structlog
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.path import decisions
from shared.path.decisions import Positions
from shared.path.errors import DATABASE_ERRORS

#: How often the brokers are asked where the topics end.
_ASK_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.1
#: What was heard up to so long ago is fresh enough to tell by.
_FRESH_SECONDS: Final = 5.0
#: Whoever hears nothing for so long tells all the same: late is worse than untrue.
_PATIENCE_SECONDS: Final = 60.0

_log = structlog.get_logger()


class TopicEnds(Protocol):
    """Says where topics end."""

    async def ends_of(self, topics: Collection[str]) -> Positions:
        """The offset of the next record on every partition that has any.

        Raises:
            KafkaError: no broker is to be reached.
        """


class Ears:
    """Knows up to when everything that lies in the heard topics has been heard, by whichever worker."""

    def __init__(self, topics: Collection[str], *, ends: TopicEnds, positions: Callable[[], Awaitable[Positions]]) -> None:
        """Make it; ``run`` must run for anything to be known.

        Args:
            topics: that are heard.
            ends: where these end.
            positions: up to where the group has heard.
        """
        self._topics = topics
        self._ends = ends
        self._positions = positions
        #: What lay there at that time was heard soon after; at first, nothing is known.
        self._heard_until = -math.inf
        self._impatient_at = time.monotonic() + _PATIENCE_SECONDS

    def has_heard(self) -> bool:
        """Whether what is known is fresh enough to tell by, or nothing fresher is to be had."""
        now = time.monotonic()
        return now - self._heard_until < _FRESH_SECONDS or now > self._impatient_at

    async def run(self) -> None:
        """Find out again and again, until cancelled."""
        while True:
            asked_at = time.monotonic()
            try:
                await self._all_heard(await self._ends.ends_of(self._topics))
            except (*DATABASE_ERRORS, KafkaError) as error:
                _log.warning("Not known whether all was heard", error=type(error).__name__)
            else:
                self._note(asked_at)
            await asyncio.sleep(_ASK_SECONDS)

    def _note(self, asked_at: float) -> None:
        """All that lay there when it was asked for has been heard by now; who lags behind for good must not wait for ever."""
        if time.monotonic() - asked_at < _FRESH_SECONDS:
            self._heard_until = asked_at
            self._impatient_at = asked_at + _PATIENCE_SECONDS

    async def _all_heard(self, ends: Positions) -> None:
        while True:
            heard = await self._positions()
            if all(heard.get(place, 0) >= end for place, end in ends.items()):
                return
            await asyncio.sleep(_LOOK_SECONDS)


def positions_of(engine: AsyncEngine, consumer_group: str) -> Callable[[], Awaitable[Positions]]:
    """Up to where a group has decided, asked of the database."""

    async def ask() -> Positions:
        async with transaction(engine) as connection:
            return await decisions.read(connection, consumer_group)

    return ask
