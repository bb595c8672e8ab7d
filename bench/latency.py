"""From command to outcome: the mesh beside a bare Kafka echo, at fixed rates."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bench.ground import Ground, Stage
from bench.processes import Crew
from bench.progress import Steps
from bench.results import Spread, Table, Target
from bench.sizes import Sizes
from bench.traffic import Reader, VoidError
from bench.workers import start_workers, wait_ready, warm_up

_HUNDREDTHS: Final = 100
_STRICT_RATE_PER_SECOND: Final = 1_000


@dataclass(frozen=True, slots=True)
class Distribution:
    """The latencies of one run."""

    percentiles_milliseconds: tuple[float, ...]
    highest_milliseconds: float
    send_lag_p99_milliseconds: float

    @classmethod
    def of(cls, result: dict[str, Any]) -> "Distribution":
        """Of what the client prints."""
        latencies = result["latencies_milliseconds"]
        lags = result["send_lags_milliseconds"]
        return cls(
            tuple(statistics.quantiles(latencies, n=_HUNDREDTHS, method="inclusive")),
            max(latencies),
            statistics.quantiles(lags, n=_HUNDREDTHS, method="inclusive")[-1],
        )

    @property
    def p50(self) -> float:
        """Milliseconds."""
        return self.percentiles_milliseconds[49]

    @property
    def p99(self) -> float:
        """Milliseconds."""
        return self.percentiles_milliseconds[98]


@dataclass(frozen=True, slots=True)
class Latency:
    """What was measured: by rate, and for each of its rounds."""

    mesh: dict[int, list[Distribution]] = field(default_factory=lambda: defaultdict(list))
    echo: dict[int, list[Distribution]] = field(default_factory=lambda: defaultdict(list))

    def targets(self) -> list[Target]:
        """The mesh beside the echo."""
        targets = []
        for rate in self.mesh:
            mesh, echo = self.mesh[rate], self.echo[rate]
            targets.append(
                Target(what=f"p50 at {rate:,}/s, mesh / echo", measured=Spread.ratios(p50_of(mesh), p50_of(echo)), limit=3, unit=" ×")
            )
            if rate == _STRICT_RATE_PER_SECOND:
                targets.append(
                    Target(what=f"p99 at {rate:,}/s, mesh / echo", measured=Spread.ratios(p99_of(mesh), p99_of(echo)), limit=1.5, unit=" ×")
                )
        return targets

    def table(self) -> Table:
        """Every figure."""
        rows = []
        for rate in self.mesh:
            for name, runs in (("echo", self.echo[rate]), ("mesh", self.mesh[rate])):
                highest = Spread.of(run.highest_milliseconds for run in runs)
                rows.append((f"{name}, {rate:,}/s", p50_of(runs).text(".1f"), p99_of(runs).text(".1f"), highest.text(".0f")))
        return Table("From command to outcome, milliseconds", ("what", "p50", "p99", "highest"), rows)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            name: {
                str(rate): {
                    "p50_milliseconds": p50_of(runs).as_json(),
                    "p99_milliseconds": p99_of(runs).as_json(),
                    "highest_milliseconds": Spread.of(run.highest_milliseconds for run in runs).as_json(),
                    "send_lag_p99_milliseconds": Spread.of(run.send_lag_p99_milliseconds for run in runs).as_json(),
                    "percentiles_milliseconds": percentiles_of(runs),
                }
                for rate, runs in by_rate.items()
            }
            for name, by_rate in (("mesh", self.mesh), ("echo", self.echo))
        }


def p50_of(runs: Sequence[Distribution]) -> Spread:
    """The medians."""
    return Spread.of(run.p50 for run in runs)


def p99_of(runs: Sequence[Distribution]) -> Spread:
    """The 99th percentiles."""
    return Spread.of(run.p99 for run in runs)


def percentiles_of(runs: Sequence[Distribution]) -> list[float]:
    """The first to the 99th percentile; of each, the median of all runs."""
    return [statistics.median(run.percentiles_milliseconds[number] for run in runs) for number in range(_HUNDREDTHS - 1)]


def steps_of(sizes: Sizes) -> int:
    """How many steps it takes."""
    return sizes.rounds * len(sizes.latency_rates_per_second) * 2


async def measure_latency(ground: Ground, sizes: Sizes, steps: Steps) -> Latency:
    """Measure mesh and echo in turn, at each rate, round by round."""
    latency = Latency()
    for number in range(sizes.rounds):
        label = f"round {number + 1} of {sizes.rounds}"
        for rate in sizes.latency_rates_per_second:
            with steps.step(f"latency, {label}: mesh at {rate:,}/s"):
                of_mesh, value_bytes, headers_bytes = await measure_mesh(ground, sizes, rate, sizes.latency_seconds)
            with steps.step(f"latency, {label}: echo at {rate:,}/s"):
                of_echo = await measure_echo(
                    ground, sizes, rate, sizes.latency_seconds, value_bytes=value_bytes, headers_bytes=headers_bytes
                )
            latency.mesh[rate].append(of_mesh)
            latency.echo[rate].append(of_echo)
            steps.say(
                f"{rate:,}/s: mesh p50 {of_mesh.p50:.1f} ms, p99 {of_mesh.p99:.1f} ms; echo p50 {of_echo.p50:.1f} ms, p99 {of_echo.p99:.1f} ms"
            )
    return latency


async def measure_mesh(ground: Ground, sizes: Sizes, rate: int, seconds: float) -> tuple[Distribution, int, int]:
    """The latencies at a rate that is held for so long, and how large the outcomes are."""
    async with (
        ground.stage("latency of the mesh") as stage,
        Crew(stage.folder) as crew,
        Reader(stage.settings, stage.events_topic) as events,
    ):
        start_workers(crew, stage, 1)
        await wait_ready(crew, stage, groups={stage.consumer_group: 1})
        await warm_up(crew, stage, events)
        result = await _run_client(crew, stage, sizes, rate, seconds)
        booked = next(outcome for outcome in await events.outcomes() if outcome.reason is None)
    if result["refused"] != result["expected_refused"]:
        message = (
            f"{result['refused']} commands were refused at {rate}/s, and {result['expected_refused']} must be. The measurement is void."
        )
        raise VoidError(message)
    return Distribution.of(result), booked.value_bytes, booked.headers_bytes


async def measure_echo(ground: Ground, sizes: Sizes, rate: int, seconds: float, *, value_bytes: int, headers_bytes: int) -> Distribution:
    """The latencies of a bare echo of messages of that size."""
    async with ground.stage("latency of the echo") as stage, Crew(stage.folder) as crew:
        configuration = {
            "bootstrap_servers": stage.settings.kafka_bootstrap_servers,
            "from_topic": stage.commands_topic,
            "to_topic": stage.events_topic,
            "partitions": stage.settings.topic_partitions,
            "value_bytes": value_bytes,
            "headers_bytes": headers_bytes,
        }
        crew.start_module("echo", "bench.echo", configuration, {})
        await stage.settle()
        return Distribution.of(await _run_client(crew, stage, sizes, rate, seconds))


async def _run_client(crew: Crew, stage: Stage, sizes: Sizes, rate: int, seconds: float) -> dict[str, Any]:
    configuration = {
        "bootstrap_servers": stage.settings.kafka_bootstrap_servers,
        "commands_topic": stage.commands_topic,
        "outcomes_topic": stage.events_topic,
        "partitions": stage.settings.topic_partitions,
        "rate_per_second": rate,
        "seconds": seconds,
        "warm_up_seconds": sizes.latency_warm_up_seconds,
        "doctors": sizes.doctors,
        "patients": sizes.patients,
    }
    client = crew.start_module("client", "bench.latency_client", configuration, {})
    result = await client.result(seconds + 120)
    if result["lost"]:
        message = f"{result['lost']} outcomes at {rate}/s never came. The measurement is void."
        raise VoidError(message)
    return result
