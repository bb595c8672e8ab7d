"""``caremesh mail``: the e-mails that an embedded mesh has caught."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from shared.cli.exits import Exit
from shared.cli.terminal import complain, hint, line_console, print_json, table_console
from shared.cli.wording import printable, shown
from shared.embedded.mail import CaughtMail, caught_mails
from shared.settings import Settings

_SHOWN = 50


def mail(
    number: Annotated[
        int | None, typer.Argument(metavar="NUMBER", min=1, help="Show this one whole, by its number in the list.", show_default=False)
    ] = None,
    *,
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="Only e-mails to this address.", show_default=False)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array, the bodies included.")] = False,
) -> None:
    """List the e-mails that the mesh in CAREMESH_HOME has caught, the newest last, or show one of them.

    An embedded mesh sends its e-mails by real SMTP to a server of its own, which delivers them to nobody and keeps each as a file in the
    folder `mail`. With CAREMESH_NOTIFY_EMAIL_URL they go to that server instead.

    Exit code 0, or 1 if there is no e-mail of that number.

    Examples:
        caremesh mail
        caremesh mail 3
        caremesh mail --to amina@example.org --json | jq '.[].subject'
    """
    caught = [(place, one) for place, one in enumerate(caught_mails(Settings().home), start=1) if to in {"", one.to}]
    if number is not None:
        caught = [(place, one) for place, one in caught if place == number]
    if as_json:
        print_json([{"number": place} | asdict(one) for place, one in caught])
    elif number is None:
        _print_list(caught)
    else:
        for _, one in caught:
            _print_whole(one)
    if number is not None and not caught:
        complain(f"There is no e-mail number {number}: `caremesh mail` lists what was caught.")
        raise typer.Exit(Exit.NO)


def _print_list(caught: list[tuple[int, CaughtMail]]) -> None:
    table = Table()
    table.add_column("number", justify="right")
    for column in ("sent", "to", "subject"):
        table.add_column(column, overflow="fold")
    for place, one in caught[-_SHOWN:]:
        table.add_row(str(place), shown(one.sent_at), Text(printable(one.to)), Text(printable(one.subject)))
    table_console().print(table)
    if len(caught) > _SHOWN:
        hint(f"Only the last {_SHOWN} of {len(caught)} are listed; --json has them all.")


def _print_whole(one: CaughtMail) -> None:
    output = line_console()
    for name, value in (("To", one.to), ("Subject", one.subject), ("Date", shown(one.sent_at)), ("Message-ID", one.message_id)):
        output.print(f"{name}: {printable(value)}", markup=False)
    output.print(f"\n{one.body}", markup=False)
