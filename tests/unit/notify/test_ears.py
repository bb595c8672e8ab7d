"""Whether notify has heard what others have said, before it tells anything by what it knows."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import KafkaConnectionError

from services.notify import ears as module
from services.notify.ears import Ears
from shared.path.decisions import Positions
from tests.system.harness.waiting import until

PLACE = ("test.booking.events.v1", 0)


class Log:
    """Where the topic ends, and how far it was read."""

    def __init__(self) -> None:
        self.end, self.heard = 3, 0
        self.is_away = False
        self.asked = self.looked = 0

    async def ends_of(self, topics: Collection[str]) -> Positions:
        assert list(topics) == [PLACE[0]]
        self.asked += 1
        if self.is_away:
            raise KafkaConnectionError
        return {PLACE: self.end}

    async def positions(self) -> Positions:
        self.looked += 1
        return {PLACE: self.heard}


@asynccontextmanager
async def listening(log: Log) -> AsyncIterator[Ears]:
    ears = Ears([PLACE[0]], ends=log, positions=log.positions)
    running = asyncio.create_task(ears.run())
    yield ears
    running.cancel()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ASK_SECONDS", 0.01)
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)


async def test_nothing_is_known_before_all_was_heard_that_lay_there() -> None:
    log = Log()
    async with listening(log) as ears:
        await until(lambda: log.asked > 0, "it asks")
        assert not ears.has_heard()
        log.heard, looked = 2, log.looked
        await until(lambda: log.looked > looked + 2, "it looks")
        assert not ears.has_heard()
        log.heard = 3
        await until(ears.has_heard, "it has heard")


async def test_what_was_heard_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FRESH_SECONDS", 0.2)
    log = Log()
    log.heard = 3
    async with listening(log) as ears:
        await until(ears.has_heard, "it has heard")
        log.end = 4
        await until(lambda: not ears.has_heard(), "it lags behind")
        log.heard = 4
        await until(ears.has_heard, "it has heard again")


@pytest.mark.parametrize("is_away", [True, False])
async def test_late_is_worse_than_untrue(monkeypatch: pytest.MonkeyPatch, *, is_away: bool) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.3)
    log = Log()
    log.is_away = is_away
    async with listening(log) as ears:
        assert not ears.has_heard()
        await until(ears.has_heard, "patience ends")


async def test_who_lags_behind_for_good_tells_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FRESH_SECONDS", 0)
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.3)
    log = Log()
    log.heard = log.end
    async with listening(log) as ears:
        await until(lambda: log.asked > 1, "it has heard all, but too late to tell by it")
        assert not ears.has_heard()
        await until(ears.has_heard, "patience ends")


async def test_topics_in_which_nothing_lies_are_heard() -> None:
    class Silent(Log):
        async def ends_of(self, topics: Collection[str]) -> Positions:
            assert topics
            return {}

    async with listening(Silent()) as ears:
        await until(ears.has_heard, "there is nothing to hear")
