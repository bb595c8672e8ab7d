"""The most memory that one worker holds while it drains a full topic."""

from dataclasses import dataclass
from typing import Any, Final

from bench.ground import Ground
from bench.load import make_load
from bench.processes import Crew
from bench.progress import Steps
from bench.results import Spread, Table, Target
from bench.sizes import Sizes
from bench.traffic import Reader, load_commands, verify
from bench.workers import peak_memory_bytes, start_workers

_MEGABYTE: Final = 1_000_000
_STALL_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Memory:
    """What was measured."""

    commands: int
    peak_bytes: int

    def targets(self) -> list[Target]:
        """The peak."""
        return [
            Target(
                what=f"peak memory of a worker that drains {self.commands:,} commands",
                measured=Spread.of([self.peak_bytes / _MEGABYTE]),
                limit=200,
                form=".0f",
                unit=" MB",
            )
        ]

    def table(self) -> Table:
        """The figure."""
        return Table("Memory", ("what", "peak, MB"), [(f"a worker that drains {self.commands:,}", f"{self.peak_bytes / _MEGABYTE:.0f}")])

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {"commands": self.commands, "peak_bytes": self.peak_bytes}


def steps_of(_sizes: Sizes) -> int:
    """How many steps it takes."""
    return 1


async def measure_memory(ground: Ground, sizes: Sizes, steps: Steps) -> Memory:
    """Let one worker start before a topic that holds all commands already."""
    load = make_load(sizes.memory_commands, doctors=sizes.doctors, patients=sizes.patients)
    with steps.step(f"memory: draining {sizes.memory_commands:,} commands"):
        async with ground.stage("memory") as stage:
            await load_commands(stage, load.messages)
            async with Crew(stage.folder) as crew, Reader(stage.settings, stage.events_topic) as events:
                (worker,) = start_workers(crew, stage, 1)
                await events.wait_for(len(load.messages), timeout_seconds=_STALL_SECONDS, check=crew.check)
                peak_bytes = peak_memory_bytes(worker.pid)
                outcomes = await events.outcomes()
    verify(outcomes, booked=load.booked, refused=load.refused, what="The mesh that was watched for its memory")
    memory = Memory(len(load.messages), peak_bytes)
    steps.say(f"memory: {peak_bytes / _MEGABYTE:.0f} MB at the most")
    return memory
