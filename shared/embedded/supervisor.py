"""Runs a mesh: starts its processes in order, starts again what dies, ends all of it in order, and leaves nothing behind."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from aiokafka.errors import KafkaError

from shared.embedded.endpoints import as_environment, common, with_endpoints
from shared.embedded.errors import EmbeddedError
from shared.embedded.kafka import KafkaServer
from shared.embedded.locking import HomeLock
from shared.embedded.logfile import open_log, tail
from shared.embedded.mail import MailCatcher
from shared.embedded.postgres import PostgresServer
from shared.embedded.process import Child, Identity, end_leftovers
from shared.embedded.readiness import GroupStatus, ReadinessProbe
from shared.embedded.service import ServiceUnit
from shared.embedded.state import MeshState
from shared.mesh import MESH, MeshProcess, modules
from shared.schema_versions import are_up_to_date
from shared.settings import Settings
from shared.topics import create_topics

_FIRST_DELAY_SECONDS = 0.25
_LAST_DELAY_SECONDS = 30.0
#: Who ran for this long before it died starts again without the delays of its earlier deaths.
_STEADY_SECONDS = 60.0
_READY_TIMEOUT_SECONDS = 120.0
_READY_PROBE_SECONDS = 0.1
_DEATHS_BEFORE_READY = 4
_MIGRATION_TIMEOUT_SECONDS = 120.0
_NEEDED_FREE_BYTES = 500_000_000


class Unit(Protocol):
    """What the supervisor supervises: Kafka, PostgreSQL, the mail catcher, or one of the mesh's own processes."""

    name: str
    log_path: Path

    @property
    def pid(self) -> int | None:
        """The id of the running process, or None."""

    async def start(self) -> None:
        """Start the process."""

    async def wait_ended(self) -> int:
        """Return the exit code once the process has ended."""

    async def stop(self) -> None:
        """End the process in order, by force where need be."""


