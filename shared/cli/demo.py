"""``caremesh demo``: live traffic, and the mission's tests as a table, on a mesh that runs or one that it starts."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from shared.cli.exits import Exit
from shared.cli.status import look
from shared.cli.terminal import complain, table_console
from shared.demo.findings import CannotPlayError, any_failed
from shared.demo.lines import kcat_lines, our_lines
from shared.demo.performance import go_on_quietly, perform, rows_to_play
from shared.demo.stage import Stage
from shared.demo.view import LineView, LiveView, View, receipts_table, table
from shared.embedded.endpoints import resolve
from shared.embedded.errors import EmbeddedError
from shared.embedded.kafka_setup import prepare_kafka
from shared.embedded.state import MeshState
from shared.embedded.supervisor import Supervisor
from shared.settings import Settings

_READY_TIMEOUT_SECONDS: Final = 60
_READY_PROBE_SECONDS: Final = 0.5

#: The limits of a mesh that the demonstration starts itself, unless the environment sets others: nobody wants to watch for 24 hours.
SHORT_LIMITS: Final[Mapping[str, str]] = {
    "CAREMESH_PENDING_EXPIRY_SECONDS": "6",
    "CAREMESH_EXPIRY_WARNING_SECONDS": "3",
    "CAREMESH_CALL_CONNECT_TIMEOUT_SECONDS": "5",
    "CAREMESH_BILLING_PERIOD_SECONDS": "2",
}


def demo(
    *,
    leave: Annotated[bool, typer.Option("--exit", help="End after the table; the exit code tells.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Also play on a Kafka or a database that is not an embedded one.")] = False,
) -> None:
    """Watch the mesh at work, and see its promises tried.

    Invented patients book, and invented doctors answer, on real topics. Beside this traffic the mission's tests run against the real clock;
    a table says what was seen. Then come lines to copy, for kcat and for this command line.

    If a mesh runs in CAREMESH_HOME, it is used, with the limits that it has. Otherwise one is started, with short limits, and stays up
    until Ctrl-C (or ends after the table, with --exit).

    Exit code 0 if every promise was kept, 1 if not, 2 if there is no mesh to play on.

    Examples:
        caremesh demo
        caremesh demo --exit
    """
    console = table_console()
    try:
        raise typer.Exit(_play(console, leave=leave, yes=yes))
    except (CannotPlayError, EmbeddedError) as error:
        complain(str(error))
    except (KafkaError, OSError) as error:
        complain(f"Kafka is not to be reached ({type(error).__name__}: {error}). `caremesh status` says more.")
    raise typer.Exit(Exit.CANNOT)


def _play(console: Console, *, leave: bool, yes: bool) -> int:
    settings = Settings()
    if not yes and not (settings.embedded_kafka and settings.embedded_database):
        message = (
            "CAREMESH_KAFKA_BOOTSTRAP_SERVERS or CAREMESH_DATABASE_URL is set: the demo would publish invented appointments there, on "
            f"{settings.topic_prefix}.*. Say --yes if that is what you want, or unset both for a mesh of its own."
        )
        raise CannotPlayError(message)
    if MeshState.read(settings.home.absolute()) is not None or asyncio.run(_runs_elsewhere(settings)):
        return asyncio.run(_Performance(console, leave=leave).on_running_mesh(settings))
    for name, value in SHORT_LIMITS.items():
        os.environ.setdefault(name, value)
    settings = Settings()
    if settings.embedded_kafka:
        # Here and not inside the event loop, so that Ctrl-C ends a long first download at once.
        prepare_kafka(Console(stderr=True, soft_wrap=True, highlight=False))
    return asyncio.run(_Performance(console, leave=leave).on_own_mesh(settings))


async def _runs_elsewhere(settings: Settings) -> bool:
    """Whether the mesh on the clusters that the settings name is ready: then its services run somewhere."""
    return not settings.embedded_kafka and not settings.embedded_database and (await look(settings)).ready


class _Performance:
    """One play, from the first signal handler to the last process ended."""

    def __init__(self, console: Console, *, leave: bool) -> None:
        self._console = console
        self._leave = leave
        self._interrupted = asyncio.Event()
        self._rows = rows_to_play()
        self._table_shown = False

    async def on_running_mesh(self, settings: Settings) -> int:
        """Play on a mesh that is not ours, and leave it as it runs.

        Raises:
            CannotPlayError: it does not get ready.
        """
        self._on_signals(self._interrupted.set)
        await self._until_interrupted(self._play_when_ready(settings))
        return self._exit_code()

    async def on_own_mesh(self, settings: Settings) -> int:
        """Start a mesh, play, stay up until Ctrl-C unless told to leave, and end what was started.

        Raises:
            EmbeddedError: something of the mesh does not come up.
        """
        supervisor = Supervisor(
            settings, say=lambda sentence: self._console.print(sentence, style="yellow", markup=False), show=lambda _line: None
        )
        ready: asyncio.Future[Settings] = asyncio.get_running_loop().create_future()

        def interrupt() -> None:
            # A second time, it ends its processes by force.
            self._interrupted.set()
            supervisor.request_stop()

        self._on_signals(interrupt)
        mesh = asyncio.create_task(supervisor.run(ready.set_result), name="mesh")
        try:
            await self._until_interrupted(self._play_on(ready), mesh)
        finally:
            if not self._interrupted.is_set():
                supervisor.request_stop()
            if not mesh.done():
                self._console.print("Ending the mesh …", style="dim")
            await mesh
        return self._exit_code()

    def _on_signals(self, handle: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, handle)

    async def _until_interrupted(self, play: Awaitable[None], *others: "asyncio.Task[None]") -> None:
        playing = asyncio.ensure_future(play)
        interrupted = asyncio.create_task(self._interrupted.wait())
        try:
            await asyncio.wait({playing, interrupted, *others}, return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                playing.result()
        finally:
            for task in (playing, interrupted):
                task.cancel()
            await asyncio.gather(playing, interrupted, return_exceptions=True)

    async def _play_when_ready(self, settings: Settings) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_SECONDS
        status = await look(settings)
        with self._console.status("Waiting for the mesh that runs here …"):
            while not status.ready and time.monotonic() < deadline:
                await asyncio.sleep(_READY_PROBE_SECONDS)
                status = await look(settings)
        if not status.ready:
            message = f"The mesh that runs here is not ready. {status.problem}"
            raise CannotPlayError(message)
        await self._on_stage(resolve(settings))

    async def _play_on(self, ready: "asyncio.Future[Settings]") -> None:
        with self._console.status("Starting Kafka, PostgreSQL and the services …"):
            settings = await ready
        await self._on_stage(settings, started_here=True)

    async def _on_stage(self, settings: Settings, *, started_here: bool = False) -> None:
        where = f"Kafka at {settings.kafka_bootstrap_servers}"
        self._console.print(f"{'The mesh is ready' if started_here else 'A mesh runs here already'}: {where}.", markup=False)
        async with Stage(settings) as stage:
            with self._view(f"caremesh · {where}") as view:
                await perform(stage, self._rows, view)
            self._console.print(table(self._rows))
            self._table_shown = True
            if stage.receipts:
                self._console.print(receipts_table(stage.receipts))
            if started_here and self._leave:
                return
            self._print_lines(settings, stage.run_id)
            if not started_here:
                return
            self._console.print("\nThe mesh stays up, with a patient now and then. Ctrl-C ends it.", style="bold")
            await go_on_quietly(stage)

    def _view(self, title: str) -> View:
        return LiveView(self._console, self._rows, title) if self._console.is_terminal else LineView(self._console)

    def _print_lines(self, settings: Settings, run_id: str) -> None:
        # What stays up is worth looking at with other tools.
        state = MeshState.read(settings.home.absolute())
        # A mesh that runs in a home says itself what it decides by.
        limits = SHORT_LIMITS if state is None else ()
        environment = {name: os.environ[name] for name in ("CAREMESH_HOME", *limits) if name in os.environ}
        logs = str(_short(settings.home / "logs")) if state is not None else ""
        lines = [*kcat_lines(settings, run_id), *our_lines(_program(), environment, logs)]
        self._console.print("\nTo copy, into another terminal:", style="bold")
        for line in lines:
            self._console.print(f"# {line.says}", style="dim", markup=False, soft_wrap=True)
            self._console.print(line.command, markup=False, soft_wrap=True)

    def _exit_code(self) -> int:
        if not self._table_shown:
            return Exit.INTERRUPTED
        return Exit.NO if any_failed(self._rows) else Exit.OK


def _program() -> str:
    """How this command line was called."""
    return str(_short(Path(sys.argv[0]))) if Path(sys.argv[0]).name == "caremesh" else "caremesh"


def _short(path: Path) -> Path:
    """The path as somebody in the current folder would type it."""
    with suppress(ValueError):
        return path.absolute().relative_to(Path.cwd())
    return path
