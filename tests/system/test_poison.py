"""Records that nobody can decide, in crowds."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from shared.auditor.partitioning import partition_of
from tests.byte_names import NAME, SHOWN, batch_builder, named
from tests.system.harness import poison
from tests.system.harness.commands import Message, book, slot
from tests.system.harness.mesh import Mesh
from tests.system.harness.reading import Lying

ERRORS = "__connect.errors."


async def test_1000_poison_records_of_every_kind_within_a_second_are_one_dead_letter_each_and_stop_nobody(mesh: Mesh) -> None:
    workers = [mesh.consumer(), mesh.consumer()]
    await mesh.assigned(2)
    bad: list[tuple[str, Message]] = []
    good: list[Message] = []
    number = 0
    while len(bad) < 1_000:
        number += 1
        bad += [(kind, message) for kind, message in (poison.unreadable(number) | poison.refused_for_its_data(number)).items()]
        good += [
            book(f"doctor-{number % 7}", f"patient-{number}-{turn}", slot(10 * number + turn), f"good-{number}-{turn}") for turn in range(5)
        ]
    bad = bad[:1_000]
    # Where each lies is given, so that its dead letter can be told from all others.
    partitions = mesh.settings.topic_partitions
    placed = [message.on(partition_of(message.key or b"", partitions)) for _, message in bad]
    async with mesh.python_producer() as producer, mesh.native_producer() as other:
        # So that connecting does not count.
        await asyncio.gather(producer.publish(good[:1]), other.publish(good[1:2]))
        # The workers get them all at once; and producing is not slowed down by deciding, however few cores there are.
        for worker in workers:
            worker.stop()
        rush = [
            message
            for number, message in enumerate(placed[:500])
            for message in ([message, good[number // 5]] if number % 5 == 0 else [message])
        ]
        await asyncio.gather(producer.publish(rush), other.publish(placed[500:]))
        for worker in workers:
            worker.go_on()
        await producer.publish(good)
        await mesh.decided()
        acknowledged = [*producer.acknowledged, *other.acknowledged]

    events = await mesh.read_events()
    letters = await mesh.read("booking.commands.v1.dlq")
    by_place = {(int(letter.header(f"{ERRORS}partition")), int(letter.header(f"{ERRORS}offset"))): letter for letter in letters}
    records = {(record.partition, record.offset): record for record in await mesh.read("booking.commands.v1")}
    assert len({letter.header("caremesh_dead_letter_id") for letter in letters}) == len(by_place) == 1_000
    for place, letter in by_place.items():
        check_letter(mesh, records[place], letter)
    log_times = [records[place].timestamp for place in by_place]
    assert max(log_times) - min(log_times) < 1_000, "they came within a second"
    reasons = {letter.header(f"{ERRORS}exception.class.name") for letter in letters}
    assert reasons == {"tombstone", "no_key", "too_large", "not_json", "invalid_envelope", "unknown_type", "invalid_data", "key_mismatch"}
    outcomes = events.outcomes()
    assert {outcomes[f"good-{number}-{turn}"]["type"] for number in range(1, 3) for turn in range(5)} == {"booking.appointment.booked.v1"}
    assert sum(identifier.startswith("good-") for identifier in outcomes) == len(good)
    refused = [value for identifier, value in outcomes.items() if identifier.startswith("wrong-")]
    assert {value["status_code"] for value in refused} == {422}
    assert len(outcomes) == len(good) + len(refused)
    assert len(refused) == sum(kind in poison.refused_for_its_data(0) for kind, _ in bad)
    assert all(worker.runs for worker in workers)
    await mesh.is_clean(acknowledged)


def check_letter(mesh: Mesh, record: Lying, letter: Lying) -> None:
    """It carries the original and says where that lay and what was wrong with it."""
    assert letter.key == record.key
    assert letter.header(f"{ERRORS}topic") == mesh.commands
    assert letter.header(f"{ERRORS}stage") == "VALUE_CONVERTER"
    assert letter.header(f"{ERRORS}class.name") == "booking"
    assert letter.header(f"{ERRORS}exception.message")
    names = [name for name, _ in letter.headers]
    if record.value is not None and len(record.value) > 64 * 1024:
        assert letter.value == record.value[: 64 * 1024]
        assert letter.header("caremesh_value_sha256") == hashlib.sha256(record.value).hexdigest()
        assert letter.header("caremesh_value_length") == str(len(record.value))
    else:
        assert letter.value == record.value
    if sum(len(name) + len(value) for name, value in record.headers) <= 16 * 1024:
        assert letter.headers[: len(record.headers)] == record.headers
    else:
        kept = [header for header in letter.headers if header in record.headers]
        assert kept == list(record.headers[: len(kept)])
        assert {"caremesh_headers_sha256", "caremesh_headers_length"} <= set(names)


async def test_a_header_whose_name_is_not_utf8_makes_one_dead_letter_and_holds_up_nothing_in_its_batch(mesh: Mesh) -> None:
    worker = mesh.consumer()
    wishes = [book("doctor", f"patient-{number}", slot(number), f"wish-{number}") for number in range(20)]
    async with mesh.batch_producer() as producer:
        partition = partition_of(b"doctor", mesh.settings.topic_partitions)
        await producer.publish_as_one(batch_with_a_byte_name(wishes[:10], spoilt=4), partition)
        await producer.publish_as_one(batch_with_a_byte_name(wishes[10:], spoilt=0, codec=1), partition)
        await mesh.decided()

        events = await mesh.read_events()
        assert events.outcomes().keys() == {f"wish-{number}" for number in range(20) if number not in {4, 10}}
        assert events.tally() == {"booked": 18}
        assert len(events.records) == 18
        check_byte_names(await mesh.read("booking.commands.v1.dlq"), {(partition, 4), (partition, 10)})
        assert worker.runs
        await mesh.is_clean(producer.acknowledged)


async def test_a_stream_processor_sets_an_event_aside_whose_header_has_a_name_that_is_not_utf8(mesh: Mesh) -> None:
    consumer = mesh.consumer()
    async with mesh.python_producer() as producer:
        await producer.publish([book("doctor", f"patient-{number}", slot(number), f"wish-{number}") for number in range(9)])
        await mesh.decided()
    await consumer.terminate()
    booked = await mesh.read("booking.events.v1")
    async with mesh.batch_producer(mesh.events_topic) as forger:
        # As copies of what lies there: one of them with a header that somebody on the way has added.
        copies = [Message(event.key, event.value, event.headers) for event in booked]
        await forger.publish_as_one(batch_with_a_byte_name(copies, spoilt=4), booked[0].partition)
    processor = mesh.processor()
    await mesh.noticed()

    check_byte_names(await mesh.read("booking.events.v1.dlq"), {(booked[0].partition, 13)})
    requests = [record.header("ce_id") for record in await mesh.read("notify.commands.v1")]
    assert (len(set(requests)), len(requests)) == (18, 34), "each event and each of the other copies was told"
    assert processor.runs


def batch_with_a_byte_name(messages: Sequence[Message], *, spoilt: int, codec: int = 0) -> Any:
    """All in one batch, as a fetch brings it; one has a header with such a name."""
    batch = batch_builder(codec)
    for number, message in enumerate(messages):
        more = [(NAME, b"content")] if number == spoilt else []
        batch.append(timestamp=1, key=message.key, value=message.value, headers=named([*message.headers, *more]))
    return batch


def check_byte_names(letters: Sequence[Lying], places: set[tuple[int, int]]) -> None:
    assert {(int(letter.header(f"{ERRORS}partition")), int(letter.header(f"{ERRORS}offset"))) for letter in letters} == places
    assert len(letters) == len(places)
    for letter in letters:
        assert letter.header(f"{ERRORS}exception.class.name") == "invalid_envelope"
        assert letter.header(SHOWN) == "content"
        assert letter.header("ce_id")


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_a_producer_compresses_as_it_pleases(mesh: Mesh, compression: str) -> None:
    worker = mesh.consumer()
    async with mesh.native_producer(compression=compression) as producer:
        await producer.publish([book("doctor", f"patient-{number}", slot(number), f"wish-{number}") for number in range(50)])
        await mesh.decided()
    assert (await mesh.read_events()).tally() == {"booked": 50}
    assert worker.runs
    await mesh.is_clean(producer.acknowledged)
