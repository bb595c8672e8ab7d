"""One child process: started so that it cannot outlive us, recorded so that the next start finds it, awaited without polling."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from shared.embedded import launch

_POLL_SECONDS = 0.05
_HAS_PROC = Path("/proc/self/stat").exists()


@dataclass(frozen=True, kw_only=True)
class RunAs:
    """An unprivileged user for a child, and the capabilities that it keeps."""

    user_id: int
    group_id: int
    capabilities: tuple[int, ...] = ()


@dataclass(frozen=True)
class Identity:
    """A process for sure: its id, and when it started, since ids are used again."""

    pid: int
    started: str

    @staticmethod
    def of(pid: int) -> "Identity | None":
        """Return the identity of the process that has this id now, or None if there is none (a zombie counts as none)."""
        started = _started_on_linux(pid) if _HAS_PROC else _started_elsewhere(pid)
        return Identity(pid, started) if started else None

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid) == self


def _started_on_linux(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    # The name, in parentheses, may hold anything; what follows it is state (field 3) … start time in ticks since boot (22).
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return ""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{fields[19]}"


def _started_elsewhere(pid: int) -> str:
    listing = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603  fixed
    return listing.stdout.strip()


class Child:
    """A program that runs as our child.

    It gets a session of its own, so that Ctrl-C in the terminal reaches us alone and we end things in order. On Linux the system sends it
    ``death_signal`` when the thread that started it ends, so start children from the main thread. A record in ``record`` tells the
    next start what to clean up where that does not exist or did not work.
    """

    def __init__(self, *, command: Sequence[str], record: Path, death_signal: signal.Signals = signal.SIGKILL) -> None:
        """Describe the child; ``start`` starts it. The folder of ``record`` exists by then."""
        self._command = [*command]
        self._record = record
        self._death_signal = death_signal
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self,
        *,
        output: int | IO[bytes],
        environment: Mapping[str, str] | None = None,
        run_as: RunAs | None = None,
        folder: Path | None = None,
        umask: int | None = None,
    ) -> None:
        """Start the program with its output and errors going to ``output``, and nothing to read.

        Raises:
            OSError: the system cannot start another process.
        """
        options: dict[str, object] = {"parent": os.getpid(), "death_signal": int(self._death_signal)}
        if run_as is not None:
            options |= {"user_id": run_as.user_id, "group_id": run_as.group_id, "capabilities": run_as.capabilities}
        if umask is not None:
            options["umask"] = umask
        self._process = subprocess.Popen(  # noqa: S603  our own programs, no shell
            [sys.executable, "-I", "-S", launch.__file__, json.dumps(options), *self._command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=folder,
            start_new_session=True,
        )
        identity = Identity.of(self._process.pid)
        if identity is not None:
            write_atomically(
                self._record, json.dumps({"pid": identity.pid, "started": identity.started, "signal": int(self._death_signal)})
            )

    @property
    def pid(self) -> int | None:
        """The id of the running process, or None."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def output(self) -> IO[bytes] | None:
        """The pipe that the program writes to, if it was started with ``subprocess.PIPE``."""
        return self._process.stdout if self._process is not None else None

    @property
    def exit_code(self) -> int | None:
        """How the process ended (negative: by that signal), or None while it runs or before it was started."""
        return self._process.poll() if self._process is not None else None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process still runs."""
        if self._process is not None:
            self._process.send_signal(number)

    async def wait(self) -> int:
        """Return the exit code once the process has ended; costs nothing meanwhile, and may be cancelled."""
        process = self._process
        if process is None:
            message = "The process was never started."
            raise RuntimeError(message)
        await _ended(process)
        # The program may have left children of its own in its session.
        _signal_group(process.pid, signal.SIGKILL)
        self._record.unlink(missing_ok=True)
        return process.wait()

    async def stop(self, *, first: signal.Signals = signal.SIGTERM, grace_seconds: float) -> int | None:
        """End the process: ``first``, and SIGKILL if it still runs after ``grace_seconds``. Return its exit code, None if never started."""
        if self._process is None:
            return None
        self.send(first)
        try:
            return await asyncio.wait_for(self.wait(), grace_seconds)
        except TimeoutError:
            self.send(signal.SIGKILL)
            return await self.wait()


async def _ended(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    if not hasattr(os, "pidfd_open"):
        while process.poll() is None:
            await asyncio.sleep(_POLL_SECONDS)
        return
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, _settle, ended)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def write_atomically(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace a file's content, so that a reader sees the old text or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def end_leftovers(run_folder: Path, *, grace_seconds: float = 10) -> list[str]:
    """End the processes that a former mesh recorded in this folder and that still run; return their names.

    Each gets the signal of its record first, SIGKILL after ``grace_seconds``. A process that merely has the same id is left alone.
    """
    leftovers: dict[str, tuple[Identity, signal.Signals]] = {}
    for record in sorted(run_folder.glob("*.pid")):
        try:
            fields = json.loads(record.read_text())
            identity = Identity(int(fields["pid"]), str(fields["started"]))
            number = signal.Signals(int(fields["signal"]))
        except (ValueError, KeyError, TypeError):
            record.unlink(missing_ok=True)
            continue
        if identity.alive():
            leftovers[record.stem] = (identity, number)
        else:
            record.unlink(missing_ok=True)
    for identity, number in leftovers.values():
        _signal_if_alive(identity, number)
    deadline = time.monotonic() + grace_seconds
    for name, (identity, _) in leftovers.items():
        while identity.alive():
            if time.monotonic() > deadline:
                _signal_if_alive(identity, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
        (run_folder / f"{name}.pid").unlink(missing_ok=True)
    return [*leftovers]


def _signal_if_alive(identity: Identity, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if identity.alive():
            os.kill(identity.pid, number)
