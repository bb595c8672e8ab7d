"""Decisions per second: the mesh with 1, 2 and 4 workers, the row-locking baseline, and the durable limit, in turn."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

from bench.ground import Ground, Stage
from bench.load import Load, make_load
from bench.mesh_drain import Drained, drain
from bench.processes import Crew
from bench.progress import Steps
from bench.results import Spread, Table, Target
from bench.sizes import Sizes
from bench.traffic import Outcome, Reader, VoidError, load_commands, verify

_ROW_LOCKS_WARM_UP: Final = 1_000
_DURABLE_WARM_UP_BATCHES: Final = 4
_PATIENCE_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class Throughput:
    """What was measured.

    Attributes:
        row_locks: decisions per second of the row-locking baseline.
        workers: decisions per second of the mesh, by the number of workers.
        durable_limit: rows and events per second without a decision.
        copies: how many outcomes were published more than once, by the number of workers.
        peak_memory_bytes: the largest worker's peak, by the number of workers.
        value_bytes: of the value of an outcome.
        headers_bytes: of its headers.
    """

    row_locks: Spread
    workers: dict[int, Spread]
    durable_limit: Spread
    copies: dict[int, int]
    peak_memory_bytes: dict[int, int]
    value_bytes: int
    headers_bytes: int

    @property
    def best_workers(self) -> int:
        """The number of workers with which the mesh is fastest."""
        return max(self.workers, key=lambda count: self.workers[count].median)

    def targets(self) -> list[Target]:
        """The mesh at its best, beside the two baselines."""
        best = self.workers[self.best_workers]
        name = f"decisions/s, mesh ({_workers(self.best_workers)})"
        return [
            Target(
                what=f"{name} / row locks, 32 connections",
                measured=Spread.ratios(best, self.row_locks),
                limit=8,
                aim=10,
                at_least=True,
                unit=" ×",
            ),
            Target(
                what=f"{name} / durable limit",
                measured=Spread.ratios(best, self.durable_limit),
                limit=0.4,
                aim=0.6,
                at_least=True,
                unit=" ×",
            ),
        ]

    def table(self) -> Table:
        """Every figure."""
        rows = [("row locks, 32 connections", self.row_locks)]
        rows += [(f"mesh, {_workers(count)}", spread) for count, spread in self.workers.items()]
        rows += [("durable limit, no decision", self.durable_limit)]
        return Table(
            "Booking decisions per second",
            ("what", "per second", "/ row locks", "/ durable limit"),
            [
                (
                    what,
                    spread.text(),
                    f"{Spread.ratios(spread, self.row_locks).median:.2f}",
                    f"{Spread.ratios(spread, self.durable_limit).median:.2f}",
                )
                for what, spread in rows
            ],
        )

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "row_locks_per_second": self.row_locks.as_json(),
            "mesh_per_second": {str(count): spread.as_json() for count, spread in self.workers.items()},
            "durable_limit_per_second": self.durable_limit.as_json(),
            "copies": {str(count): copies for count, copies in self.copies.items()},
            "peak_memory_bytes": {str(count): peak for count, peak in self.peak_memory_bytes.items()},
            "outcome_value_bytes": self.value_bytes,
            "outcome_headers_bytes": self.headers_bytes,
        }


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def steps_of(sizes: Sizes) -> int:
    """How many steps it takes."""
    return sizes.rounds * (len(sizes.worker_counts) + 2)


async def measure_throughput(ground: Ground, sizes: Sizes, steps: Steps) -> Throughput:
    """Measure all in turn, round by round, so that what else the machine does falls on all alike."""
    load = make_load(sizes.commands, doctors=sizes.doctors, patients=sizes.patients)
    row_locks: list[float] = []
    durable_limit: list[float] = []
    drains: defaultdict[int, list[Drained]] = defaultdict(list)
    for number in range(sizes.rounds):
        label = f"round {number + 1} of {sizes.rounds}"
        with steps.step(f"throughput, {label}: row locks"):
            row_locks.append(await _measure_row_locks(ground, load.first(sizes.row_lock_commands)))
            steps.say(f"row locks, 32 connections: {row_locks[-1]:,.0f} decisions/s")
        for count in sizes.worker_counts:
            async with ground.stage("mesh") as stage:
                with steps.step(f"throughput, {label}: mesh with {_workers(count)}"):
                    drained = await drain(stage, load, count)
                    drains[count].append(drained)
                    steps.say(f"mesh, {_workers(count)}: {drained.per_second:,.0f} decisions/s")
                if count == sizes.worker_counts[0]:
                    with steps.step(f"throughput, {label}: durable limit"):
                        durable_limit.append(await _measure_durable_limit(ground, stage))
                        steps.say(f"durable limit: {durable_limit[-1]:,.0f} rows and events/s")
    return _summary(row_locks, drains, durable_limit)


def _summary(row_locks: list[float], drains: dict[int, list[Drained]], durable_limit: list[float]) -> Throughput:
    sample = next(iter(drains.values()))[0].sample
    return Throughput(
        row_locks=Spread.of(row_locks),
        workers={count: Spread.of(drained.per_second for drained in of_count) for count, of_count in drains.items()},
        durable_limit=Spread.of(durable_limit),
        copies={count: sum(drained.copies for drained in of_count) for count, of_count in drains.items()},
        peak_memory_bytes={count: max(max(drained.peak_memory_bytes) for drained in of_count) for count, of_count in drains.items()},
        value_bytes=sample.value_bytes,
        headers_bytes=sample.headers_bytes,
    )


async def _measure_row_locks(ground: Ground, load: Load) -> float:
    async with ground.stage("row locks") as stage, Crew(stage.folder) as crew:
        await load_commands(stage, load.messages)
        await stage.settle()
        configuration = {
            "commands_topic": stage.commands_topic,
            "events_topic": stage.events_topic,
            "warm_up": min(_ROW_LOCKS_WARM_UP, len(load.messages) // 4),
            "linger_ms": 0,
        }
        result = await crew.start_module("row-locks", "bench.row_locks", configuration, stage.environment()).result(_PATIENCE_SECONDS)
        async with Reader(stage.settings, stage.events_topic) as events:
            outcomes = await events.outcomes()
        verify(outcomes, booked=load.booked, refused=load.refused, what="The row-locking baseline")
        if (counted := await stage.count("appointments")) != load.booked:
            message = f"The row-locking baseline holds {counted} appointments, and should hold {load.booked}. The measurement is void."
            raise VoidError(message)
        return _per_second(outcomes, result["started_at_seconds"])


async def _measure_durable_limit(ground: Ground, source: Stage) -> float:
    async with ground.stage("durable limit") as stage, Crew(stage.folder) as crew:
        await stage.settle()
        configuration = {
            "source_url": source.database_url,
            "events_topic": stage.events_topic,
            "batch_records": stage.settings.batch_max_records,
            "warm_up_batches": _DURABLE_WARM_UP_BATCHES,
        }
        limit = crew.start_module("durable-limit", "bench.durable_limit", configuration, stage.environment())
        result = await limit.result(_PATIENCE_SECONDS)
        async with Reader(stage.settings, stage.events_topic) as events:
            outcomes = await events.outcomes()
        for table in ("appointments", "decisions"):
            if (written := await stage.count(table)) != (expected := await source.count(table)):
                message = f"The durable limit wrote {written} of {expected} {table}. The measurement is void."
                raise VoidError(message)
        return _per_second(outcomes, result["started_at_seconds"])


def _per_second(outcomes: list[Outcome], started_at_seconds: float) -> float:
    """Those appended since the clock started; it stops at the last."""
    # The broker's stamp has whole milliseconds.
    appended = [outcome.appended_at_seconds for outcome in outcomes if outcome.appended_at_seconds >= started_at_seconds - 0.001]
    return len(appended) / (max(appended) - started_at_seconds)
