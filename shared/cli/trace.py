"""``caremesh trace``: the way of one correlation, one command or one entity through all topics, with the times between the steps."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress

from shared.cli.drawing import draw
from shared.cli.exits import Exit
from shared.cli.inputs import identifier_argument, length_option
from shared.cli.reaching import kafka_settings, reaching_kafka, told
from shared.cli.reading import TopicReader
from shared.cli.seen import Seen
from shared.cli.story import as_json as as_plain
from shared.cli.terminal import complain, hint, print_json, table_console
from shared.cli.ways import Step, first_and_last, way_of
from shared.cli.wording import duration
from shared.settings import Settings
from shared.topics import TOPICS

#: So many records are looked up at the places that others name.
_MOST_LOOK_UPS: Final = 200


@dataclass(frozen=True, slots=True)
class Found:
    """What names an id, or belongs to what does.

    Attributes:
        records: the oldest, if there are more.
        complete: whether these are all.
    """

    records: list[Seen]
    complete: bool


def trace(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID", parser=identifier_argument, help="Of a correlation, a command, an event or an entity.", show_default=False
        ),
    ],
    *,
    since: Annotated[
        timedelta | None,
        typer.Option(
            "--since", parser=length_option, metavar="TIME", help="Look back so far: 15m, 2h, 7d.", show_default="all that is kept"
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, metavar="N", help="Draw so many records at the most.")] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: the steps, each with its record.")] = False,
) -> None:
    """Follow one id across all topics and dead letters, and draw the way with the times between the steps.

    A step is a record that names the id: as its key, in a header, or anywhere in its value. With the id of a command or an event comes
    everything of its correlation. What follows from what is told by the records themselves. The topics are read whole: on a busy mesh,
    --since makes it quick.

    Exit code 0 when something names it, 1 if nothing does, 2 if Kafka is not to be reached.

    Examples:
        caremesh trace apt_7271b9fe-e6c9-5e0d-a3b6-a23cb86dceee
        caremesh trace by-hand-1 --since 1h
        caremesh trace doctor-7 --since 15m --json | jq '.steps[].record.value.type'
    """
    with told(as_json=as_json):
        settings = kafka_settings()
        begin = datetime.now(UTC) - since if since is not None else None
        with reaching_kafka(settings), _progress(quiet=as_json) as progress:
            found = asyncio.run(follow(settings, identifier, since=begin, limit=limit, progress=progress))
    roots = way_of(found.records)
    if as_json:
        print_json({"id": identifier, "complete": found.complete, "steps": list(_plain(roots))})
    else:
        _print(identifier, found, roots, settings.topic_prefix)
    raise typer.Exit(Exit.OK if roots else Exit.NO)


async def follow(
    settings: Settings,
    identifier: str,
    *,
    since: datetime | None = None,
    limit: int = 500,
    progress: Callable[[int, int], None] = lambda _read, _total: None,
) -> Found:
    """Read all topics for what names an id, and what belongs to it.

    Raises:
        aiokafka.errors.KafkaError: they cannot be read.
    """
    async with TopicReader(settings) as reader:
        topics = await reader.present([topic.full_name(settings.topic_prefix) for topic in TOPICS])
        if not topics:
            return Found([], complete=True)

        async def search(wanted: Callable[[Seen], bool]) -> Found:
            records: list[Seen] = []
            complete = True
            async for batch in reader.existing(topics, since=since, progress=progress):
                records += filter(wanted, map(Seen, batch))
                if len(records) > limit:
                    # Partitions are not read in the order of time, so none can be left out before all are read.
                    records = sorted(records, key=lambda seen: seen.at)[:limit]
                    complete = False
            return Found(records, complete)

        found = await search(lambda seen: seen.names(identifier))
        correlations = {seen.attributes.get("correlationid", "") for seen in found.records if seen.id == identifier} - {"", identifier}
        if correlations:
            found = await search(lambda seen: seen.names(identifier) or seen.attributes.get("correlationid", "") in correlations)
        return Found([*found.records, *await _causes(reader, found.records)], found.complete)


async def _causes(reader: TopicReader, records: list[Seen]) -> list[Seen]:
    """The records that others say they follow from, and that do not name the id themselves: a command without the id that is derived from it."""
    known = {seen.place for seen in records}
    named = dict.fromkeys(cause for seen in records if (cause := seen.cause) is not None and cause not in known)
    found = [await reader.at(*place) for place in [*named][:_MOST_LOOK_UPS]]
    return [Seen(record) for record in found if record is not None]


def _plain(roots: list[Step]) -> Iterator[dict[str, Any]]:
    """The steps for programs, in the order in which they are drawn."""
    for root in roots:
        yield _plain_step(None, root)
        for cause, effect in root.walk():
            yield _plain_step(cause, effect)


def _plain_step(cause: Step | None, step: Step) -> dict[str, Any]:
    return {
        "after_milliseconds": None if cause is None else round((step.seen.at - cause.seen.at).total_seconds() * 1000),
        "cause": None if cause is None else _plain_place(cause.seen.place),
        "kind": step.seen.kind.value,
        "record": as_plain(step.seen),
        "copies": [_plain_place(place) for place in step.copies],
    }


def _plain_place(place: tuple[str, int, int]) -> dict[str, str | int]:
    topic, partition, offset = place
    return {"topic": topic, "partition": partition, "offset": offset}


def _print(identifier: str, found: Found, roots: list[Step], prefix: str) -> None:
    if not roots:
        complain(f"Nothing that is kept names {identifier}. A command is kept for 7 days, an event and a dead letter for 30.")
        return
    first, last = first_and_last(roots)
    output = table_console()
    count = len(found.records)
    records = "1 record" if count == 1 else f"{count} records"
    output.print(f"{identifier}: {records} within {duration(last.at - first.at)}, {first.at:%A, %Y-%m-%d}, UTC", style="bold", markup=False)
    for line in draw(roots, prefix):
        output.print(line, no_wrap=True, overflow="ellipsis")
    if not found.complete:
        hint(f"There is more: only the first {count} records are drawn. --since leaves out older ones, --limit draws more.")


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error while topics are read, if somebody is there to see it."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("Reading the topics", total=None)
        yield lambda read, total: progress.update(task, completed=read, total=total)
