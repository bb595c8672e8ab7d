"""``caremesh topics``: what lies where and for how long, and whether Kafka has it so."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Annotated, Any

import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from rich.table import Table

from shared.cli.exits import Exit
from shared.cli.reaching import kafka_settings, reaching_kafka, told
from shared.cli.terminal import line_console, print_json, table_console
from shared.kafka_client import client_options
from shared.settings import Settings
from shared.topics import TOPICS, Topic, create_topics

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicStatus:
    """One topic of the list, as Kafka has it.

    Attributes:
        partitions: 0 when it is missing.
        records: between the first and the last that are kept, over all partitions.
        kept: for how long, for people.
        problems: what is not as the list says; empty when all is.
    """

    name: str
    partitions: int
    replication: int
    records: int
    kept: str
    holds: str
    problems: Sequence[str] = ()


@app.callback(invoke_without_command=True)
def _list(context: typer.Context, *, as_json: _Json = False) -> None:
    """List the mesh's topics as Kafka has them, and say what is not as it should be.

    The names begin with CAREMESH_TOPIC_PREFIX. Commands topics must be stamped by the broker (LogAppendTime): the business time of a command is
    when the log took it.

    Exit code 0 when every topic is there and set as the mesh needs it, 1 if not, 2 if Kafka is not to be reached.

    Examples:
        caremesh topics
        caremesh topics --json | jq -r '.topics[] | select(.problems != []) | .name'
        caremesh topics create
    """
    if context.invoked_subcommand is not None:
        return
    with told(as_json=as_json):
        settings = kafka_settings()
        with reaching_kafka(settings):
            topics = asyncio.run(look(settings))
    if as_json:
        print_json({"topics": [asdict(topic) for topic in topics]})
    else:
        _print(topics)
    raise typer.Exit(Exit.NO if any(topic.problems for topic in topics) else Exit.OK)


@app.command("create")
def create(*, as_json: _Json = False) -> None:
    """Create the topics that are missing, with CAREMESH_TOPIC_PARTITIONS and CAREMESH_TOPIC_REPLICATION. Those that exist are left as they are.

    Exit code 0 when all are there, 2 if Kafka is not to be reached or refuses.

    Examples:
        caremesh topics create
        CAREMESH_TOPIC_REPLICATION=3 CAREMESH_TOPIC_PARTITIONS=24 caremesh topics create
    """
    with told(as_json=as_json):
        settings = kafka_settings()
        with reaching_kafka(settings):
            created = asyncio.run(create_topics(settings))
    if as_json:
        print_json({"created": created})
        return
    output = line_console()
    for name in created:
        output.print(f"created {name}", style="green", markup=False)
    if not created:
        output.print("Every topic was there already.")


async def missing(settings: Settings) -> list[str]:
    """The names of the topics of the list that do not exist.

    Raises:
        aiokafka.errors.KafkaError: no broker is to be reached.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        existing = set(await admin.list_topics())
    finally:
        await admin.close()
    return [name for topic in TOPICS if (name := topic.full_name(settings.topic_prefix)) not in existing]


async def look(settings: Settings) -> list[TopicStatus]:
    """Ask Kafka about every topic of the list.

    Raises:
        aiokafka.errors.KafkaError: no broker is to be reached, or it refuses.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    consumer = AIOKafkaConsumer(**client_options(settings))
    try:
        await admin.start()
        await consumer.start()
        existing = set(await admin.list_topics())
        names = [topic.full_name(settings.topic_prefix) for topic in TOPICS if topic.full_name(settings.topic_prefix) in existing]
        described = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics(names)} if names else {}
        configurations = await _configurations(admin, names)
        records = await _records(consumer, {name: len(partitions) for name, partitions in described.items()})
    finally:
        await consumer.stop()
        await admin.close()
    return [_status(topic, settings.topic_prefix, described, configurations, records) for topic in TOPICS]


async def _configurations(admin: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """The settings of each topic, as far as we may see them."""
    if not names:
        return {}
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names]):
        for error_code, _, _, name, entries in response.resources:
            if error_code == 0:
                found[name] = {entry[0]: entry[1] for entry in entries}
            elif error_code != TopicAuthorizationFailedError.errno:
                message = f"Kafka does not tell how {name} is set (error {error_code})."
                raise KafkaError(message)
    return found


async def _records(consumer: Any, partitions: Mapping[str, int]) -> dict[str, int]:
    places = [TopicPartition(name, number) for name, count in partitions.items() for number in range(count)]
    if not places:
        return {}
    beginnings, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    counts = dict.fromkeys(partitions, 0)
    for place in places:
        counts[place.topic] += ends[place] - beginnings[place]
    return counts


def _status(
    topic: Topic,
    prefix: str,
    described: Mapping[str, Sequence[Mapping[str, Any]]],
    configurations: Mapping[str, Mapping[str, str]],
    records: Mapping[str, int],
) -> TopicStatus:
    name = topic.full_name(prefix)
    kept = "for ever, compacted" if topic.retention is None else _duration(topic.retention)
    if name not in described:
        problem = "missing: create it with `caremesh topics create`"
        return TopicStatus(name=name, partitions=0, replication=0, records=0, kept=kept, holds=topic.holds, problems=[problem])
    partitions = described[name]
    return TopicStatus(
        name=name,
        partitions=len(partitions),
        replication=min(len(partition["replicas"]) for partition in partitions),
        records=records.get(name, 0),
        kept=kept,
        holds=topic.holds,
        problems=differences(topic.configuration(), configurations.get(name)),
    )


def differences(wanted: Mapping[str, str], found: Mapping[str, str] | None) -> list[str]:
    """What a topic's settings in Kafka have other than they should; nothing when we may not see them."""
    if found is None:
        return []
    return [
        f"{name} is {found.get(name, 'unknown')}, and should be {value}: set it with kafka-configs.sh --alter"
        for name, value in wanted.items()
        if found.get(name) != value
    ]


def _duration(duration: timedelta) -> str:
    days = duration / timedelta(days=1)
    return "1 day" if days == 1 else f"{days:g} days"


def _print(topics: Sequence[TopicStatus]) -> None:
    output = table_console()
    table = Table()
    table.add_column("topic", no_wrap=True)
    for column in ("partitions", "replicas", "records", "kept", "holds", "in Kafka"):
        table.add_column(column)
    for topic in topics:
        state = f"[red]{topic.problems[0].partition(':')[0]}" if topic.problems else "[green]ok"
        table.add_row(topic.name, str(topic.partitions), str(topic.replication), f"{topic.records:,}", topic.kept, topic.holds, state)
    output.print(table)
    for topic in topics:
        for problem in topic.problems:
            line_console().print(f"{topic.name}: {problem}", style="red", markup=False)
