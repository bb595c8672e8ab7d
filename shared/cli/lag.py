"""``caremesh lag``: how far each consumer group is behind what lies in its topics."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from shared.cli.exits import Exit
from shared.cli.reaching import kafka_settings, reaching_kafka, told
from shared.cli.reading import TopicReader
from shared.cli.seen import Seen
from shared.cli.terminal import complain, print_json, table_console
from shared.cli.topic_names import short_name
from shared.cli.wording import duration
from shared.codec.record import Record
from shared.embedded.readiness import GroupStatus, ReadinessProbe
from shared.mesh import MESH, MeshProcess
from shared.settings import Settings
from shared.topics import commands_topic, events_topic


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """One partition, as one group has it.

    Attributes:
        committed: the next offset that the group would read; ``None``: it has read nothing yet.
        end: the offset of the next record to come.
        behind: the records in between.
        oldest_waits_seconds: how long the first of them has been waiting; ``None``: there is none.
    """

    partition: int
    committed: int | None
    end: int
    behind: int
    oldest_waits_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicLag:
    """One topic, as one group has it."""

    topic: str
    behind: int
    oldest_waits_seconds: float | None
    partitions: Sequence[PartitionLag]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLag:
    """One consumer group.

    Attributes:
        state: Kafka's word for it.
        members: how many read for it now.
    """

    service: str
    group: str
    state: str
    members: int
    topics: Sequence[TopicLag]


def lag(
    *,
    partitions: Annotated[bool, typer.Option("--partitions", help="A line for each partition that is behind.")] = False,
    at_most: Annotated[
        int | None, typer.Option("--at-most", min=0, metavar="N", help="Exit with 1 if any group is further behind.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Show how many records each service and processor has still to read, and how long the oldest of them has been waiting.

    Offsets are committed a tenth of a second after what they stand for: a busy mesh that keeps up is a few records behind.

    Exit code 0; 1 with --at-most, if a group is further behind; 2 if Kafka is not to be reached.

    Examples:
        caremesh lag
        caremesh lag --partitions
        caremesh lag --at-most 1000 --json
    """
    with told(as_json=as_json):
        settings = kafka_settings()
        with reaching_kafka(settings):
            groups = asyncio.run(look(settings))
    if as_json:
        print_json(
            {"behind": sum(topic.behind for group in groups for topic in group.topics), "groups": [asdict(group) for group in groups]}
        )
    else:
        table_console().print(_table(groups, settings.topic_prefix, partitions=partitions))
    late = [group.service for group in groups if at_most is not None and any(topic.behind > at_most for topic in group.topics)]
    if late:
        if not as_json:
            complain(f"More than {at_most} records behind: {', '.join(late)}.")
        raise typer.Exit(Exit.NO)


async def look(settings: Settings) -> list[GroupLag]:
    """Ask Kafka about the group of each process of the mesh.

    Raises:
        aiokafka.errors.KafkaError: it cannot say.
    """
    async with TopicReader(settings) as reader, ReadinessProbe(settings) as probe:
        statuses = await probe.groups([process.group(settings.topic_prefix) for process in MESH])
        return [await _group_lag(reader, process, status, settings.topic_prefix) for process, status in zip(MESH, statuses, strict=True)]


async def _group_lag(reader: TopicReader, process: MeshProcess, status: GroupStatus, prefix: str) -> GroupLag:
    committed = await reader.committed(status.group)
    wanted = {_own_topic(process, prefix)} | status.topics | {topic for topic, _ in committed}
    topics = [await _topic_lag(reader, topic, committed) for topic in await reader.present(sorted(wanted))]
    return GroupLag(service=process.name, group=status.group, state=status.state, members=len(status.members), topics=topics)


def _own_topic(process: MeshProcess, prefix: str) -> str:
    service = process.module.rpartition(".")[2]
    return commands_topic(prefix, service) if process.argument == "consumer" else events_topic(prefix, service)


async def _topic_lag(reader: TopicReader, topic: str, committed: Mapping[tuple[str, int], int]) -> TopicLag:
    partitions = []
    for partition, (beginning, end) in sorted((await reader.extent(topic)).items()):
        offset = committed.get((topic, partition))
        # What retention has removed is nobody's to read.
        first = max(offset or 0, beginning)
        waiting = await reader.first_from(topic, partition, first) if first < end else None
        partitions.append(
            PartitionLag(
                partition=partition,
                committed=offset,
                end=end,
                behind=end - first if waiting is not None else 0,
                oldest_waits_seconds=_waits_seconds(waiting) if waiting is not None else None,
            )
        )
    waits = [partition.oldest_waits_seconds for partition in partitions if partition.oldest_waits_seconds is not None]
    return TopicLag(
        topic=topic,
        behind=sum(partition.behind for partition in partitions),
        oldest_waits_seconds=max(waits, default=None),
        partitions=partitions,
    )


def _waits_seconds(record: Record) -> float:
    return max((datetime.now(UTC) - Seen(record).at).total_seconds(), 0.0)


def _table(groups: Sequence[GroupLag], prefix: str, *, partitions: bool) -> Table:
    table = Table("service", "group", "state", "members", "topic", "behind", "oldest waits")
    for group in groups:
        for topic in group.topics:
            first: list[Any] = [group.service, group.group, group.state, str(group.members)]
            table.add_row(*first, short_name(topic.topic, prefix), *_behind(topic))
            for partition in topic.partitions if partitions else ():
                if partition.behind:
                    table.add_row("", "", "", "", f"  partition {partition.partition}", *_behind(partition))
    return table


def _behind(lag_: TopicLag | PartitionLag) -> tuple[str, str]:
    waits = "-" if lag_.oldest_waits_seconds is None else duration(timedelta(seconds=lag_.oldest_waits_seconds))
    return (f"[yellow]{lag_.behind:,}" if lag_.behind else "[green]0", waits)
