"""Commands that a producer publishes in transactions of Kafka: decided once they are committed, and never when they are taken back."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer

from shared.auditor.kafka import audit
from shared.cli.lag import look
from tests.system.harness.commands import Message, book, slot
from tests.system.harness.mesh import Mesh
from tests.system.harness.waiting import until


@pytest.fixture
async def producer(mesh: Mesh) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=mesh.bootstrap_servers, transactional_id=mesh.settings.topic_prefix)
    await producer.start()
    yield producer
    await producer.stop()


async def send(producer: AIOKafkaProducer, mesh: Mesh, message: Message) -> None:
    await producer.send_and_wait(mesh.commands, key=message.key, value=message.value, headers=list(message.headers))


async def end(producer: AIOKafkaProducer, mesh: Mesh, *, commit: bool) -> None:
    """End the transaction, and return once its end lies in the log, as the last there: the broker writes it after it has answered."""
    before = sum((await mesh.ends()).values())
    await (producer.commit_transaction() if commit else producer.abort_transaction())

    async def it_lies_there() -> bool:
        return sum((await mesh.ends()).values()) == before + 1

    await until(it_lies_there, "the end of the transaction lies in the log")


async def publish(mesh: Mesh, message: Message) -> None:
    """By a producer that knows nothing of transactions."""
    async with mesh.python_producer() as producer:
        await producer.publish([message])


async def test_a_command_that_was_taken_back_is_never_decided_and_holds_no_slot(mesh: Mesh, producer: AIOKafkaProducer) -> None:
    mesh.consumer()
    await producer.begin_transaction()
    await send(producer, mesh, book("doctor", "patient-1", slot(0), "taken-back"))
    await end(producer, mesh, commit=False)
    await publish(mesh, book("doctor", "patient-2", slot(0), "meant"))
    await mesh.decided()

    assert (await mesh.read_events()).tally() == {"booked": 1}
    assert await mesh.query("SELECT id FROM decisions") == [("meant",)]
    report = await mesh.is_clean()
    assert report.counts["booking"].commands == 1


async def test_nothing_of_an_open_transaction_is_decided_before_it_is_committed(mesh: Mesh, producer: AIOKafkaProducer) -> None:
    mesh.consumer()
    await producer.begin_transaction()
    await send(producer, mesh, book("doctor", "patient-1", slot(0), "first"))
    # Behind it on the same partition; on another one nobody waits for it.
    await publish(mesh, book("doctor", "patient-2", slot(0), "second"))
    elsewhere = book("doctor", "patient-3", slot(5), "elsewhere")
    ends = await mesh.ends()
    free = next(number for number, end in ends.items() if end == 0)
    await publish(mesh, elsewhere.on(free))

    async def only_that_is_decided() -> bool:
        return (await mesh.committed()).get(free) == 1

    await until(only_that_is_decided, "what lies on another partition is decided")
    assert await mesh.query("SELECT id FROM decisions") == [("elsewhere",)]

    await end(producer, mesh, commit=True)
    await publish(mesh, book("doctor", "patient-4", slot(1), "third"))
    await mesh.decided()
    assert await mesh.query("SELECT id, outcome FROM decisions WHERE id <> 'elsewhere' ORDER BY \"offset\"") == [
        ("first", "booking.appointment.booked.v1"),
        ("second", "booking.appointment.rejected.v1 slot_already_booked"),
        ("third", "booking.appointment.booked.v1"),
    ]
    await mesh.is_clean()


@pytest.mark.parametrize("outcome", ["committed", "aborted"])
async def test_the_end_of_a_transaction_at_the_end_of_a_partition_is_nothing_to_wait_for(
    mesh: Mesh, producer: AIOKafkaProducer, outcome: str
) -> None:
    mesh.consumer()
    mesh.processor()
    await producer.begin_transaction()
    await send(producer, mesh, book("doctor", "patient", slot(0), "wish"))
    await end(producer, mesh, commit=outcome == "committed")

    # Far less than they would wait for something that does not come.
    async with asyncio.timeout(20):
        report = await audit(
            {"bootstrap_servers": mesh.bootstrap_servers}, mesh.settings.topic_prefix, services=["booking"], rules=None, wait_seconds=600
        )
        [booking] = [group for group in await look(mesh.settings) if group.service == "booking"]
    assert report.counts["booking"].commands == (outcome == "committed")
    assert [topic.behind for topic in booking.topics] == [0]
