"""``caremesh recipients``: where people are to be reached, and how they want to be told."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from services.notify.commands.asking import OPERATOR, ask, in_notify
from services.notify.domain.notification import Preferences
from services.notify.importing import BadLine, GoodLine, NotATableError, RecipientLine, parse, read_recipients
from services.notify.store import recipients as store
from shared.cli.exits import Exit
from shared.cli.reaching import CannotError, database_settings, mesh_settings, reaching_database, reaching_kafka, told
from shared.cli.terminal import complain, hint, line_console, print_json
from shared.codec.decode import describe_invalid
from shared.messages.notify import Channel, ChannelChoices, QuietHours, SetPreferences
from shared.settings import Settings

_CHUNK: Final = 1_000

_Recipient = Annotated[str, typer.Argument(metavar="RECIPIENT", help="The id of a patient or a doctor.", show_default=False)]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of sentences.")]

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _recipients() -> None:
    """Where people are to be reached, and how they want to be told.

    Addresses are personal: they lie in notify's own tables, and in no topic, event or log. Preferences are not, and go to notify as commands.
    """


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a line of names, or one JSON object a line.", show_default=False)],
    *,
    bad_file: Annotated[
        Path | None, typer.Option("--bad", metavar="FILE", help="Write the bad lines there, to be mended and imported.", show_default=False)
    ] = None,
    as_json: _Json = False,
) -> None:
    """Take in recipients from a file; what is wrong with a line is told by its number, and the others are taken in.

    The names are recipient_id, email, sms (a number such as +265991234567), push, chat, language (such as en or pt-MZ), timezone (such as
    Africa/Blantyre), unwanted (channels, with spaces between) and quiet_hours (such as 22:00-07:00 Africa/Blantyre). What the file does
    not name stays as it is; what a line leaves empty is erased. Of two lines about the same recipient the later one stands. Importing
    a file again changes nothing.

    Exit code 0, 1 if a line is bad, 2 if the file, the database or (for preferences) Kafka is not to be reached.

    Examples:
        caremesh recipients import patients.csv
        caremesh recipients import patients.jsonl --bad mend-me.jsonl
    """
    with told(as_json=as_json):
        settings = database_settings()
        with reaching_database(settings):
            report = asyncio.run(_import(settings, _lines(file)))
        if bad_file is not None:
            _write_bad_lines(file, bad_file, report.bad)
    if as_json:
        bad = [{"line": line.number, "problem": line.problem} for line in report.bad]
        print_json({"recipients": report.recipients, "bad_lines": bad, "refused": report.refused})
    else:
        for line in report.bad:
            complain(f"Line {line.number}: {line.problem}")
        for refusal in report.refused:
            complain(refusal)
        line_console().print(f"{report.recipients} recipients taken in, {len(report.bad)} bad lines.", markup=False)
    raise typer.Exit(Exit.NO if report.bad or report.refused else Exit.OK)


@app.command("set")
def set_(
    recipient_id: _Recipient,
    *,
    email: Annotated[str | None, typer.Option(help="An e-mail address.", show_default=False)] = None,
    sms: Annotated[str | None, typer.Option(help="A number, such as +265991234567.", show_default=False)] = None,
    push: Annotated[str | None, typer.Option(help="What the push provider knows the device by.", show_default=False)] = None,
    chat: Annotated[str | None, typer.Option(help="What the chat provider knows them by.", show_default=False)] = None,
    language: Annotated[str | None, typer.Option(help="Such as en or pt-MZ.", show_default=False)] = None,
    timezone: Annotated[str | None, typer.Option(help="Such as Africa/Blantyre.", show_default=False)] = None,
    unwanted: Annotated[
        str | None, typer.Option(help="The channels that they do not want, such as 'sms chat'.", show_default=False)
    ] = None,
    quiet_hours: Annotated[str | None, typer.Option(help="Such as '22:00-07:00 Africa/Blantyre'.", show_default=False)] = None,
    as_json: _Json = False,
) -> None:
    """Note addresses and preferences of one recipient. What is not named stays as it is; what is named as '' is erased.

    Exit code 0, 1 if notify refuses the preferences, 2 if a value is wrong, or the database or (for preferences) Kafka is not to be reached.

    Examples:
        caremesh recipients set patient-7 --email amina@example.org --timezone Africa/Blantyre
        caremesh recipients set patient-7 --unwanted 'sms chat' --quiet-hours '22:00-07:00 Africa/Blantyre'
        caremesh recipients set patient-7 --sms ''
    """
    named: dict[str, str | None] = {
        "email": email,
        "sms": sms,
        "push": push,
        "chat": chat,
        "language": language,
        "timezone": timezone,
        "unwanted": unwanted,
        "quiet_hours": quiet_hours,
    }
    with told(as_json=as_json):
        line = _checked({"recipient_id": recipient_id} | {name: value for name, value in named.items() if value is not None})
        settings = database_settings()
        with reaching_database(settings):
            report = asyncio.run(_import(settings, iter([GoodLine(1, line)])))
    if as_json:
        print_json({"recipient_id": recipient_id, "refused": report.refused})
    else:
        for refusal in report.refused:
            complain(refusal)
    raise typer.Exit(Exit.NO if report.refused else Exit.OK)


@app.command("show")
def show(recipient_id: _Recipient, *, as_json: _Json = False) -> None:
    """Show what is known of one recipient: addresses, language, time zone, preferences. It is personal: mind who looks over your shoulder.

    Exit code 0, 1 if nothing is known, 2 if the database is not to be reached.

    Examples:
        caremesh recipients show patient-7
    """
    with told(as_json=as_json):
        settings = database_settings()
        with reaching_database(settings):
            known = asyncio.run(_known(settings, recipient_id))
    if as_json:
        print_json(known)
    else:
        output = line_console()
        for name, value in known.items():
            output.print(f"{name:<13} {value if value not in (None, '') else '-'}", markup=False)
    raise typer.Exit(Exit.OK if len(known) > 1 else Exit.NO)


@app.command("forget")
def forget(recipient_id: _Recipient, *, as_json: _Json = False) -> None:
    """Erase all that is personal of one recipient: addresses, language, time zone. What waits to be sent to them will not be.

    Preferences and the inbox stay: they hold ids and times alone.

    Exit code 0, 1 if nothing was known, 2 if the database is not to be reached.

    Examples:
        caremesh recipients forget patient-7
    """
    with told(as_json=as_json):
        settings = database_settings()
        with reaching_database(settings):
            forgotten = asyncio.run(_forget(settings, recipient_id))
    if as_json:
        print_json({"recipient_id": recipient_id, "forgotten": forgotten})
    elif not forgotten:
        hint(f"No address of {recipient_id} is known.")
    raise typer.Exit(Exit.OK if forgotten else Exit.NO)


@dataclass(slots=True)
class _Report:
    """What came of an import."""

    recipients: int = 0
    bad: list[BadLine] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def _lines(file: Path) -> Iterator[GoodLine | BadLine]:
    try:
        yield from read_recipients(file)
    except NotATableError as error:
        message = f"{file}: {error}"
        raise CannotError(message) from error
    except OSError as error:
        message = f"{file} cannot be read ({error.strerror})."
        raise CannotError(message) from error


async def _import(settings: Settings, lines: Iterator[GoodLine | BadLine]) -> _Report:
    report = _Report()
    seen: set[str] = set()
    chunk: list[RecipientLine] = []
    for line in lines:
        if isinstance(line, BadLine):
            report.bad.append(line)
            continue
        seen.add(line.recipient.recipient_id)
        chunk.append(line.recipient)
        if len(chunk) == _CHUNK:
            report.refused += await _take_in(settings, chunk)
            chunk = []
    report.refused += await _take_in(settings, chunk)
    report.recipients = len(seen)
    return report


async def _take_in(settings: Settings, chunk: Sequence[RecipientLine]) -> list[str]:
    """Write addresses, and ask notify for the preferences; why it refused, where it did."""
    choosing = [line for line in chunk if line.says_preferences]
    async with in_notify(settings) as connection:
        await store.change(connection, store.merged((line.recipient_id, line.values) for line in chunk))
        before = await store.preferences(connection, {line.recipient_id for line in choosing}) if choosing else {}
    if not choosing:
        return []
    settings = mesh_settings()
    with reaching_kafka(settings):
        return await ask(settings, _preferences(choosing, before))


def _preferences(choosing: Sequence[RecipientLine], before: dict[str, Preferences]) -> Iterator[SetPreferences]:
    """Each recipient's preferences after these lines: a command says all of them."""
    after: dict[str, tuple[frozenset[Channel], QuietHours | None]] = {}
    for line in choosing:
        known = before.get(line.recipient_id, Preferences(recipient_id=line.recipient_id))
        unwanted, quiet_hours = after.get(line.recipient_id, (frozenset(known.unwanted), known.quiet_hours))
        if "unwanted" in line.model_fields_set:
            unwanted = frozenset(line.unwanted or ())
        if "quiet_hours" in line.model_fields_set:
            quiet_hours = line.quiet_hours
        after[line.recipient_id] = (unwanted, quiet_hours)
    for recipient_id, (unwanted, quiet_hours) in after.items():
        choices = ChannelChoices(**{str(channel): channel not in unwanted for channel in Channel})
        yield SetPreferences(recipient_id=recipient_id, channels=choices, quiet_hours=quiet_hours, actor=OPERATOR)


