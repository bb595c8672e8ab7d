"""The processes of a measurement: each ends with it, by its id, whatever happens."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from shared.embedded.logfile import tail
from shared.embedded.process import Child

#: The folder that holds the packages ``bench`` and ``services``.
ROOT: Final = Path(__file__).resolve().parents[1]
_GRACE_SECONDS: Final = 15


class ProcessFailedError(Exception):
    """A process of the benchmark ended when it should not; the message shows the end of its output."""


@dataclass(frozen=True, slots=True)
class Running:
    """A process that was started, and where its output goes."""

    name: str
    child: Child
    output: Path

    @property
    def pid(self) -> int:
        """Its id.

        Raises:
            ProcessFailedError: it has ended.
        """
        self.check()
        pid = self.child.pid
        assert pid is not None
        return pid

    def check(self) -> None:
        """See that it still runs.

        Raises:
            ProcessFailedError: it has ended.
        """
        if self.child.pid is None:
            raise self.failed()

    def failed(self) -> ProcessFailedError:
        """What to raise when it has failed."""
        return ProcessFailedError(f"{self.name} ended with exit code {self.child.exit_code}. Its output ends with:\n{tail(self.output)}")

    async def result(self, timeout_seconds: float) -> dict[str, Any]:
        """Wait for its end, and return the JSON object that is the last line of its output.

        Raises:
            ProcessFailedError: it failed.
            TimeoutError: it takes too long.
        """
        code = await asyncio.wait_for(self.child.wait(), timeout_seconds)
        lines = self.output.read_text().splitlines()
        if code != 0 or not lines:
            raise self.failed()
        result: dict[str, Any] = json.loads(lines[-1])
        return result


class Crew:
    """Starts processes, and ends them all at the end of the ``async with`` block."""

    def __init__(self, folder: Path) -> None:
        """Make it.

        Args:
            folder: for records and output.
        """
        self._folder = folder
        self._running: list[Running] = []

    async def __aenter__(self) -> Self:
        """Begin with nobody."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End all, at the same time; by force those who do not end in time."""
        await asyncio.gather(*(running.child.stop(grace_seconds=_GRACE_SECONDS) for running in self._running))

    def start(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], *, death_signal: signal.Signals = signal.SIGKILL
    ) -> Running:
        """Start ``python <arguments>``.

        Args:
            name: unique among the crew.
            arguments: for Python.
            environment: in addition to our own.
            death_signal: what the system sends it when we vanish.
        """
        output = self._folder / f"{name}.log"
        child = Child(command=[sys.executable, *arguments], record=self._folder / f"{name}.pid", death_signal=death_signal)
        with output.open("wb") as file:
            child.start(output=file, environment={**os.environ, "PYTHONUNBUFFERED": "1", **environment}, folder=ROOT)
        running = Running(name, child, output)
        self._running.append(running)
        return running

    def start_module(self, name: str, module: str, configuration: Mapping[str, object], environment: Mapping[str, str]) -> Running:
        """Start a module of the benchmark that takes its configuration as one JSON argument."""
        return self.start(name, ["-m", module, json.dumps(configuration)], environment)

    def check(self) -> None:
        """See that all still run.

        Raises:
            ProcessFailedError: one has ended.
        """
        for running in self._running:
            running.check()
