"""Topics on a real broker."""

from aiokafka.admin import AIOKafkaAdminClient

from shared.settings import Settings
from shared.topics import TOPICS, create_topics

ROUNDS = 3


async def test_what_is_created_is_ready_to_be_read_at_once(settings: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        for number in range(ROUNDS):
            own = settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}-{number}", "topic_partitions": 12})
            created = await create_topics(own)
            described = await admin.describe_topics(created)
            leaders = [[entry["leader"] for entry in topic["partitions"]] for topic in described]
            assert leaders == [[1] * 12] * len(TOPICS)
            assert await create_topics(own) == [], "all are there"
            await admin.delete_topics(created)
    finally:
        await admin.close()
