"""A service of the tests' own: real records of a real Kafka, and answers as a test wants them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.booking.domain.appointment import Rules
from shared.codec.decode import Received, decode
from shared.codec.encode import encode_event
from shared.codec.record import OutgoingMessage
from shared.messages.booking import BOOKING_COMMANDS
from shared.settings import Settings
from shared.topics import commands_topic, events_topic
from tests.system.harness.waiting import until
from tests.unit.booking.naive import Shelf

#: What is published for the n-th copy of a command (1, 2, …), given what booking would publish.
Answer = Callable[[int, Sequence[OutgoingMessage]], Sequence[OutgoingMessage]]


def at_once(_copy: int, events: Sequence[OutgoingMessage]) -> Sequence[OutgoingMessage]:
    """Every copy is answered."""
    return events


def never(_copy: int, _events: Sequence[OutgoingMessage]) -> Sequence[OutgoingMessage]:
    """No copy is answered."""
    return ()


@dataclass
class Service:
    """What it has seen.

    Attributes:
        answer: what it does; a test may change it at any time.
        received: the records, copies included.
    """

    answer: Answer = at_once
    received: list[Received] = field(default_factory=list)

    def copies(self, identifier: str) -> list[Received]:
        return [received for received in self.received if received.id == identifier]


@asynccontextmanager
async def answering(settings: Settings, answer: Answer = at_once) -> AsyncIterator[Service]:
    """Booking's decisions, without its database, published as the test says."""
    service = Service(answer)
    topic, events = commands_topic(settings.topic_prefix, "booking"), events_topic(settings.topic_prefix, "booking")
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, group_id=None)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, linger_ms=0, metadata_max_age_ms=200)
    await consumer.start()
    await producer.start()
    partitions = [TopicPartition(topic, number) for number in range(settings.topic_partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning()
    decided: dict[tuple[str, str], list[OutgoingMessage]] = {}
    shelf = Shelf(Rules())

    def outcome_of(received: Received) -> list[OutgoingMessage]:
        (published,) = shelf.decide([received])
        return [
            encode_event(event, cause=received, index=index, service="booking", topic=events, decided_at="2030-01-01T00:00:00Z")
            for index, event in enumerate(published)
        ]

    async def publish(message: OutgoingMessage) -> None:
        if message.partition is not None:
            await until(partial(knows, message.partition), "the partition is known")
        await producer.send(message.topic, key=message.key, value=message.value, headers=[*message.headers], partition=message.partition)

    async def knows(partition: int) -> bool:
        return partition in await producer.partitions_for(events)

    async def serve() -> None:
        async for record in consumer:
            received = decode(record, BOOKING_COMMANDS)
            assert isinstance(received, Received), received
            service.received.append(received)
            identity = (received.source, received.id)
            if identity not in decided:
                decided[identity] = outcome_of(received)
            for message in service.answer(len(service.copies(received.id)), decided[identity]):
                await publish(message)

    serving = asyncio.create_task(serve())
    try:
        yield service
    finally:
        serving.cancel()
        try:
            with suppress(asyncio.CancelledError):
                await serving
        finally:
            await consumer.stop()
            await producer.stop()