class Supervisor:
    """One mesh in one home. Use it once, from the main thread: children die with the thread that started them."""

    def __init__(
        self,
        settings: Settings,
        *,
        say: Callable[[str], None],
        show: Callable[[str], None],
        processes: tuple[MeshProcess, ...] = MESH,
    ) -> None:
        """Describe the mesh; ``run`` runs it.

        Args:
            settings: where the home is, and which Kafka and database to use; those not set are embedded.
            say: takes the supervisor's own sentences.
            show: takes each line that a process of the mesh writes.
            processes: the mesh's own processes.
        """
        self._settings = settings
        self._home = settings.home.absolute()
        self._say = say
        self._show = show
        self._processes = processes
        self._kafka = KafkaServer(self._home) if settings.embedded_kafka else None
        self._postgres = PostgresServer(self._home) if settings.embedded_database else None
        self._mail = MailCatcher(self._home) if settings.catches_mail else None
        self._services: list[ServiceUnit] = []
        self._restarts: Counter[str] = Counter()
        self._keepers: list[asyncio.Task[None]] = []
        self._former_members: set[str] = set()
        self._stop_wanted = asyncio.Event()
        self._stops_asked = 0

    def request_stop(self) -> None:
        """Ask ``run`` to end everything in order and return; asked a second time, by force."""
        self._stops_asked += 1
        self._stop_wanted.set()
        if self._stops_asked > 1:
            for unit in self._units():
                if unit.pid is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(unit.pid, signal.SIGQUIT if unit is self._postgres else signal.SIGKILL)

    async def run(self, on_ready: Callable[[Settings], None]) -> None:
        """Run the mesh until ``request_stop``; call ``on_ready`` with the filled-in settings once every group has its partitions.

        Raises:
            EmbeddedError: the home is in use or unusable, or something does not come up; the message says what to do.
        """
        self._prepare_home()
        lock = HomeLock(self._home)
        lock.acquire()
        try:
            await self._clean_up_leftovers()
            await self._until_stop(self._start_and_watch(on_ready))
        finally:
            await self._end_all()
            MeshState.remove(self._home)
            lock.release()

    # Coming up

    def _prepare_home(self) -> None:
        try:
            for name in ("run", "logs"):
                (self._home / name).mkdir(parents=True, exist_ok=True)
            free_bytes = shutil.disk_usage(self._home).free
        except OSError as error:
            message = f"The home {self._home} cannot be used ({error.strerror}): name another folder with CAREMESH_HOME."
            raise EmbeddedError(message) from error
        if (self._kafka or self._postgres) and free_bytes < _NEEDED_FREE_BYTES:
            message = (
                f"The disk of {self._home} has {free_bytes / 1e6:.0f} MB left, and the embedded mesh needs {_NEEDED_FREE_BYTES / 1e6:.0f}: "
                "make room, or name another folder with CAREMESH_HOME."
            )
            raise EmbeddedError(message)

    async def _clean_up_leftovers(self) -> None:
        ended = await asyncio.to_thread(end_leftovers, self._home / "run")
        if ended:
            self._say(f"Ended what an earlier mesh had left behind: {', '.join(ended)}.")

    async def _until_stop(self, work: Awaitable[None]) -> None:
        """Await the work, but no longer than until a stop is asked for."""
        task = asyncio.ensure_future(work)
        stop = asyncio.create_task(self._stop_wanted.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            await _cancel(task, stop)

    async def _start_and_watch(self, on_ready: Callable[[Settings], None]) -> None:
        settings = await self._start_stores()
        self._services = [
            ServiceUnit(process, self._home, environment=_environment(settings), show=self._show) for process in self._processes
        ]
        for unit in self._services:
            await unit.start()
            self._watch(unit, settings)
        self._publish_state(settings)
        await self._wait_ready(settings)
        on_ready(settings)
        await asyncio.gather(*self._keepers)

    async def _start_stores(self) -> Settings:
        """Start the servers side by side, and prepare topics and schemas as soon as theirs is there."""
        servers: list[Awaitable[None]] = [server.start() for server in (self._kafka, self._postgres, self._mail) if server is not None]
        await asyncio.gather(*servers)
        settings = with_endpoints(
            self._settings,
            kafka=self._kafka.bootstrap_servers if self._kafka else "",
            database=self._postgres.database_url if self._postgres else "",
            mail=self._mail.url if self._mail else "",
        )
        await asyncio.gather(self._prepare_kafka(settings), self._prepare_database(settings), self._prepare_mail(settings))
        return settings

    async def _prepare_kafka(self, settings: Settings) -> None:
        if self._kafka is not None:
            await self._kafka.wait_ready()
            self._watch(self._kafka, settings)
        try:
            await create_topics(settings)
            async with asyncio.timeout(_READY_TIMEOUT_SECONDS), ReadinessProbe(settings) as probe:
                await probe.wait_coordinators(self._groups(settings))
                if self._kafka is not None:
                    await probe.dismiss_members(self._groups(settings))
                self._former_members = {member for status in await probe.groups(self._groups(settings)) for member in status.members}
        except (KafkaError, OSError) as error:  # a time-out is an OSError
            message = f"The topics could not be created on {settings.kafka_bootstrap_servers} ({type(error).__name__}: {error})."
            raise EmbeddedError(message) from error

    async def _prepare_database(self, settings: Settings) -> None:
        if self._postgres is not None:
            await self._postgres.wait_ready()
            self._watch(self._postgres, settings)
            # In a database of ours alone nobody has changed what a former migration made.
            if await are_up_to_date(self._postgres.database_url, modules(self._processes)):
                return
        await self._migrate(settings)

    async def _prepare_mail(self, settings: Settings) -> None:
        if self._mail is not None:
            await self._mail.wait_ready()
            self._watch(self._mail, settings)

    async def _migrate(self, settings: Settings) -> None:
        log_path = self._home / "logs" / "migrate.log"
        command = [sys.executable, "-m", "shared.migrations", *modules(self._processes)]
        child = Child(command=command, record=self._home / "run" / "migrate.pid")
        with open_log(log_path) as output:
            child.start(output=output, environment=_environment(settings))
        try:
            code = await asyncio.wait_for(child.wait(), _MIGRATION_TIMEOUT_SECONDS)
        except TimeoutError:
            message = f"The migrations did not end within {_MIGRATION_TIMEOUT_SECONDS:g} seconds. Its log is {log_path}."
            raise EmbeddedError(message) from None
        finally:
            child.send(signal.SIGKILL)
        if code != 0:
            message = f"The process of the migrations {_how_it_ended(code)}. Its log, {log_path}, ends with:\n{tail(log_path)}"
            raise EmbeddedError(message)

    async def _wait_ready(self, settings: Settings) -> None:
        waiting = {unit.name: "it is starting" for unit in self._services}
        try:
            async with asyncio.timeout(_READY_TIMEOUT_SECONDS):
                await asyncio.gather(*(self._wait_until_fine(unit, waiting) for unit in self._services))
                # Kafka has the last word, and is asked when it has no more to do: asking on and on would slow down whoever starts.
                async with ReadinessProbe(settings) as probe:
                    while unready := [status for status in await probe.groups(self._groups(settings)) if not self._has_come_up(status)]:
                        waiting = {status.group: status.state for status in unready}
                        self._give_up_on_the_dying()
                        await asyncio.sleep(_READY_PROBE_SECONDS)
        except TimeoutError:
            message = (
                f"The mesh is not ready after {_READY_TIMEOUT_SECONDS:g} seconds. It waits for "
                f"{', '.join(f'{name} ({reason})' for name, reason in waiting.items())}. The logs are in {self._home / 'logs'}."
            )
            raise EmbeddedError(message) from None
        except (KafkaError, OSError) as error:
            message = f"Kafka at {settings.kafka_bootstrap_servers} is not to be reached ({type(error).__name__}: {error})."
            raise EmbeddedError(message) from error

    async def _wait_until_fine(self, unit: ServiceUnit, waiting: dict[str, str]) -> None:
        """Return once the process says that it is ready; until then ``waiting`` has its reason why it is not."""
        while problems := await unit.problems():
            waiting[unit.name] = problems
            self._give_up_on_the_dying()
            await asyncio.sleep(_READY_PROBE_SECONDS)
        del waiting[unit.name]

    def _has_come_up(self, status: GroupStatus) -> bool:
        """Whether the group is ready, and not by members from before our time: those of a mesh that was killed may look alive for a while."""
        return status.ready and not status.members <= self._former_members

    def _groups(self, settings: Settings) -> list[str]:
        return [process.group(settings.topic_prefix) for process in self._processes]

    def _give_up_on_the_dying(self) -> None:
        for unit in self._services:
            if self._restarts[unit.name] >= _DEATHS_BEFORE_READY:
                message = (
                    f"{unit.name} died {self._restarts[unit.name]} times before it was ready. Its log, {unit.log_path}, ends with:\n"
                    f"{tail(unit.log_path)}"
                )
                raise EmbeddedError(message)

    # Running

    def _watch(self, unit: Unit, settings: Settings) -> None:
        self._keepers.append(asyncio.create_task(self._keep(unit, settings), name=f"keeper of {unit.name}"))

    async def _keep(self, unit: Unit, settings: Settings) -> None:
        """Start the unit again whenever it ends, later each time it ends soon."""
        deaths = 0
        while True:
            began = time.monotonic()
            code = await unit.wait_ended()
            ran_seconds = time.monotonic() - began
            deaths = 1 if ran_seconds >= _STEADY_SECONDS else deaths + 1
            self._restarts[unit.name] += 1
            delay_seconds = min(_FIRST_DELAY_SECONDS * 2 ** (deaths - 1), _LAST_DELAY_SECONDS)
            self._say(
                f"{unit.name} {_how_it_ended(code)} after {ran_seconds:.1f} s, for the {_ordinal(self._restarts[unit.name])} time; "
                f"it starts again in {delay_seconds:g} s. Its log: {unit.log_path}"
            )
            self._publish_state(settings)
            while not await self._start_again(unit, delay_seconds):
                delay_seconds = min(delay_seconds * 2, _LAST_DELAY_SECONDS)
            self._publish_state(settings)

    async def _start_again(self, unit: Unit, delay_seconds: float) -> bool:
        await asyncio.sleep(delay_seconds)
        try:
            await unit.start()
        except (EmbeddedError, OSError) as error:
            self._say(f"{unit.name} cannot be started: {error} Trying again.")
            return False
        return True

    def _publish_state(self, settings: Settings) -> None:
        supervisor = Identity.of(os.getpid())
        assert supervisor is not None
        MeshState(
            supervisor=supervisor,
            kafka=settings.kafka_bootstrap_servers,
            database=settings.database_url.get_secret_value(),
            mail=self._mail.url if self._mail is not None else "",
            processes={unit.name: unit.pid for unit in self._units() if unit.pid is not None},
            restarts=dict(self._restarts),
            health_ports={unit.name: unit.health_port for unit in self._services if unit.health_port is not None},
            settings=common(settings),
        ).write(self._home)

    def _units(self) -> list[Unit]:
        servers: list[Unit] = [server for server in (self._kafka, self._postgres, self._mail) if server is not None]
        return [*servers, *self._services]

    # Going down

    async def _end_all(self) -> None:
        """End services, then Kafka and the mail catcher, then PostgreSQL: nobody loses what it still needs."""
        await _cancel(*self._keepers)
        await _stop_together(self._services)
        await _stop_together([server for server in (self._kafka, self._mail) if server is not None])
        await _stop_together([store for store in (self._postgres,) if store is not None])


async def _stop_together(units: Sequence[Unit]) -> None:
    await asyncio.gather(*(unit.stop() for unit in units))


async def _cancel(*tasks: "asyncio.Future[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _environment(settings: Settings) -> dict[str, str]:
    return os.environ | as_environment(settings) | {"PYTHONUNBUFFERED": "1"}


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
