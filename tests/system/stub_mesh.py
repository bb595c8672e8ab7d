"""Runs a supervisor over stub services, as ``caremesh up`` does over the real ones; the tests kill it."""

import asyncio
import signal
import sys

from shared.embedded.supervisor import Supervisor
from shared.mesh import MeshProcess
from shared.settings import Settings

PROCESSES = tuple(
    MeshProcess(
        name=f"stub-{argument}",
        module="tests.system.stub_service",
        argument=argument,
        group_suffix=f"stub-{argument}",
        serves_health=False,
    )
    for argument in ("consumer", "processor")
)


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _ready(_settings: Settings) -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


async def main() -> None:
    """Run the mesh until SIGTERM."""
    supervisor = Supervisor(Settings(), say=_write, show=_write, processes=PROCESSES)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, supervisor.request_stop)
    await supervisor.run(_ready)


if __name__ == "__main__":
    asyncio.run(main())
