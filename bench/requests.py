"""Requests per second to calls, billing and notify: the mesh beside one row-locking transaction for each request."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.ground import Ground, Stage
from bench.mesh_drain import stopped
from bench.processes import Crew
from bench.progress import Steps
from bench.results import Spread, Table, Target
from bench.sizes import Sizes
from bench.traffic import Loader, Outcome, Reader, VoidError
from bench.workers import start_workers, wait_decided, wait_ready
from bench.workload import Workload, activity, deductions, notifications
from shared.codec.record import OutgoingMessage

_WORKERS: Final = 2
_STALL_SECONDS: Final = 120
_WARM_UP: Final = 500
_PATIENCE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Requests:
    """What was measured, by the workload's name: requests per second, round by round."""

    mesh: dict[str, Spread]
    row_locks: dict[str, Spread]

    def targets(self) -> list[Target]:
        """The mesh beside the baseline."""
        return [
            Target(
                what=f"{name} per second, mesh ({_WORKERS} workers) / row locks, 32 connections",
                measured=Spread.ratios(spread, self.row_locks[name]),
                limit=8,
                aim=10,
                at_least=True,
                unit=" ×",
            )
            for name, spread in self.mesh.items()
        ]

    def table(self) -> Table:
        """Every figure."""
        rows = [
            (name, spread.text(), self.row_locks[name].text(), f"{Spread.ratios(spread, self.row_locks[name]).median:.2f}")
            for name, spread in self.mesh.items()
        ]
        return Table(
            "Activity, deductions and notification requests per second",
            ("what", "mesh, 2 workers", "row locks, 32 connections", "ratio"),
            rows,
        )

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            name: {"mesh_per_second": spread.as_json(), "row_locks_per_second": self.row_locks[name].as_json()}
            for name, spread in self.mesh.items()
        }


def steps_of(sizes: Sizes) -> int:
    """How many steps it takes."""
    return sizes.rounds * 2 * len(_workloads(sizes, 1))


def _workloads(sizes: Sizes, count: int) -> list[Workload]:
    return [
        activity(count, sizes.active_sessions),
        deductions(count, min(count, sizes.patients)),
        deductions(count, 1),
        notifications(count, min(count, sizes.patients)),
    ]


async def measure_requests(ground: Ground, sizes: Sizes, steps: Steps) -> Requests:
    """Measure both in turn, round by round."""
    mesh: defaultdict[str, list[float]] = defaultdict(list)
    row_locks: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(sizes.rounds):
        label = f"round {number + 1} of {sizes.rounds}"
        many, few = _workloads(sizes, sizes.requests), _workloads(sizes, sizes.row_lock_requests)
        for workload, smaller in zip(many, few, strict=True):
            with steps.step(f"{workload.name}, {label}: row locks"):
                row_locks[workload.name].append(await _measure_row_locks(ground, smaller))
            with steps.step(f"{workload.name}, {label}: mesh"):
                mesh[workload.name].append(await _measure_mesh(ground, workload))
            steps.say(f"{workload.name}: mesh {mesh[workload.name][-1]:,.0f}/s, row locks {row_locks[workload.name][-1]:,.0f}/s")
    return Requests(
        {name: Spread.of(figures) for name, figures in mesh.items()}, {name: Spread.of(figures) for name, figures in row_locks.items()}
    )


async def _measure_mesh(ground: Ground, workload: Workload) -> float:
    async with (
        ground.stage(workload.name, service=workload.service) as stage,
        Crew(stage.folder) as crew,
        Reader(stage.settings, stage.events_topic) as events,
    ):
        workers = start_workers(crew, stage, _WORKERS)
        await wait_ready(crew, stage, groups={stage.consumer_group: _WORKERS})
        decided: defaultdict[str, int] = defaultdict(int)
        for messages in workload.preparation:
            await _load(stage, messages)
            for message in messages:
                decided[message.topic] += 1
            await wait_decided(crew, stage, sum(decided.values()), timeout_seconds=_STALL_SECONDS)
        await stage.settle()
        before = await events.count()
        with stopped(workers):
            await _load(stage, workload.requests)
            started_at_seconds = time.time()
        expected = before + len(workload.requests) * workload.events_each
        await events.wait_for(expected, timeout_seconds=_STALL_SECONDS, check=crew.check)
        outcomes = [outcome for outcome in await events.outcomes() if workload.is_request(outcome.command_id)]
    _verify(workload, outcomes)
    return len(workload.requests) / (max(outcome.appended_at_seconds for outcome in outcomes) - started_at_seconds)


async def _measure_row_locks(ground: Ground, workload: Workload) -> float:
    async with ground.stage(workload.name, service=workload.service) as stage, Crew(stage.folder) as crew:
        for messages in (*workload.preparation, workload.requests):
            await _load(stage, messages)
        configuration = {
            "service": workload.service,
            "lock": workload.lock,
            "locked_field": workload.locked_field,
            "preparation": workload.prepared,
            "warm_up": min(_WARM_UP, len(workload.requests) // 4),
            "linger_ms": 0,
        }
        result = await crew.start_module("row-locks", "bench.one_by_one", configuration, stage.environment()).result(_PATIENCE_SECONDS)
        async with Reader(stage.settings, stage.events_topic) as events:
            outcomes = [outcome for outcome in await events.outcomes() if workload.is_request(outcome.command_id)]
    _verify(workload, outcomes)
    per_second: float = result["per_second"]
    return per_second


async def _load(stage: Stage, messages: Sequence[OutgoingMessage]) -> None:
    loader = Loader(stage.settings)
    await loader.start()
    try:
        for topic in {message.topic for message in messages}:
            prepared = loader.prepare(message for message in messages if message.topic == topic)
            await loader.send(f"{stage.settings.topic_prefix}.{topic}", prepared)
    finally:
        await loader.stop()


def _verify(workload: Workload, outcomes: Sequence[Outcome]) -> None:
    """See that each request came to what it must come to.

    Raises:
        VoidError: it did not.
    """
    came_to = {outcome.command_id for outcome in outcomes if outcome.type == workload.outcome}
    if len(came_to) != len(workload.requests):
        others = sorted({f"{outcome.type} {outcome.reason or ''}" for outcome in outcomes if outcome.type != workload.outcome})
        message = (
            f"{workload.name}: {len(came_to)} of {len(workload.requests)} requests came to {workload.outcome}; others to {others}. "
            "The measurement is void."
        )
        raise VoidError(message)
