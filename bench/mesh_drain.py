"""How fast the mesh's workers decide what lies in the commands topic."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from bench.ground import Stage
from bench.load import Load
from bench.processes import Crew, Running
from bench.traffic import Loader, Outcome, Reader, verify
from bench.workers import WARM_UP, WARM_UP_COMMANDS, peak_memory_bytes, start_workers, wait_ready, warm_up

_STALL_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain came to.

    Attributes:
        seconds: from letting the workers go to the last outcome's append.
        commands: how many were decided.
        copies: how many outcomes lie in the topic more than once.
        peak_memory_bytes: of each worker.
        sample: one of the outcomes that booked.
    """

    seconds: float
    commands: int
    copies: int
    peak_memory_bytes: tuple[int, ...]
    sample: Outcome

    @property
    def per_second(self) -> float:
        """Decisions per second."""
        return self.commands / self.seconds


async def drain(stage: Stage, load: Load, worker_count: int) -> Drained:
    """Let workers decide commands that lie ready, and measure from the moment they are let go.

    The workers have joined, hold their partitions, and have decided some commands already. They are stopped (SIGSTOP) while
    the commands are put into the topic, and go on (SIGCONT) when the clock starts.
    """
    loader = Loader(stage.settings)
    async with Crew(stage.folder) as crew, Reader(stage.settings, stage.events_topic) as events:
        await loader.start()
        try:
            workers = start_workers(crew, stage, worker_count)
            await wait_ready(crew, stage, groups={stage.consumer_group: worker_count})
            await warm_up(crew, stage, events)
            prepared = loader.prepare(load.messages)
            with stopped(workers):
                await loader.send(stage.commands_topic, prepared)
                started_at_seconds = time.time()
        finally:
            await loader.stop()
        total = WARM_UP_COMMANDS + len(load.messages)
        await events.wait_for(total, timeout_seconds=_STALL_SECONDS, check=crew.check)
        peaks = tuple(peak_memory_bytes(worker.pid) for worker in workers)
        outcomes = [outcome for outcome in await events.outcomes() if not outcome.command_id.startswith(WARM_UP)]
    verify(outcomes, booked=load.booked, refused=load.refused, what=f"The mesh with {worker_count} workers")
    return Drained(
        seconds=_last_append(outcomes) - started_at_seconds,
        commands=len(load.messages),
        copies=len(outcomes) - len(load.messages),
        peak_memory_bytes=peaks,
        sample=next(outcome for outcome in outcomes if outcome.reason is None),
    )


@contextmanager
def stopped(workers: Sequence[Running]) -> Iterator[None]:
    """Stop the workers for the time of the block; shorter than their session with Kafka lasts."""
    for worker in workers:
        os.kill(worker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in workers:
            os.kill(worker.pid, signal.SIGCONT)


def _last_append(outcomes: Sequence[Outcome]) -> float:
    """When the last outcome was appended; of an outcome's copies only the first counts."""
    first: dict[str, float] = {}
    for outcome in outcomes:
        first[outcome.event_id] = min(outcome.appended_at_seconds, first.get(outcome.event_id, outcome.appended_at_seconds))
    return max(first.values())