async def _known(settings: Settings, recipient_id: str) -> dict[str, Any]:
    async with in_notify(settings) as connection:
        addresses = await store.addresses(connection, recipient_id)
        preferences = (await store.preferences(connection, {recipient_id})).get(recipient_id)
    known: dict[str, Any] = {"recipient_id": recipient_id, **addresses}
    if preferences is not None:
        quiet = preferences.quiet_hours
        known["unwanted"] = " ".join(sorted(preferences.unwanted))
        known["quiet_hours"] = f"{quiet.start:%H:%M}-{quiet.end:%H:%M} {quiet.timezone}" if quiet is not None else None
    return known


async def _forget(settings: Settings, recipient_id: str) -> bool:
    async with in_notify(settings) as connection:
        return await store.forget(connection, recipient_id)


def _checked(named: dict[str, Any]) -> RecipientLine:
    try:
        return parse(named)
    except ValidationError as error:
        raise CannotError(describe_invalid(error)) from None


def _write_bad_lines(file: Path, bad_file: Path, bad: Sequence[BadLine]) -> None:
    """Write them as they are, below the names of their columns if they are CSV."""
    try:
        with file.open(encoding="utf-8-sig", errors="surrogateescape") as original:
            first = original.readline().rstrip("\r\n")
        names = [] if first.lstrip().startswith("{") else [first]
        text = "".join(f"{line}\n" for line in [*names, *(line.text for line in bad)])
        bad_file.write_text(text, encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        message = f"The bad lines cannot be written to {bad_file} ({error.strerror})."
        raise CannotError(message) from error
