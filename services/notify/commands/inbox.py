"""``caremesh inbox``: what a recipient sees in the application."""

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from services.notify.commands.asking import OPERATOR, ask, in_notify
from services.notify.store import recipients as store
from services.notify.store.recipients import Entry
from services.notify.wording import Reader, word
from shared.cli.exits import Exit
from shared.cli.reaching import database_settings, mesh_settings, reaching_database, reaching_kafka, told
from shared.cli.terminal import complain, hint, print_json, table_console
from shared.cli.wording import printable
from shared.cli.wording import shown as worded
from shared.messages.notify import MarkRead
from shared.settings import Settings

app = typer.Typer(add_completion=False)


@app.command()
def inbox(
    recipient_id: Annotated[str, typer.Argument(metavar="RECIPIENT", help="The id of a patient or a doctor.", show_default=False)],
    *,
    unread_only: Annotated[bool, typer.Option("--unread", help="Only what is not read.")] = False,
    read: Annotated[
        list[str] | None,
        typer.Option("--read", metavar="ID", help="Mark this notification as read; may be given again.", show_default=False),
    ] = None,
    read_all: Annotated[bool, typer.Option("--read-all", help="Mark everything shown as read.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Show a recipient's inbox, the newest first, in the recipient's language; or mark what is in it as read.

    Exit code 0, 1 if notify refuses to mark something, 2 if the database or (to mark) Kafka is not to be reached.

    Examples:
        caremesh inbox patient-7 --unread
        caremesh inbox patient-7 --read-all
        caremesh inbox patient-7 --json | jq .unread
    """
    refused: list[str] = []
    with told(as_json=as_json):
        settings = database_settings()
        with reaching_database(settings):
            found = asyncio.run(_look(settings, recipient_id, unread_only=unread_only))
        marked = [*(read or []), *(entry["notification_id"] for entry in found["entries"] if read_all and entry["read_at"] is None)]
        if marked:
            settings = mesh_settings()
            with reaching_kafka(settings):
                refused = asyncio.run(_mark(settings, recipient_id, marked))
            with reaching_database(settings):
                found = asyncio.run(_look(settings, recipient_id, unread_only=unread_only))
    for refusal in refused:
        complain(refusal)
    if as_json:
        print_json(found)
    else:
        _print(found)
    raise typer.Exit(Exit.NO if refused else Exit.OK)


async def _look(settings: Settings, recipient_id: str, *, unread_only: bool) -> dict[str, Any]:
    async with in_notify(settings) as connection:
        known = await store.addresses(connection, recipient_id)
        unread = await store.unread(connection, recipient_id)
        entries = await store.inbox(connection, recipient_id, unread_only=unread_only)
    reader = Reader(recipient_id, known.get("language"), known.get("timezone"))
    return {"recipient_id": recipient_id, "unread": unread, "entries": [_entry(entry, reader) for entry in entries]}


def _entry(entry: Entry, reader: Reader) -> dict[str, Any]:
    words = word(entry.template, entry.params, reader)
    return {
        "notification_id": entry.notification_id,
        "template": entry.template,
        "priority": entry.priority,
        "title": words.title,
        "body": words.body,
        "about": {"entity": entry.about.entity, "entity_id": entry.about.entity_id},
        "inbox_at": entry.inbox_at,
        "read_at": entry.read_at,
    }


async def _mark(settings: Settings, recipient_id: str, notification_ids: list[str]) -> list[str]:
    commands = (MarkRead(notification_id=identifier, recipient_id=recipient_id, actor=OPERATOR) for identifier in notification_ids)
    return await ask(settings, commands)


def _print(found: dict[str, Any]) -> None:
    output = table_console()
    table = Table(title=f"{found['recipient_id']}: {found['unread']} unread", title_justify="left")
    for column in ("", "since", "title", "notification_id"):
        table.add_column(column, no_wrap=column in {"", "since"}, overflow="fold")
    for entry in found["entries"]:
        mark = "•" if entry["read_at"] is None else ""
        style = "bold" if entry["read_at"] is None else ""
        table.add_row(mark, worded(entry["inbox_at"]), Text(printable(entry["title"])), entry["notification_id"], style=style)
    output.print(table)
    if len(found["entries"]) == store.SHOWN:
        hint(f"Only the latest {store.SHOWN} are shown.")
