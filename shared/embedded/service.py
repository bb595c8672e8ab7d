"""One of the mesh's own processes, under the supervisor: its output goes to the terminal and to its log."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from shared.embedded import ports
from shared.embedded.logfile import RotatingLog
from shared.embedded.process import Child
from shared.embedded.readiness import problems_of_process
from shared.mesh import MeshProcess

#: A processor whose last events were never acknowledged hangs in TERM; what it had not acknowledged comes again after the next start.
STOP_GRACE_SECONDS = 8
_CHUNK_BYTES = 65_536


class ServiceUnit:
    """Runs one entry of the list of processes."""

    def __init__(self, process: MeshProcess, home: Path, *, environment: Mapping[str, str], show: Callable[[str], None]) -> None:
        """Describe the process; ``start`` starts it.

        Args:
            process: what to run.
            home: an absolute path; its folders ``logs`` and ``run`` exist.
            environment: the whole environment of the process.
            show: takes each line of output, for the terminal.
        """
        self.name = process.name
        self.log_path = home / "logs" / f"{process.name}.log"
        self.health_port: int | None = None
        self._environment = environment
        self._port_memory = home / "run" / f"{process.name}.port"
        self._serves_health = process.serves_health
        self._show = show
        self._child = Child(command=[sys.executable, "-m", process.module, process.argument], record=home / "run" / f"{process.name}.pid")
        self._pump: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The id of the running process, or None."""
        return self._child.pid

    async def start(self) -> None:
        """Start the process.

        Raises:
            OSError: the system cannot start another process, or the log cannot be written.
            EmbeddedError: there is no free port for its health.
        """
        environment = {**self._environment}
        if self._serves_health:
            self.health_port = ports.choose(self._port_memory)
            environment["CAREMESH_HEALTH_PORT"] = str(self.health_port)
        log = RotatingLog(self.log_path)
        try:
            self._child.start(output=subprocess.PIPE, environment=environment)
        except BaseException:
            log.close()
            raise
        self._pump = asyncio.create_task(self._copy_output(log), name=f"output of {self.name}")

    async def problems(self) -> str:
        """Why it is not ready, in its own words; empty when it is, or when it does not say such things."""
        return "" if self.health_port is None else await problems_of_process(self.health_port)

    async def wait_ended(self) -> int:
        """Return the exit code once the process has ended and all its output is written."""
        code = await self._child.wait()
        if self._pump is not None:
            await self._pump
        return code

    async def stop(self) -> None:
        """End it in order (SIGTERM), or by force if it still runs after the grace."""
        await self._child.stop(grace_seconds=STOP_GRACE_SECONDS)
        if self._pump is not None:
            await self._pump

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._child.send(signal.SIGKILL)

    async def _copy_output(self, log: RotatingLog) -> None:
        pipe = self._child.output
        assert pipe is not None
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        rest = b""
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                lines, newline, rest = (rest + chunk).rpartition(b"\n")
                if newline or len(rest) > _CHUNK_BYTES:
                    self._emit(log, lines + newline if newline else rest + b"\n")
                    rest = rest if newline else b""
            if rest:
                self._emit(log, rest + b"\n")
        finally:
            transport.close()
            log.close()

    def _emit(self, log: RotatingLog, content: bytes) -> None:
        log.write(content)
        for line in content.decode(errors="replace").splitlines():
            self._show(f"{self.name} │ {line}")
