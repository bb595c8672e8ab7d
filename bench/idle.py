"""What a mesh costs while nothing happens: processor time of our own processes, and of Kafka and PostgreSQL beside them."""

import asyncio
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from bench.ground import Ground
from bench.processes import Crew, ProcessFailedError, Running
from bench.progress import Steps
from bench.results import Spread, Table, Target
from bench.sizes import Sizes
from shared.embedded.logfile import tail
from shared.embedded.state import MeshState

_READY_SECONDS: Final = 120
_UP: Final = "from shared.cli.main import main; main()"
_SERVERS: Final = ("kafka", "postgres")


@dataclass(frozen=True, slots=True)
class Idle:
    """What was measured: the share of one core in percent, by process."""

    seconds: float
    percent: dict[str, float]

    @property
    def ours(self) -> dict[str, float]:
        """Our own processes."""
        return {name: percent for name, percent in self.percent.items() if name not in _SERVERS}

    def targets(self) -> list[Target]:
        """All our own together."""
        return [
            Target(
                what="an idle mesh: our processes together, of one core",
                measured=Spread.of([sum(self.ours.values())]),
                limit=10,
                aim=5,
                form=".1f",
                unit=" %",
            )
        ]

    def table(self) -> Table:
        """Every figure."""
        rows = [(name, f"{percent:.1f}") for name, percent in self.percent.items()]
        return Table(f"An idle mesh over {self.seconds:g} s", ("process", "% of one core"), rows)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {"seconds": self.seconds, "percent_of_one_core": self.percent}


def steps_of(_sizes: Sizes) -> int:
    """How many steps it takes."""
    return 1


async def measure_idle(ground: Ground, sizes: Sizes, steps: Steps) -> Idle:
    """Run ``caremesh up`` as it is, with a Kafka and a PostgreSQL of its own, and leave it alone."""
    home = ground.home / "idle"
    with steps.step(f"idle: a mesh that does nothing for {sizes.idle_seconds:g} s"):
        async with Crew(ground.home / "stages" / "idle") as crew:
            mesh = crew.start("up", ["-c", _UP, "up"], _environment(home), death_signal=signal.SIGTERM)
            processes = await _wait_ready(mesh, home)
            await asyncio.sleep(sizes.idle_settle_seconds)
            idle = Idle(sizes.idle_seconds, await _watch(processes, sizes.idle_seconds))
    steps.say(f"idle: our processes take {sum(idle.ours.values()):.1f} % of a core")
    return idle


def _environment(home: Path) -> dict[str, str]:
    """Nothing but where the home is: empty settings mean the embedded servers, whatever we are run with."""
    return {"CAREMESH_HOME": str(home), "CAREMESH_KAFKA_BOOTSTRAP_SERVERS": "", "CAREMESH_DATABASE_URL": ""}


async def _wait_ready(mesh: Running, home: Path) -> dict[str, psutil.Process]:
    """The processes of the mesh by name, once it says that it is ready."""
    deadline = time.monotonic() + _READY_SECONDS
    while "ready" not in mesh.output.read_text().splitlines():
        mesh.check()
        if time.monotonic() > deadline:
            message = f"The mesh was not ready within {_READY_SECONDS} seconds:\n{tail(mesh.output)}"
            raise ProcessFailedError(message)
        await asyncio.sleep(0.2)
    state = await asyncio.to_thread(MeshState.read, home)
    if state is None:
        raise mesh.failed()
    return {"supervisor": psutil.Process(mesh.pid)} | {name: psutil.Process(pid) for name, pid in state.processes.items()}


async def _watch(processes: dict[str, psutil.Process], seconds: float) -> dict[str, float]:
    before = {name: _processor_seconds(process) for name, process in processes.items()}
    started_at = time.monotonic()
    await asyncio.sleep(seconds)
    passed = time.monotonic() - started_at
    return {name: 100 * (_processor_seconds(process) - before[name]) / passed for name, process in processes.items()}


def _processor_seconds(process: psutil.Process) -> float:
    """Of a process, and, for a server, of its children; the supervisor's children are counted by their own names."""
    family = [process]
    if process.name().startswith("postgres"):
        family += process.children(recursive=True)
    total = 0.0
    for member in family:
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
