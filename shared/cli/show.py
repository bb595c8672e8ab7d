"""``caremesh show``: one thing as its services have it in their databases."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from shared.cli.consoles import consoles
from shared.cli.inputs import identifier_argument
from shared.cli.reaching import NotFoundError, database_settings, named, reaching_database, told
from shared.cli.terminal import hint, print_json, table_console
from shared.cli.wording import ago
from shared.cli.wording import shown as worded
from shared.console import Shown
from shared.database import create_engine, transaction
from shared.settings import Settings


def show(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="appointment, call, session, subscription, doctor, patient, notification", show_default=False),
    ],
    identifier: Annotated[str, typer.Argument(metavar="ID", parser=identifier_argument, help="Its id.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: the kind → its fields.")] = False,
) -> None:
    """Show one thing as it stands in the databases of the services: an appointment, a call, a text session, a subscription, a notification.

    Of a doctor it is what holds their time from now on, what goes on with them at this moment, and what they have earned; of a patient it is
    what they have left. An appointment, a session or a doctor is known to several services: each tells what it knows.

    What happened to it, and when, is what `caremesh trace ID` tells.

    Exit code 0 when it exists, 1 if not, 2 if the database is not to be reached.

    Examples:
        caremesh show appointment apt_7271b9fe-e6c9-5e0d-a3b6-a23cb86dceee
        caremesh show doctor doctor-7
        caremesh show session tss_1 --json | jq .session.status
    """
    with told(as_json=as_json):
        found = _found(kind, identifier)
    if as_json:
        print_json({kind: {**found.fields, **found.lists}})
    else:
        print_shown(found)


def _found(kind: str, identifier: str) -> Shown:
    named("kind", kind, {name: name for console in consoles() for name in console.shows})
    settings = database_settings()
    with reaching_database(settings):
        found = asyncio.run(_ask(settings, kind, identifier))
    if found is None:
        message = (
            f"Nothing is known of {kind} {identifier} now. `caremesh trace {identifier}` shows what was asked for and what became of it."
        )
        raise NotFoundError(message)
    return found


async def _ask(settings: Settings, kind: str, identifier: str) -> Shown | None:
    """What the services know of it, put together."""
    known: list[Shown] = []
    for console in consoles():
        if kind not in console.shows:
            continue
        engine = create_engine(settings, console.service, connections=1)
        try:
            async with transaction(engine) as connection:
                found = await console.shows[kind](connection, identifier)
        finally:
            await engine.dispose()
        if found is not None:
            known.append(found)
    if not known:
        return None
    return Shown(
        fields={name: value for found in known for name, value in found.fields.items()},
        lists={name: rows for found in known for name, rows in found.lists.items()},
        note=" ".join(found.note for found in known if found.note),
    )


def print_shown(found: Shown) -> None:
    """Print what services know of a thing, for people."""
    output = table_console()
    now = datetime.now(UTC)
    fields = Table(box=None, show_header=False, pad_edge=False)
    fields.add_column(style="bold", no_wrap=True)
    fields.add_column(overflow="fold")
    for name, value in found.fields.items():
        moment = f"  ({ago(value, now)})" if isinstance(value, datetime) else ""
        fields.add_row(name, Text(f"{worded(value)}{moment}"))
    output.print(fields)
    for name, rows in found.lists.items():
        output.print(_rows(name, rows))
    if found.note:
        hint(found.note)


def _rows(name: str, rows: Sequence[Mapping[str, object]]) -> Table:
    table = Table(title=f"{name.replace('_', ' ')} ({len(rows)})", title_justify="left", title_style="bold")
    for number, column in enumerate(rows[0] if rows else ()):
        table.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(worded(value)) for value in row.values()))
    return table
