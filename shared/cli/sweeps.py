"""``caremesh sweeps``: what falls due by itself, who looks after it, and one look by hand."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared import sweep_runs
from shared.cli.consoles import consoles
from shared.cli.exits import Exit
from shared.cli.reaching import database_settings, mesh_settings, named, reaching_database, reaching_kafka, told
from shared.cli.terminal import complain, line_console, print_json, table_console
from shared.cli.wording import ago, clock
from shared.database import create_engine
from shared.kafka_client import client_options
from shared.logging import configure_logging
from shared.path.publisher import Publisher
from shared.path.watchdog import Watchdog
from shared.settings import Settings
from shared.sweep_runs import SweepRun
from shared.sweeps import PAGE, Due, Sweep, Sweeper, SweepLedElsewhereError

#: Deadlines further away than the longest that can be set are nobody's.
_FAR_AHEAD: Final = timedelta(days=3_660)

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of sentences.")]

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _sweeps() -> None:
    """Sweeps look, once a second, for what falls due, and publish a command for it: time is a message like any other.

    One processor leads each sweep, the others stand by. `list` says who, when it last looked, and what is due; `run` looks once, by hand.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class DueNow:
    """What a sweep would find.

    Attributes:
        count: how many deadlines have passed without having been decided yet.
        at_least: there are more, which were not counted.
        oldest: the first of them.
        next: the next deadline that is still to come.
    """

    count: int
    at_least: bool
    oldest: datetime | None
    next: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepStatus:
    """One sweep, as its service's database has it.

    Attributes:
        leader: who runs it now; ``None``: nobody.
        last_run: the last that was noted; ``None``: it never ran.
    """

    name: str
    service: str
    leader: str | None
    last_run: SweepRun | None
    due: DueNow


@app.command("list")
def list_(*, as_json: _Json = False) -> None:
    """List every sweep: who leads it, when it last looked, what is due now, and when something falls due next.

    A leader looks every second and notes it every five: so long may its last run seem to lie back.

    Exit code 0, or 2 if the database is not to be reached.

    Examples:
        caremesh sweeps list
        caremesh sweeps list --json | jq '.sweeps[] | select(.leader == null)'
    """
    with told(as_json=as_json):
        settings = database_settings()
        with reaching_database(settings):
            found = asyncio.run(look(settings))
    if as_json:
        print_json({"sweeps": [asdict(sweep) for sweep in found]})
    else:
        _print(found)


@app.command("run")
def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The sweep, as `caremesh sweeps list` names it.", show_default=False)],
    *,
    wait_seconds: Annotated[
        float, typer.Option("--wait", min=0, max=3_600, metavar="SECONDS", help="How long to wait for the lead, if somebody has it.")
    ] = 3,
    beside: Annotated[bool, typer.Option("--beside", help="Run beside whoever leads: it does no harm, the copies collapse.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Say each command that is published, and log all that happens.")] = False,
    as_json: _Json = False,
) -> None:
    """Run one sweep once, by hand: publish a command for everything that is due now.

    It waits for the sweep's lead. While a processor runs, it has the lead and looks every second: then there is nothing to do by hand, and
    after --wait seconds the holder is named. The service decides what becomes of the commands; `caremesh tail` shows it.

    Exit code 0 when it ran, 1 if somebody else leads, 2 if there is no such sweep, or Kafka or the database is not to be reached.

    Examples:
        caremesh sweeps run appointments-expire
        caremesh sweeps run appointments-warn --beside --debug
    """
    with told(as_json=as_json):
        sweep = named("sweep", name, {sweep.name: sweep for sweep in _all(Settings())})
        settings = mesh_settings()
        configure_logging(settings.model_copy(update={"log_level": "debug" if debug else "error"}))
        published: list[dict[str, object]] = []

        def tell(due: Due, identifier: str) -> None:
            published.append({"entity_id": due.entity_id, "deadline": due.deadline, "command": due.command.type, "id": identifier})
            if debug and not as_json:
                late = ago(due.deadline, datetime.now(UTC))
                line_console().print(f"{due.command.type} {identifier}, due {clock(due.deadline)}, {late}", markup=False)

        try:
            with reaching_database(settings), reaching_kafka(settings):
                count, still = asyncio.run(_run_once(settings, sweep, tell, wait_seconds=wait_seconds, alone=not beside))
        except SweepLedElsewhereError as error:
            _led_elsewhere(name, error.holder, as_json=as_json)
            raise typer.Exit(Exit.NO) from None
    if as_json:
        print_json({"sweep": name, "published": count, "next": still.next, **({"commands": published} if debug else {})})
    else:
        things = "nothing was due" if count == 0 else f"{count} command{'' if count == 1 else 's'} published"
        after = f"; the next falls due {ago(still.next, datetime.now(UTC))}" if still.next is not None else ""
        line_console().print(f"{name}: {things}{after}.", style="green", markup=False)


