"""Processes of the mesh: started, killed, stopped and continued by their id, and ended whatever happens to the test."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from shared.embedded.process import Child
from tests.system.harness.waiting import until
from tests.system.harness.warm import WarmChild

_GRACE_SECONDS = 15


class Process:
    """One process; its output goes to a file of its own."""

    def __init__(self, name: str, arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        self._child = self._start(arguments, environment, folder / f"{name}.pid")

    def _start(self, arguments: list[str], environment: Mapping[str, str], record: Path) -> Child | WarmChild:
        match arguments:
            case ["-m", module, *more]:
                return WarmChild(module, more, environment, self.log_path, self.log_path)
            case _:
                child = Child(command=[sys.executable, *arguments], record=record)
                with self.log_path.open("ab") as output:
                    child.start(output=output, environment=environment)
                return child

    @property
    def pid(self) -> int:
        assert self._child.pid is not None, f"{self.name} does not run any more: {self.log()[-2000:]}"
        return self._child.pid

    @property
    def runs(self) -> bool:
        return self._child.pid is not None

    @property
    def exit_code(self) -> int | None:
        return self._child.exit_code

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def stop(self) -> None:
        """SIGSTOP: it holds what it holds, and does nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def is_stopped(self) -> bool:
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    async def kill(self) -> None:
        """SIGKILL."""
        self._child.send(signal.SIGKILL)
        await self._child.wait()

    async def terminate(self, grace_seconds: float = _GRACE_SECONDS) -> int | None:
        """SIGTERM, and SIGKILL after the grace, as supervisors do."""
        return await self._child.stop(grace_seconds=grace_seconds)

    async def ended(self, seconds: float = 30) -> int:
        """Its exit code, once it has ended by itself."""
        await until(lambda: not self.runs, f"{self.name} ends", seconds=seconds)
        return await self._child.wait()


class Crew:
    """All processes of one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.all: list[Process] = []

    def start(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> Process:
        process = Process(f"{len(self.all)}-{name}", arguments, environment, self._folder)
        self.all.append(process)
        return process

    async def end(self) -> None:
        """End each one that still runs, by its id."""
        for process in self.all:
            if process.runs:
                await process.kill()

    def logs(self) -> str:
        return "\n".join(f"=== {process.name} (exit {process.exit_code})\n{process.log()[-3000:]}" for process in self.all)
