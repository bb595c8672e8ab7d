"""Records that nobody can decide, in crowds."""

import asyncio
import hashlib

from shared.auditor.partitioning import partition_of
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
