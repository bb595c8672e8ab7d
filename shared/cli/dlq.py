"""``caremesh dlq``: what could not be decided; look at it, and publish it again after a repair."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from shared.cli.dead_letters import Letter, Letters, find, read_letters
from shared.cli.exits import Exit
from shared.cli.inputs import length_option
from shared.cli.publishing import Place, RawPublisher
from shared.cli.reaching import CannotError, kafka_settings, reaching_kafka, told
from shared.cli.terminal import complain, hint, line_console, print_json, table_console
from shared.cli.topic_names import is_dead_letter_topic, short_name, topics_named
from shared.cli.wording import clock, printable
from shared.settings import Settings
from shared.topics import dead_letter_topic

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
_Topic = Annotated[
    str, typer.Option("--topic", metavar="TOPIC", help="Only those of this topic, such as booking.commands.", show_default=False)
]
_Reason = Annotated[str, typer.Option("--reason", metavar="REASON", help="Only those, such as handler_failed.", show_default=False)]
_Since = Annotated[
    timedelta | None,
    typer.Option("--since", parser=length_option, metavar="TIME", help="Only those set aside since: 15m, 2h, 7d.", show_default=False),
]
_MOST_ASKED_ABOUT: Final = 20

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _dlq() -> None:
    """Dead letters: records that could not be decided, kept whole, with the reason. Copies of one are shown as one."""


@app.command("list")
def list_(
    *,
    topic: _Topic = "",
    reason: _Reason = "",
    since: _Since = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, metavar="N", help="The last so many.")] = 100,
    as_json: _Json = False,
) -> None:
    """List dead letters: when each was set aside, where the record lay, its key, and why.

    Exit code 0, also when there are none; 2 if Kafka is not to be reached.

    Examples:
        caremesh dlq list
        caremesh dlq list --topic booking.commands --reason handler_failed --since 2h
    """
    with told(as_json=as_json):
        settings, found = _read(topic, reason, since)
    letters = found.letters[-limit:]
    if as_json:
        print_json({"dead_letters": [letter.as_json() for letter in letters], "total": len(found.letters), "foreign": found.foreign})
        return
    if not letters:
        line_console().print("There are no dead letters." if not (topic or reason or since) else "There are no such dead letters.")
    else:
        table_console().print(_table(letters, settings.topic_prefix))
        reasons = Counter(letter.content.reason for letter in found.letters)
        line_console().print(", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common()), markup=False)
    if len(letters) < len(found.letters):
        hint(f"These are the last {len(letters)} of {len(found.letters):,}: --limit shows more.")
    if found.foreign:
        hint(f"{found.foreign} records lie there that are no dead letters of the mesh.")


@app.command("show")
def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the beginning of it.", show_default=False)],
    *,
    as_json: _Json = False,
) -> None:
    """Show one dead letter whole: why it was set aside, its key, its headers, and its value, whatever somebody has put there.

    Exit code 0, or 2 if there is no such dead letter, or Kafka is not to be reached.

    Examples:
        caremesh dlq show 4c1f9a
    """
    with told(as_json=as_json):
        _, found = _read("", "", None)
        letter = find(found, identifier)
    if as_json:
        print_json(letter.as_json() | {"headers": _headers(letter), "value": _text(letter.content.value)})
    else:
        _print_whole(letter)


@app.command("replay")
def replay(
    identifiers: Annotated[
        list[str] | None, typer.Argument(metavar="[ID…]", help="Their ids, or the beginnings of them.", show_default=False)
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that --topic, --reason and --since leave.")] = False,
    topic: _Topic = "",
    reason: _Reason = "",
    since: _Since = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --all.")] = False,
    as_json: _Json = False,
) -> None:
    """Publish records again, each once, to the topic where they lay: the same key, value and headers.

    A record gets a new place and a new time in the log, and is decided as if it came now. What is wrong with the record itself (not_json,
    invalid_data, …) becomes a dead letter again: replay what a repaired service can decide (handler_failed, or unknown_type after an
    upgrade). What was cut when it was set aside cannot be whole again, and is refused.

    Exit code 0 when all were published, 1 if one was refused, 2 if there is no such dead letter, or Kafka is not to be reached.

    Examples:
        caremesh dlq replay 4c1f9a 77b02e
        caremesh dlq replay --all --reason handler_failed --since 2h
    """
    with told(as_json=as_json):
        if bool(identifiers) == every:
            message = "Say which: the ids of dead letters (`caremesh dlq list`), or --all."
            raise CannotError(message)
        settings, found = _read(topic, reason, since)
        letters = [find(found, identifier) for identifier in identifiers or []] or list(found.letters)
        letters = list({letter.content.id: letter for letter in letters}.values())
        whole = [letter for letter in letters if not letter.obstacle]
        if every and whole and not yes:
            _ask(whole, settings.topic_prefix)
        with reaching_kafka(settings):
            places = asyncio.run(_publish(settings, whole))
    refused = [letter for letter in letters if letter.obstacle]
    _report(places, refused, as_json=as_json)
    raise typer.Exit(Exit.NO if refused else Exit.OK)


def _read(topic: str, reason: str, since: timedelta | None) -> tuple[Settings, Letters]:
    settings = kafka_settings()
    names = topics_named([topic], settings.topic_prefix) if topic else []
    names = list(dict.fromkeys(name if is_dead_letter_topic(name) else dead_letter_topic(name) for name in names))
    begin = datetime.now(UTC) - since if since is not None else None
    with reaching_kafka(settings):
        return settings, asyncio.run(read_letters(settings, names, since=begin, reason=reason))


def _ask(letters: Sequence[Letter], prefix: str) -> None:
    """Let somebody look before much is published.

    Raises:
        CannotError: nobody is there to say yes.
        typer.Exit: the answer is no.
    """
    if not sys.stdin.isatty():
        message = f"{len(letters)} records would be published again: say --yes if that is what you want."
        raise CannotError(message)
    table_console().print(_table(letters[:_MOST_ASKED_ABOUT], prefix))
    if not typer.confirm(f"Publish {len(letters)} records again?"):
        raise typer.Exit(Exit.NO)


async def _publish(settings: Settings, letters: Sequence[Letter]) -> dict[str, Place]:
    # In the order in which they lay: a doctor's commands are to be decided in it.
    ordered = sorted(letters, key=lambda letter: (letter.content.topic, letter.content.partition, letter.content.offset))
    places: dict[str, Place] = {}
    if ordered:
        async with RawPublisher(settings) as publisher:
            for letter in ordered:
                content = letter.content
                places[content.id] = await publisher.publish(
                    content.topic, content.key, content.value, content.headers, keyless_partition=content.partition
                )
    return places


def _report(places: dict[str, Place], refused: Sequence[Letter], *, as_json: bool) -> None:
    if as_json:
        replayed = [{"id": identifier, **place._asdict()} for identifier, place in places.items()]
        print_json({"replayed": replayed, "refused": [{"id": letter.content.id, "problem": letter.obstacle} for letter in refused]})
        return
    for identifier, place in places.items():
        line_console().print(f"{identifier} → {place.topic}[{place.partition}]@{place.offset}", style="green", markup=False)
    for letter in refused:
        complain(printable(f"{letter.content.id} was not published: {letter.obstacle}."))
    if not places and not refused:
        line_console().print("There is nothing to publish.")


def _table(letters: Sequence[Letter], prefix: str) -> Table:
    table = Table()
    table.add_column("id", no_wrap=True)
    table.add_column("set aside, UTC", no_wrap=True)
    for column in ("lay in", "key", "why"):
        table.add_column(column, overflow="fold")
    for letter in letters:
        content = letter.content
        copies = f" ({letter.copies + 1} copies)" if letter.copies else ""
        cut = f" [cut: {', '.join(content.cut)}]" if content.cut else ""
        table.add_row(
            Text(printable(content.id)),
            f"{letter.seen.at:%Y-%m-%d} {clock(letter.seen.at)}",
            Text(printable(f"{short_name(content.topic, prefix)}[{content.partition}]@{content.offset}")),
            Text(printable(letter.seen.key[:128]) or "-"),
            Text.assemble((printable(content.reason), "red"), printable(f": {content.message}{cut}{copies}")),
        )
    return table


def _print_whole(letter: Letter) -> None:
    content = letter.content
    fields = Table(box=None, show_header=False, pad_edge=False)
    fields.add_column(style="bold", no_wrap=True)
    fields.add_column(overflow="fold")
    for name, value in letter.as_json().items():
        fields.add_row(name, Text(printable(str(value))))
    for name, header in content.headers:
        fields.add_row(Text(printable(f"header {name}")), Text(printable((header or b"").decode(errors="replace"))))
    output = table_console()
    output.print(fields)
    if letter.obstacle:
        hint(f"It cannot be replayed: {letter.obstacle}.")
    output.print("value", style="bold")
    output.print(_pretty(content.value), markup=False, soft_wrap=True)


def _pretty(value: bytes | None) -> str:
    if value is None:
        return "null: a tombstone"
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except ValueError:
        return printable(value.decode(errors="replace"))


def _headers(letter: Letter) -> list[list[str]]:
    """In order, for a name may come twice."""
    return [[name, (value or b"").decode(errors="replace")] for name, value in letter.content.headers]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")
