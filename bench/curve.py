"""Latency against the offered rate: how the mesh bends, beside a bare Kafka echo."""

from dataclasses import dataclass, field
from typing import Any

from bench.ground import Ground
from bench.latency import Distribution, measure_echo, measure_mesh
from bench.progress import Steps
from bench.results import Table, Target
from bench.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Curve:
    """What was measured, by rate; once each."""

    mesh: dict[int, Distribution] = field(default_factory=dict)
    echo: dict[int, Distribution] = field(default_factory=dict)

    def targets(self) -> list[Target]:
        """None: it is there to be looked at."""
        return []

    def table(self) -> Table:
        """Every figure."""
        rows = [
            (f"{rate:,}", *(f"{figure:.1f}" for run in (self.mesh[rate], self.echo[rate]) for figure in (run.p50, run.p99)))
            for rate in self.mesh
        ]
        header = ("commands/s offered", "mesh p50", "mesh p99", "echo p50", "echo p99")
        return Table("From command to outcome against the offered rate, milliseconds", header, rows)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            name: {str(rate): {"p50_milliseconds": run.p50, "p99_milliseconds": run.p99} for rate, run in runs.items()}
            for name, runs in (("mesh", self.mesh), ("echo", self.echo))
        }


def steps_of(sizes: Sizes) -> int:
    """How many steps it takes."""
    return 2 * len(sizes.curve_rates_per_second)


async def measure_curve(ground: Ground, sizes: Sizes, steps: Steps) -> Curve:
    """Measure mesh and echo at each rate."""
    curve = Curve()
    for rate in sizes.curve_rates_per_second:
        with steps.step(f"curve: mesh at {rate:,}/s"):
            curve.mesh[rate], value_bytes, headers_bytes = await measure_mesh(ground, sizes, rate, sizes.curve_seconds)
        with steps.step(f"curve: echo at {rate:,}/s"):
            curve.echo[rate] = await measure_echo(
                ground, sizes, rate, sizes.curve_seconds, value_bytes=value_bytes, headers_bytes=headers_bytes
            )
        steps.say(f"{rate:,}/s: mesh p50 {curve.mesh[rate].p50:.1f} ms, echo p50 {curve.echo[rate].p50:.1f} ms")
    return curve
