"""Python processes that begin with everything imported: forked from one that has, they run what ``python -m`` would run.

A mesh starts hundreds of processes in these tests, and most of the processor time of a short life is its imports.
"""

import asyncio
import gc
import json
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

from shared.embedded import launch

_IMPORTED = [
    "services.billing.processor",
    "services.booking.processor",
    "services.calls.processor",
    "services.notify.__main__",
    "shared.cli.main",
    "shared.console",
    "tests.system.worker",
]


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    return context


_CONTEXT = _context()


def _run(module: str, arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path) -> None:
    """What happens in the process itself."""
    launch.die_with_parent(signal.SIGKILL)
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    for path, descriptor in ((output, 1), (errors, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = [module, *arguments]
    # It may have been imported, and with it what puts off the search for cycles; it is to begin as if it had not.
    sys.modules.pop(module, None)
    gc.enable()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


class WarmChild:
    """One such process; it ends with the tests."""

    def __init__(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path) -> None:
        """Start it.

        Args:
            module: to run, as after ``python -m``.
            arguments: of the module.
            environment: the whole of it.
            output: the file to which it writes what it says.
            errors: the file to which it writes its complaints; it may be the same.
        """
        for path in (output, errors):
            # Whoever reads it may be faster than the process.
            path.touch()
        self._process: ForkServerProcess = _CONTEXT.Process(
            target=_run, args=(module, list(arguments), dict(environment), output, errors), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int | None:
        """The id of the running process, or None."""
        return self._process.pid if self._process.exitcode is None else None

    @property
    def exit_code(self) -> int | None:
        """How the process ended (negative: by that signal), or None while it runs."""
        return self._process.exitcode

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process still runs."""
        if self.pid is not None:
            os.kill(self.pid, number)

    async def wait(self) -> int:
        """Return the exit code once the process has ended."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    async def stop(self, *, grace_seconds: float) -> int:
        """End the process: SIGTERM, and SIGKILL if it still runs after the grace."""
        self.send(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.wait(), grace_seconds)
        except TimeoutError:
            self.send(signal.SIGKILL)
            return await self.wait()


class Answer(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def answer(module: str, *arguments: str, environment: Mapping[str, str], seconds: float = 120) -> Answer:
    """Run a command to its end."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        child = WarmChild(module, arguments, environment, out, err)
        try:
            async with asyncio.timeout(seconds):
                code = await child.wait()
        finally:
            child.send(signal.SIGKILL)
        return Answer(code, out.read_text(), err.read_text())
