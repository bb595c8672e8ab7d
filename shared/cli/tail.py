"""``caremesh tail``: watch what goes through the topics, as it happens."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from shared.cli.exits import Exit
from shared.cli.inputs import identifier_argument, length_option
from shared.cli.reaching import kafka_settings, reaching_kafka, told
from shared.cli.reading import TopicReader
from shared.cli.seen import Seen
from shared.cli.story import as_json as as_plain
from shared.cli.story import colour, details, title
from shared.cli.terminal import PROSE_WIDTH, hint, print_json, table_console
from shared.cli.topic_names import short_name, topics_named
from shared.cli.wording import clock, printable
from shared.settings import Settings

_TITLE_WIDTH: Final = 26
#: An id that the mesh derives has forty.
_ENTITY_WIDTH: Final = 40
_NARROW_ENTITY_WIDTH: Final = 16


def tail(
    topics: Annotated[
        list[str],
        typer.Argument(metavar="TOPIC…", help="booking.events, with or without prefix and version; booking; dlq; all.", show_default=False),
    ],
    *,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin with the oldest record that is kept.")] = False,
    since: Annotated[
        timedelta | None,
        typer.Option("--since", parser=length_option, metavar="TIME", help="Begin so long ago: 90s, 15m, 2h.", show_default=False),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on with what comes; or end where the topics end now.")] = True,
    keys: Annotated[list[str] | None, typer.Option("--key", help="Only records with this key. Several: any of them.")] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only types with this in them, such as rejected or booking.*.v1. Several: any.")
    ] = None,
    about: Annotated[
        str | None,
        typer.Option("--about", parser=identifier_argument, metavar="ID", help="Only records that name this id.", show_default=False),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="End after so many.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each record, whole.")] = False,
) -> None:
    """Watch what is asked for and what becomes of it, line by line: when (UTC), where, what, which, and what it says.

    Cyan is asked for, green happened, yellow was refused, magenta is the mesh's own doing, red could not be decided. In a pipe every line is
    whole; in a terminal it ends where the terminal does. `booking` stands for booking's commands and events, `dlq` for all dead letters.

    Exit code 0 at the end, 130 after Ctrl-C, 2 for an unknown topic, or if Kafka is not to be reached.

    Examples:
        caremesh tail booking
        caremesh tail booking.events --since 1h --type rejected
        caremesh tail all --from-beginning --no-follow --about apt_7271b9fe-e6c9-5e0d-a3b6-a23cb86dceee
        caremesh tail booking.events --json | jq -c 'select(.value.status == "confirmed") | .value.appointment_id'
    """
    with told(as_json=as_json):
        settings = kafka_settings()
        names = topics_named(topics, settings.topic_prefix)
        wanted = _filter(keys or [], types or [], about)
        begin = datetime.now(UTC) - since if since is not None else None
        view: Any = _Plain() if as_json else _Lines(settings.topic_prefix, names)
        if follow and not as_json:
            view.announce()
        try:
            with reaching_kafka(settings):
                asyncio.run(_watch(settings, names, view.show, wanted, begin=begin, whole=from_beginning, follow=follow, limit=limit))
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None


async def _watch(
    settings: Settings,
    names: Sequence[str],
    show: Callable[[Seen], bool],
    wanted: Callable[[Seen], bool],
    *,
    begin: datetime | None,
    whole: bool,
    follow: bool,
    limit: int | None,
) -> None:
    async with TopicReader(settings) as reader:
        batches = reader.following(names, since=begin, from_beginning=whole) if follow else reader.existing(names, since=begin)
        count = 0
        async for batch in batches:
            for seen in filter(wanted, map(Seen, batch)):
                count += 1
                if not show(seen) or count == limit:
                    return


def _filter(keys: Sequence[str], types: Sequence[str], about: str | None) -> Callable[[Seen], bool]:
    def wanted(seen: Seen) -> bool:
        if keys and seen.key not in keys:
            return False
        if types and not any(part in seen.type or fnmatchcase(seen.type, part) for part in types):
            return False
        return about is None or seen.names(about)

    return wanted


class _Plain:
    """For programs."""

    def show(self, seen: Seen) -> bool:
        """Print the record; whether anybody still reads."""
        return print_json(as_plain(seen), indent=False)


class _Lines:
    """For people."""

    def __init__(self, prefix: str, topics: Sequence[str]) -> None:
        self._console = table_console()
        self._prefix = prefix
        self._topic_width = max(len(short_name(topic, prefix)) for topic in topics)
        self._topics = topics
        self._day: date | None = None
        is_narrow = self._console.is_terminal and self._console.width < PROSE_WIDTH
        self._entity_width = _NARROW_ENTITY_WIDTH if is_narrow else _ENTITY_WIDTH

    def announce(self) -> None:
        """Say that nothing is wrong when nothing comes."""
        if self._console.is_terminal:
            hint(f"Watching {', '.join(short_name(topic, self._prefix) for topic in self._topics)}. Ctrl-C ends it.")

    def show(self, seen: Seen) -> bool:
        """Print a line; whether anybody still reads."""
        if seen.at.date() != self._day:
            self._day = seen.at.date()
            self._console.print(f"── {self._day:%A, %Y-%m-%d}, UTC ──", style="dim", markup=False)
        # Where anybody may write, a key may hold anything.
        entity = printable(seen.entity_id or seen.key) or "-"
        line = Text.assemble(
            (clock(seen.at), "dim"),
            "  ",
            (short_name(seen.record.topic, self._prefix).ljust(self._topic_width), "dim"),
            "  ",
            (title(seen).ljust(_TITLE_WIDTH), colour(seen)),
            "  ",
            (_abbreviated(entity, self._entity_width).ljust(self._entity_width), "bold"),
            "  ",
            details(seen),
        )
        self._console.print(line, no_wrap=True, overflow="ellipsis")
        return not self._console.quiet


def _abbreviated(identifier: str, width: int) -> str:
    """An id with its middle left out where there is no room for it."""
    return identifier if len(identifier) <= width or width == _ENTITY_WIDTH else f"{identifier[: width - 5]}…{identifier[-4:]}"
