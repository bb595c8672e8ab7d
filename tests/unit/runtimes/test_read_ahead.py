"""What is read ahead comes in order, in batches, not without end, and never after others have it."""

import asyncio

import pytest

from shared.runtimes.read_ahead import ReadAhead

BATCH = 3


@pytest.fixture
def ahead() -> ReadAhead[int]:
    return ReadAhead(BATCH)


async def test_what_is_there_is_taken_at_once_in_order_and_in_batches(ahead: ReadAhead[int]) -> None:
    ahead.put([1, 2])
    assert await ahead.take(None) == [1, 2]
    ahead.put([3, 4])
    ahead.put([5, 6])
    assert await ahead.take(None) == [3, 4, 5]
    assert await ahead.take(0) == [6]
    assert await ahead.take(0) == []


async def test_whoever_waits_gets_what_comes(ahead: ReadAhead[int]) -> None:
    waiting = asyncio.create_task(ahead.take(None))
    await asyncio.sleep(0)
    assert not waiting.done()
    ahead.put([1])
    assert await waiting == [1]


async def test_nothing_comes_in_time(ahead: ReadAhead[int]) -> None:
    assert await ahead.take(0.01) == []


async def test_there_is_room_for_two_batches(ahead: ReadAhead[int]) -> None:
    assert await ahead.room() == 2 * BATCH
    ahead.put([1, 2, 3, 4])
    assert await ahead.room() == 2
    ahead.put([5, 6])
    waiting = asyncio.create_task(ahead.room())
    await asyncio.sleep(0)
    assert not waiting.done(), "it is full"
    await ahead.take(None)
    assert await waiting == BATCH


async def test_what_is_held_is_given_to_nobody_and_forgotten_with_the_partitions(ahead: ReadAhead[int]) -> None:
    ahead.put([1])
    ahead.hold()
    ahead.put([2])
    assert await ahead.take(0) == []
    ahead.clear()
    assert await ahead.take(0) == []
    assert await ahead.room() == 2 * BATCH
    ahead.put([3])
    assert await ahead.take(0) == [3], "it is given out again"
