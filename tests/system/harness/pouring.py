"""Several producers that pour their loads out while something happens to the mesh."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tests.system.harness.load import Load
from tests.system.harness.mesh import Mesh
from tests.system.harness.producers import Acknowledged, Publishes

#: Between two chunks of a producer: the load is to last, not to press.
_PAUSE_SECONDS = 0.1


class Pour:
    """What was poured out."""

    def __init__(self, loads: list[Load]) -> None:
        self.loads = loads
        self.producers: list[Publishes] = []
        self.enough = asyncio.Event()

    @property
    def acknowledged(self) -> list[Acknowledged]:
        return [place for producer in self.producers for place in producer.acknowledged]

    @property
    def readable(self) -> set[str]:
        return {identifier for load in self.loads for identifier in load.readable}

    @property
    def bad_records(self) -> int:
        return sum(load.bad_records for load in self.loads)

    async def flow(self, producer: Publishes, load: Load, chunk: int) -> None:
        while not self.enough.is_set():
            await producer.publish(load.chunk(chunk))
            await _at_most(self.enough.wait(), _PAUSE_SECONDS)


@asynccontextmanager
async def pouring(
    mesh: Mesh, *, producers: int = 4, chunk: int = 15, poisoned: bool = True, metadata_max_age_seconds: float = 300
) -> AsyncIterator[Pour]:
    """Publish for as long as the block lasts; half of the producers with aiokafka, half with librdkafka."""
    pour = Pour([Load(number, poisoned=poisoned) for number in range(producers)])
    async with AsyncExitStack() as stack:
        for number in range(producers):
            make = mesh.python_producer if number % 2 == 0 else mesh.native_producer
            producer: Any = make(metadata_max_age_seconds=metadata_max_age_seconds)
            pour.producers.append(await stack.enter_async_context(producer))
        flowing = [asyncio.create_task(pour.flow(producer, load, chunk)) for producer, load in zip(pour.producers, pour.loads, strict=True)]
        try:
            yield pour
        finally:
            pour.enough.set()
            await asyncio.gather(*flowing)


async def _at_most(waiting: Awaitable[object], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        pass
