"""How a consumer on a real Kafka makes batches of what comes in."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.codec.record import Record
from shared.kafka_client import client_options, consumer_options
from shared.path.log_ends import KafkaLogEnds
from shared.path.pipeline import Handled, Pipeline
from shared.path.publisher import Publisher
from shared.path.watchdog import Watchdog
from shared.runtimes.consumer import ConsumerRuntime
from shared.settings import Settings
from shared.topics import commands_topic, create_topics
from tests.system.conftest import delete_topics
from tests.system.harness.waiting import until

PARTITIONS: Final = 4
#: More than a few: after these the consumer asks for no more until they are decided.
FIRST: Final = 3
MEANWHILE: Final = 40


class Slow:
    """Decides nothing, and that only when told to."""

    carries = False
    pause_seconds = 0.0

    def __init__(self) -> None:
        self.batches: asyncio.Queue[Sequence[Record]] = asyncio.Queue()
        self.decide = asyncio.Event()

    async def handle(self, records: Sequence[Record]) -> Handled:
        self.batches.put_nowait(records)
        await self.decide.wait()
        return Handled([], {(record.topic, record.partition): record.offset + 1 for record in records})


@pytest.fixture
def fetches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for each request for records that is sent to a broker."""
    sent: list[str] = []
    send = AIOKafkaConnection.send

    def noting(connection: AIOKafkaConnection, request: Any, *arguments: Any, **options: Any) -> Any:
        if type(request).__name__.startswith("Fetch"):
            sent.append(type(request).__name__)
        return send(connection, request, *arguments, **options)

    monkeypatch.setattr(AIOKafkaConnection, "send", noting)
    return sent


@pytest.fixture
async def topic(settings: Settings) -> AsyncIterator[str]:
    """Booking's commands, in four partitions."""
    settings = settings.model_copy(update={"topic_partitions": PARTITIONS})
    await create_topics(settings)
    yield commands_topic(settings.topic_prefix, "booking")
    await delete_topics(settings)


@pytest.fixture
def runtime(settings: Settings, engine: AsyncEngine, topic: str, publisher: Publisher) -> ConsumerRuntime:
    """A consumer of booking's commands."""
    return ConsumerRuntime(
        consumer_options(settings),
        topics=[topic],
        consumer_group=f"{settings.topic_prefix}-booking",
        engine=engine,
        log_ends=KafkaLogEnds(client_options(settings), publisher.partitions_of),
        batch_max_records=1_000,
    )


@pytest.fixture
def publisher(settings: Settings, watchdog: Watchdog) -> Publisher:
    """One that is given nothing to publish."""
    return Publisher(client_options(settings), watchdog, service="booking")


async def test_what_comes_while_a_batch_is_being_decided_is_asked_for_once_and_is_the_next_batch(
    settings: Settings, topic: str, runtime: ConsumerRuntime, publisher: Publisher, fetches: list[str]
) -> None:
    slow = Slow()
    async with AIOKafkaProducer(**client_options(settings), linger_ms=0) as producer:
        for _ in range(FIRST):
            await producer.send_and_wait(topic, b"first", partition=0)
        running = asyncio.create_task(runtime.run(Pipeline(slow, publisher, runtime.acknowledge)))
        assert len(await slow.batches.get()) == FIRST
        before = len(fetches)
        assert before, "requests are seen"
        for number in range(MEANWHILE):
            await producer.send_and_wait(topic, b"meanwhile", partition=number % PARTITIONS)
        assert len(fetches) == before, "nothing is asked for while a batch is being decided"
        slow.decide.set()
        assert len(await slow.batches.get()) == MEANWHILE
    runtime.stop()
    await running
    assert await committed(settings, topic) == FIRST + MEANWHILE


async def test_what_comes_while_a_lone_record_is_being_decided_is_there_at_once(
    settings: Settings, topic: str, runtime: ConsumerRuntime, publisher: Publisher, fetches: list[str]
) -> None:
    slow = Slow()
    async with AIOKafkaProducer(**client_options(settings), linger_ms=0) as producer:
        await producer.send_and_wait(topic, b"alone", partition=0)
        running = asyncio.create_task(runtime.run(Pipeline(slow, publisher, runtime.acknowledge)))
        assert len(await slow.batches.get()) == 1
        before = len(fetches)
        await until(lambda: len(fetches) > before, "Kafka is asked on")
        await producer.send_and_wait(topic, b"next", partition=0)
        slow.decide.set()
        assert len(await slow.batches.get()) == 1
    runtime.stop()
    await running
    assert await committed(settings, topic) == 2


async def committed(settings: Settings, topic: str) -> int:
    """How many records of the topic the group has acknowledged."""
    async with AIOKafkaConsumer(topic, **client_options(settings), group_id=f"{settings.topic_prefix}-booking") as consumer:
        return sum([await consumer.committed(partition) or 0 for partition in consumer.assignment()])
