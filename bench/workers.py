"""The mesh's own worker processes, as ``caremesh`` starts them."""

import asyncio
import re
import time
from pathlib import Path
from typing import Final

from bench.ground import Stage
from bench.processes import Crew, ProcessFailedError, Running
from shared.embedded.readiness import ReadinessProbe

_READY_SECONDS: Final = 60
_PROBE_SECONDS: Final = 0.1


def start_workers(crew: Crew, stage: Stage, count: int) -> list[Running]:
    """Start booking's consumers."""
    return [crew.start(f"worker-{number}", ["-m", "services.booking", "consumer"], stage.environment()) for number in range(count)]


async def wait_ready(crew: Crew, stage: Stage, *, groups: dict[str, int]) -> None:
    """Return once groups have so many members, and these all partitions between them.

    Raises:
        ProcessFailedError: they do not come to it.
    """
    deadline = time.monotonic() + _READY_SECONDS
    async with ReadinessProbe(stage.settings) as probe:
        while True:
            crew.check()
            statuses = await probe.groups(list(groups))
            if all(status.ready and len(status.members) == groups[status.group] for status in statuses):
                return
            if time.monotonic() > deadline:
                message = f"Not ready within {_READY_SECONDS} seconds: {statuses}."
                raise ProcessFailedError(message)
            await asyncio.sleep(_PROBE_SECONDS)


def peak_memory_bytes(pid: int) -> int:
    """The most memory that a process has held so far.

    Raises:
        OSError: the system does not say.
    """
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None:
        message = f"The system does not say what process {pid} has held at the most."
        raise OSError(message)
    return int(found[1]) * 1024
