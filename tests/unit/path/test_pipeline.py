"""One batch is decided while the one before is published; nothing is acknowledged before it is published, and all in order."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from shared.codec.record import OutgoingMessage, Record, StoredRecord
from shared.path.decisions import Positions
from shared.path.pipeline import Handled, Pipeline
from shared.path.publisher import Publisher


def a_record(offset: int) -> StoredRecord:
    return StoredRecord("topic", 0, offset, 0, b"key", b"{}")


class Path:
    """A handler and a publisher whose gates the test opens."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.may_publish = asyncio.Semaphore(0)
        self.changed = asyncio.Condition()
        self.failure: Exception | None = None
        #: What each batch leaves to be published afterwards, message by message.
        self.left: list[str] = []

    async def note(self, what: str) -> None:
        async with self.changed:
            self.happened.append(what)
            self.changed.notify_all()

    async def until(self, what: str) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: what in self.happened)

    @property
    def carries(self) -> bool:
        return False

    @property
    def pause_seconds(self) -> float:
        return 0.0

    async def handle(self, records: Sequence[Record]) -> Handled:
        await self.note(f"decided {records[0].offset}")
        if self.failure is not None:
            raise self.failure
        messages = [OutgoingMessage("events", b"key", str(record.offset).encode(), []) for record in records]
        left = iter(self.left)

        async def remaining() -> Sequence[OutgoingMessage]:
            return [OutgoingMessage("states", b"key", value.encode(), []) for value in [next(left, "")] if value]

        return Handled(messages, {("topic", 0): records[-1].offset}, remaining=remaining)

    async def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        await self.may_publish.acquire()
        await self.note(f"published {(messages[0].value or b'').decode()}")

    async def acknowledge(self, positions: Positions) -> None:
        await self.note(f"acknowledged {positions['topic', 0]}")


@pytest.fixture
def path() -> Path:
    return Path()


@pytest.fixture
def pipeline(path: Path) -> Pipeline:
    publisher: Any = path
    return Pipeline(path, cast("Publisher", publisher), path.acknowledge)


async def test_the_next_batch_is_decided_while_one_is_published(path: Path, pipeline: Pipeline) -> None:
    running = asyncio.create_task(pipeline.run())
    await pipeline.submit([a_record(1)])
    await pipeline.submit([a_record(2)])
    await path.until("decided 2")
    assert path.happened == ["decided 1", "decided 2"]
    path.may_publish.release()
    path.may_publish.release()
    await pipeline.drained()
    assert path.happened[2:] == ["published 1", "acknowledged 1", "published 2", "acknowledged 2"]
    running.cancel()


async def test_a_batch_is_acknowledged_once_nothing_of_it_is_left_to_publish(path: Path, pipeline: Pipeline) -> None:
    path.left = ["the state", "the state as it is by now"]
    running = asyncio.create_task(pipeline.run())
    for _ in range(3):
        path.may_publish.release()
    await pipeline.submit([a_record(1)])
    await pipeline.drained()
    assert path.happened[1:] == ["published 1", "published the state", "published the state as it is by now", "acknowledged 1"]
    running.cancel()


async def test_no_more_than_a_few_batches_are_in_hand(path: Path, pipeline: Pipeline) -> None:
    running = asyncio.create_task(pipeline.run())

    async def submit_all() -> None:
        for offset in range(6):
            await pipeline.submit([a_record(offset)])

    submitting = asyncio.create_task(submit_all())
    await path.until("decided 2")
    await asyncio.wait([submitting], timeout=0.05)
    assert [what for what in path.happened if what.startswith("decided")] == ["decided 0", "decided 1", "decided 2"]
    for _ in range(6):
        path.may_publish.release()
    await submitting
    await pipeline.drained()
    assert path.happened.count("acknowledged 5") == 1
    running.cancel()


async def test_a_batch_that_cannot_be_decided_is_neither_published_nor_acknowledged(path: Path, pipeline: Pipeline) -> None:
    path.failure = RuntimeError("fatal")
    with pytest.raises(RuntimeError, match="fatal"):
        await pipeline.submit([a_record(1)])
    await pipeline.drained()
    assert path.happened == ["decided 1"]


async def test_nothing_in_hand_is_drained_at_once(pipeline: Pipeline) -> None:
    async with asyncio.timeout(1):
        await pipeline.drained()
