"""How a stream processor makes batches of events that come one by one."""

import asyncio

import pytest

from shared.runtimes.faust import next_batch

AT_MOST = 3


@pytest.fixture
def waiting() -> asyncio.Queue[int]:
    return asyncio.Queue()


async def test_what_is_there_is_taken_at_once_in_order_and_in_batches(waiting: asyncio.Queue[int]) -> None:
    for number in range(5):
        waiting.put_nowait(number)
    assert await next_batch(waiting, AT_MOST, None) == [0, 1, 2]
    assert await next_batch(waiting, AT_MOST, None) == [3, 4]


async def test_whoever_waits_gets_what_comes(waiting: asyncio.Queue[int]) -> None:
    taking = asyncio.ensure_future(next_batch(waiting, AT_MOST, None))
    await asyncio.sleep(0)
    waiting.put_nowait(7)
    assert await taking == [7]


async def test_nothing_comes_in_time(waiting: asyncio.Queue[int]) -> None:
    assert await next_batch(waiting, AT_MOST, 0.001) == []
    waiting.put_nowait(7)
    assert await next_batch(waiting, AT_MOST, 0.001) == [7], "nothing was lost to the one who gave up"
