"""Whether the records that really lie in the topics are what the published contract says."""

import json
from collections import Counter

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.schemas import MESSAGES, topic_of
from shared.messages.fields import Command
from shared.messages.registry import EVENTS
from shared.settings import Settings
from tests.contract import assert_as_published, assert_declared, assert_headers_as_published

#: Of each partition the last ones: enough to see every kind of message that a test causes.
MOST_RECORDS = 300
MOST_OF_A_KIND = 40


async def published_as_declared(settings: Settings) -> Counter[str]:
    """Fail unless the last records of all events and state topics keep to the contract; how many of each type were looked at."""
    names = {f"{settings.topic_prefix}.{topic_of(model)}" for model in MESSAGES.values() if not issubclass(model, Command)}
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, group_id=None, enable_auto_commit=False)
    seen: Counter[str] = Counter()
    await consumer.start()
    try:
        topics = names & set(await consumer.topics())
        places = [TopicPartition(topic, number) for topic in topics for number in range(settings.topic_partitions)]
        if not places:
            return seen
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        for place, end in ends.items():
            consumer.seek(place, max(0, end - MOST_RECORDS))
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    _look(record.key, record.value, record.headers, seen)
    finally:
        await consumer.stop()
    return seen


def _look(key: bytes, raw: bytes, raw_headers: list[tuple[str, bytes]], seen: Counter[str]) -> None:
    value = json.loads(raw)
    seen[value["type"]] += 1
    if seen[value["type"]] > MOST_OF_A_KIND:
        return
    assert_as_published(value)
    assert_headers_as_published({name: header.decode() for name, header in raw_headers}, value, key.decode())
    if value["type"] in EVENTS:
        assert_declared(value)
