"""A real Apache Kafka on this machine: one KRaft node, on a Java runtime that comes as a wheel."""

import asyncio
import base64
import signal
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from shared.embedded import ports
from shared.embedded.errors import EmbeddedError
from shared.embedded.jars import ensure_jars
from shared.embedded.java import java_command
from shared.embedded.kafka_config import log4j_configuration, server_properties
from shared.embedded.logfile import open_log, tail
from shared.embedded.options import EmbeddedOptions
from shared.embedded.process import Child, write_atomically

_FORMAT_TIMEOUT_SECONDS = 60
_STOP_GRACE_SECONDS = 20
_PROBE_SECONDS = 0.1


class KafkaServer:
    """One Kafka in one home.

    Data lies in ``<home>/kafka``, the log in ``<home>/logs/kafka.log``; port and data stay the same across restarts. It listens on
    127.0.0.1 only and never creates a topic on its own.
    """

    name = "kafka"

    def __init__(
        self,
        home: Path,
        port: int | None = None,
        *,
        options: EmbeddedOptions | None = None,
        console: Console | None = None,
        writes_class_cache: Path | None = None,
    ) -> None:
        """Describe the server; nothing is touched before ``start``.

        Args:
            home: the folder for data, configuration and logs.
            port: the port to listen on; None: a free one, remembered in the home.
            options: where Java and the downloads are; None: from the environment.
            console: where the first download shows its progress; None: standard error.
            writes_class_cache: the file for the cache of its classes, which it writes when it ends; that takes some ten seconds.
        """
        self._home = home.absolute()
        self._wanted_port = port
        self._options = options or EmbeddedOptions()
        self._console = console
        self._writes_class_cache = writes_class_cache
        self._port: int | None = None
        self._folder = self._home / "kafka"
        self.log_path = self._home / "logs" / "kafka.log"
        self._console_log_path = self._home / "logs" / "kafka-console.log"
        self._child: Child | None = None

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` for clients; known once ``start`` has returned."""
        if self._port is None:
            message = "Kafka was not started: await start() first."
            raise RuntimeError(message)
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """The id of the running process, or None."""
        return self._child.pid if self._child is not None else None

    @property
    def exit_code(self) -> int | None:
        """How the process ended, or None while it runs."""
        return self._child.exit_code if self._child is not None else None

    async def start(self) -> None:
        """Start the process, the first time after downloading the jars and formatting the storage; ``wait_ready`` waits for the rest.

        Raises:
            EmbeddedError: the jars or Java cannot be had, the port is taken, or the storage cannot be formatted.
        """
        if self.pid is not None:
            message = f"This Kafka already runs, as process {self.pid}."
            raise EmbeddedError(message)
        jars = await asyncio.to_thread(ensure_jars, self._options, self._console)
        self._prepare_folders()
        self._choose_ports()
        await asyncio.to_thread(self._format, jars)
        java = self._java(jars, writes_class_cache=self._writes_class_cache)
        self._child = Child(command=[*java, "kafka.Kafka", str(self._properties)], record=self._home / "run" / "kafka.pid")
        with open_log(self._console_log_path) as output:
            self._child.start(output=output, folder=self._folder)

    async def wait_ready(self, timeout_seconds: float = 60) -> None:
        """Return once the broker answers requests.

        Raises:
            EmbeddedError: it ended, or does not answer in time; the message shows the end of its log.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while not await self._answers():
                    if self.pid is None:
                        raise EmbeddedError(self._epitaph(f"Kafka ended with exit code {self.exit_code} before it was ready."))
                    await asyncio.sleep(_PROBE_SECONDS)
        except TimeoutError:
            raise EmbeddedError(self._epitaph(f"Kafka did not answer within {timeout_seconds:g} seconds.")) from None

    async def wait_ended(self) -> int:
        """Return the exit code once the process has ended."""
        if self._child is None:
            message = "Kafka was not started."
            raise RuntimeError(message)
        return await self._child.wait()

    async def stop(self, *, grace_seconds: float = _STOP_GRACE_SECONDS) -> None:
        """End it in order (SIGTERM), or by force if it still runs after the grace; it may be started again."""
        if self._child is not None:
            await self._child.stop(grace_seconds=grace_seconds)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would; it may be started again."""
        if self._child is not None:
            self._child.send(signal.SIGKILL)

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    def _prepare_folders(self) -> None:
        try:
            for folder in (self._folder, self._home / "logs", self._home / "run"):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"The home {self._home} cannot be used ({error.strerror}): name another folder with CAREMESH_HOME."
            raise EmbeddedError(message) from error

    def _choose_ports(self) -> None:
        port = ports.choose(self._home / "run" / "kafka.port", wanted=self._wanted_port or self._port)
        controller = ports.choose(self._home / "run" / "kafka-controller.port", avoid=frozenset({port}))
        self._port = port
        write_atomically(self._properties, server_properties(port=port, controller_port=controller, data=self._folder / "data"))
        write_atomically(self._folder / "log4j2.xml", log4j_configuration(self.log_path))

    def _java(self, jars: Sequence[Path], *, writes_class_cache: Path | None = None) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.xml'}"
        return [*java_command(self._options, jars, writes_class_cache=writes_class_cache), log4j]

    def _format(self, jars: Sequence[Path]) -> None:
        """Give the storage its cluster id, once."""
        if (self._folder / "data" / "meta.properties").exists():
            return
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # A leading dash would be taken for an option.
        cluster_id = cluster_id.replace("-", "A", 1) if cluster_id.startswith("-") else cluster_id
        command = [*self._java(jars), "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self._properties)]
        done = subprocess.run(  # noqa: S603  our own Java
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_FORMAT_TIMEOUT_SECONDS
        )
        if done.returncode != 0:
            message = f"Kafka's storage in {self._folder} could not be formatted: {done.stdout.strip()} {done.stderr.strip()}"
            raise EmbeddedError(message)

    async def _answers(self) -> bool:
        from aiokafka import AIOKafkaClient
        from aiokafka.errors import KafkaError

        if self.pid is None or self._port is None or not ports.is_listening(self._port):
            return False
        client = AIOKafkaClient(bootstrap_servers=self.bootstrap_servers, request_timeout_ms=2_000)
        try:
            await client.bootstrap()
        except (KafkaError, OSError):
            return False
        else:
            return bool(client.cluster.brokers())
        finally:
            await client.close()

    def _epitaph(self, sentence: str) -> str:
        return f"{sentence} Its log is {self.log_path}. It ends with:\n{tail(self.log_path)}\n{tail(self._console_log_path)}".rstrip()
