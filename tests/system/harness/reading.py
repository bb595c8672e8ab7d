"""What lies in the topics: read whole, from offset 0, by a client that knows the contract alone."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared import lenient_records
from tests.system.harness.waiting import until


@dataclass(frozen=True, slots=True)
class Lying:
    """A record as it lies in a topic."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def content(self) -> tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]:
        """What copies share to the byte."""
        return self.key, self.value, self.headers

    def header(self, name: str) -> str:
        return dict(self.headers)[name].decode()

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.value or b"")
        return parsed


async def read_all(bootstrap_servers: str, topic: str) -> list[Lying]:
    """Every record of a topic up to its ends of now, in the order of each partition."""
    lenient_records.install()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=None, enable_auto_commit=False, max_partition_fetch_bytes=4 << 20
    )
    await consumer.start()
    records: list[Lying] = []
    try:
        partitions: list[TopicPartition] = []

        async def knows_partitions() -> bool:
            await consumer._client.force_metadata_update()
            partitions[:] = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
            return bool(partitions)

        await consumer.topics()
        await until(knows_partitions, f"Kafka tells the partitions of {topic}")
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for place in partitions:
            consumer.seek(place, 0)

        async def at_the_ends() -> bool:
            polled = await consumer.getmany(timeout_ms=200, max_records=5_000)
            for place, batch in polled.items():
                records.extend(
                    Lying(record.partition, record.offset, record.timestamp, record.key, record.value, tuple(record.headers))
                    for record in batch
                    if record.offset < ends[place]
                )
            positions = [(await consumer.position(place), ends[place]) for place in partitions]
            return all(position >= end for position, end in positions)

        await until(at_the_ends, f"{topic} is read to its ends", seconds=60, step=0)
    finally:
        await consumer.stop()
    return sorted(records, key=lambda record: (record.partition, record.offset))


class Events:
    """The events of a topic, by what they say."""

    def __init__(self, records: Sequence[Lying]) -> None:
        self.records = records

    @cached_property
    def by_id(self) -> dict[str, list[Lying]]:
        """``ce_id`` → its copies."""
        found: defaultdict[str, list[Lying]] = defaultdict(list)
        for record in self.records:
            found[record.header("ce_id")].append(record)
        return dict(found)

    @cached_property
    def values(self) -> list[dict[str, Any]]:
        """The events, each once, in the order in which they first lay."""
        return [copies[0].json for copies in self.by_id.values()]

    def differing(self) -> list[str]:
        """The ids whose copies are not the same to the byte."""
        return [identifier for identifier, copies in self.by_id.items() if len({record.content for record in copies}) > 1]

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """Command's id → its outcome."""
        return {value["decision"]["command"]["id"]: value for value in self.values if value["decision"]["index"] == 0}

    def outcome(self, command_id: str) -> dict[str, Any]:
        return self.outcomes()[command_id]

    def of_type(self, end: str) -> list[dict[str, Any]]:
        """The events whose type ends so, each once."""
        return [value for value in self.values if value["type"].endswith(f".{end}.v1")]

    def tally(self, which: Callable[[dict[str, Any]], bool] = lambda _: True) -> Counter[str]:
        """How the commands ended: the word of the event, or the code and reason of the refusal."""
        return Counter(ending(value) for value in self.outcomes().values() if which(value))


def ending(outcome: dict[str, Any]) -> str:
    """How a command ended, in short."""
    word = str(outcome["type"]).split(".")[2]
    return f"{outcome['status_code']} {outcome['reason']}" if word == "rejected" else word
