"""Where the partitions of a real Kafka end."""

from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition

from shared.embedded.kafka import KafkaServer
from shared.path.log_ends import KafkaLogEnds
from shared.topics import partition_of

TOPIC = "test.log-ends"
PARTITIONS = 4
KEY = b"doctor-1"


@pytest.fixture
async def ends(kafka: KafkaServer) -> AsyncIterator[KafkaLogEnds]:
    async def partitions_of(topic: str) -> int:
        assert topic == TOPIC
        return PARTITIONS

    ends = KafkaLogEnds({"bootstrap_servers": kafka.bootstrap_servers}, partitions_of)
    yield ends
    await ends.stop()


async def test_a_partition_ends_after_its_last_record_and_at_nothing_when_none_is_left(kafka: KafkaServer, ends: KafkaLogEnds) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await producer.start()
    partition = partition_of(KEY, PARTITIONS)
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=PARTITIONS, replication_factor=1)])
        assert await ends.end_of(TOPIC, KEY) == (partition, 0)
        assert await ends.ends_of([TOPIC]) == {}
        for _ in range(3):
            await producer.send_and_wait(TOPIC, b"{}", key=KEY)
        assert await ends.end_of(TOPIC, KEY) == (partition, 3)
        await admin.delete_records({TopicPartition(TOPIC, partition): RecordsToDelete(before_offset=2)})
        assert await ends.end_of(TOPIC, KEY) == (partition, 3)
        assert await ends.ends_of([TOPIC]) == {(TOPIC, partition): 3}
        empty = TopicPartition(TOPIC, (partition + 1) % PARTITIONS)
        assert await ends.next_offsets([TopicPartition(TOPIC, partition), empty]) == {TopicPartition(TOPIC, partition): 3, empty: 0}
        assert await ends.next_offsets([]) == {}
        # As retention does: what is gone cannot be read, so nobody can wait for it.
        await admin.delete_records({TopicPartition(TOPIC, partition): RecordsToDelete(before_offset=3)})
        assert await ends.end_of(TOPIC, KEY) == (partition, 0)
        assert await ends.ends_of([TOPIC]) == {}
    finally:
        await producer.stop()
        await admin.close()