def _led_elsewhere(name: str, holder: str, *, as_json: bool) -> None:
    sentence = (
        f"{name} is led by {holder}, which looks every second: nothing is left to do by hand. "
        "Stop that process first, or say --beside to run beside it."
    )
    if as_json:
        print_json({"sweep": name, "published": 0, "leader": holder, "problem": sentence})
    else:
        complain(sentence)


async def _run_once(
    settings: Settings, sweep: Sweep, tell: Callable[[Due, str], None], *, wait_seconds: float, alone: bool
) -> tuple[int, DueNow]:
    """How many commands were published, and what is due and to come after that."""
    engine = create_engine(settings, sweep.service, connections=1)
    watchdog = Watchdog(settings.handler_deadline_seconds)
    publisher = Publisher(client_options(settings), watchdog, service=sweep.service)
    try:
        await publisher.start()
        sweeper = Sweeper(sweep, engine=engine, publisher=publisher, topic_prefix=settings.topic_prefix, tell=tell)
        count = await sweeper.run_once(wait_seconds=wait_seconds, alone=alone)
        async with engine.connect() as connection:
            return count, await _due(connection, sweep)
    finally:
        await publisher.stop()
        await engine.dispose()
        watchdog.stop()


async def look(settings: Settings) -> list[SweepStatus]:
    """Ask each service's database about its sweeps.

    Raises:
        SQLAlchemyError, asyncpg.PostgresError, OSError: it does not answer.
    """
    found: list[SweepStatus] = []
    for console in consoles():
        sweeps = console.sweeps(settings)
        if not sweeps:
            continue
        engine = create_engine(settings, console.service, connections=1)
        try:
            async with engine.connect() as connection:
                runs = await sweep_runs.last_runs(connection)
                found += [
                    SweepStatus(
                        name=sweep.name,
                        service=sweep.service,
                        leader=await sweep_runs.leader(connection, sweep.service, sweep.name),
                        last_run=runs.get(sweep.name),
                        due=await _due(connection, sweep),
                    )
                    for sweep in sweeps
                ]
        finally:
            await engine.dispose()
    return found


async def _due(connection: AsyncConnection, sweep: Sweep) -> DueNow:
    now = datetime.now(UTC)
    page = await sweep.find(connection, now + _FAR_AHEAD, None)
    deadlines = [due.deadline for due in page]
    passed = [deadline for deadline in deadlines if deadline < now]
    to_come = deadlines[len(passed) :]
    return DueNow(
        count=len(passed),
        at_least=len(passed) == PAGE,
        oldest=passed[0] if passed else None,
        next=to_come[0] if to_come else None,
    )


def _all(settings: Settings) -> list[Sweep]:
    return [sweep for console in consoles() for sweep in console.sweeps(settings)]


def _print(sweeps: Sequence[SweepStatus]) -> None:
    now = datetime.now(UTC)
    table = Table()
    table.add_column("sweep", no_wrap=True)
    for column in ("service", "led by", "last run", "last found something", "due now", "next"):
        table.add_column(column)
    for sweep in sweeps:
        run = sweep.last_run
        found = f"{run.published}, {ago(run.published_at, now)}" if run is not None and run.published_at is not None else "never"
        table.add_row(
            sweep.name,
            sweep.service,
            Text(sweep.leader) if sweep.leader is not None else "[red]nobody",
            ago(run.ran_at, now) if run is not None else "[red]never",
            found,
            f"{sweep.due.count:,}{' or more' if sweep.due.at_least else ''}",
            ago(sweep.due.next, now) if sweep.due.next is not None else "-",
        )
    table_console().print(table)
