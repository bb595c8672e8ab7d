"""The mesh's own worker processes, as ``caremesh`` starts them."""

import asyncio
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.ground import Stage
from bench.load import make_load
from bench.processes import Crew, ProcessFailedError, Running
from bench.traffic import Reader, load_commands
from shared.embedded.readiness import ReadinessProbe

_READY_SECONDS: Final = 60
_PROBE_SECONDS: Final = 0.1
_STALL_SECONDS: Final = 60
#: The ids of commands that only warm the workers up begin with it.
WARM_UP: Final = "warm"
WARM_UP_COMMANDS: Final = 4_000


def start_workers(crew: Crew, stage: Stage, count: int, environment: Mapping[str, str] | None = None) -> list[Running]:
    """Start consumers of the stage's service, with these variables more."""
    module, environment = f"services.{stage.service}", {**stage.environment(), **(environment or {})}
    return [crew.start(f"worker-{number}", ["-m", module, "consumer"], environment) for number in range(count)]


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


async def wait_decided(crew: Crew, stage: Stage, records: int, *, timeout_seconds: float) -> None:
    """Return once the stage's service has decided so many records.

    Raises:
        ProcessFailedError: it does not come to it.
    """
    deadline = time.monotonic() + timeout_seconds
    while (decided := await stage.decided()) < records:
        crew.check()
        if time.monotonic() > deadline:
            message = f"{stage.service} decided {decided} of {records} records within {timeout_seconds:g} seconds."
            raise ProcessFailedError(message)
        await asyncio.sleep(_PROBE_SECONDS)


async def warm_up(crew: Crew, stage: Stage, events: Reader) -> None:
    """Let the workers decide some commands, so that their connections and statements are there; then let all come to rest."""
    load = make_load(WARM_UP_COMMANDS, doctors=400, patients=4_000, name=WARM_UP)
    await load_commands(stage, load.messages)
    await events.wait_for(WARM_UP_COMMANDS, timeout_seconds=_STALL_SECONDS, check=crew.check)
    # The last offsets are committed by then.
    await asyncio.sleep(1)
    await stage.settle()


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
