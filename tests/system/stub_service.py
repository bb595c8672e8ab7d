"""A service for the supervisor's tests: migrates nothing, and consumes one topic in its own consumer group."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer

from shared.settings import Settings


async def consume(argument: str) -> None:
    """Hold the partitions of a topic until the process is ended."""
    settings = Settings()
    topic = f"{settings.topic_prefix}.booking.{'commands' if argument == 'consumer' else 'events'}.v1"
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=f"{settings.topic_prefix}-stub-{argument}",
        session_timeout_ms=6_000,
    )
    await consumer.start()
    sys.stdout.write(f"stub {argument} started\n")
    async for _ in consumer:
        pass


if __name__ == "__main__":
    if sys.argv[1] != "migrate":
        asyncio.run(consume(sys.argv[1]))
