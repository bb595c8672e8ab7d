"""One slot, one patient, one command: whoever asks, however often, one decision."""

import asyncio

from tests.system.harness.commands import book, slot
from tests.system.harness.mesh import Mesh
from tests.system.harness.producers import Publishes


async def test_of_200_patients_who_race_for_one_slot_one_is_booked_and_199_are_refused_with_409(mesh: Mesh) -> None:
    mesh.consumer()
    mesh.consumer()
    wishes = [book("doctor", f"patient-{number}", slot(0), f"wish-{number}") for number in range(200)]
    async with (
        mesh.python_producer() as one,
        mesh.python_producer() as two,
        mesh.native_producer() as three,
        mesh.native_producer() as four,
    ):
        producers: tuple[Publishes, ...] = (one, two, three, four)
        await asyncio.gather(*(producer.publish(wishes[number::4]) for number, producer in enumerate(producers)))
        acknowledged = [place for producer in producers for place in producer.acknowledged]
    await mesh.decided()

    events = await mesh.read_events()
    assert events.tally() == {"booked": 1, "409 slot_already_booked": 199}
    winner = events.of_type("booked")[0]
    assert {refusal["conflict"]["appointment_id"] for refusal in events.of_type("rejected")} == {winner["appointment_id"]}
    assert min(record[2] for record in acknowledged) == winner["decision"]["offset"]
    assert await mesh.query("SELECT count(*) FROM appointments") == [(1,)]
    await mesh.is_clean(acknowledged)


async def test_a_command_published_50_times_at_once_from_four_producers_gives_one_decision(mesh: Mesh) -> None:
    mesh.consumer()
    mesh.consumer()
    wish = book("doctor", "patient", slot(0), "wish")
    async with (
        mesh.python_producer() as one,
        mesh.python_producer() as two,
        mesh.native_producer() as three,
        mesh.native_producer() as four,
    ):
        producers: tuple[Publishes, ...] = (one, two, three, four)
        await asyncio.gather(*(producer.publish([wish] * count) for producer, count in zip(producers, (13, 13, 12, 12), strict=True)))
        acknowledged = [place for producer in producers for place in producer.acknowledged]
    assert len(set(acknowledged)) == 50
    await mesh.decided()

    events = await mesh.read_events()
    assert len(events.by_id) == 1
    assert len(events.records) >= 50
    assert events.differing() == []
    assert await mesh.query("SELECT source, id, type FROM decisions") == [("/tests", "wish", "booking.appointment.book.v1")]
    assert await mesh.query("SELECT count(*) FROM appointments") == [(1,)]
    report = await mesh.is_clean(acknowledged)
    assert (report.counts["booking"].commands, report.counts["booking"].command_copies) == (1, 49)


async def test_two_doctors_on_two_partitions_who_race_for_one_patient_200_times_never_both_win(mesh: Mesh) -> None:
    mesh.consumer()
    mesh.consumer()
    await mesh.assigned(2)
    doctors = await doctors_of_two_workers(mesh)
    wishes = {doctor: [book(doctor, "patient", slot(number), f"{doctor}-{number}") for number in range(200)] for doctor in doctors}
    async with mesh.python_producer() as one, mesh.native_producer() as two:
        producers: tuple[Publishes, ...] = (one, two)
        for begin in range(0, 200, 20):
            await asyncio.gather(
                *(producer.publish(wishes[doctor][begin : begin + 20]) for producer, doctor in zip(producers, doctors, strict=True))
            )
        acknowledged = [*one.acknowledged, *two.acknowledged]
    await mesh.decided()

    events = await mesh.read_events()
    assert events.tally() == {"booked": 200, "409 patient_already_booked": 200}
    outcomes = events.outcomes()
    for number in range(200):
        pair = {outcomes[f"{doctor}-{number}"]["type"] for doctor in doctors}
        assert pair == {"booking.appointment.booked.v1", "booking.appointment.rejected.v1"}, number
    await mesh.is_clean(acknowledged)


async def doctors_of_two_workers(mesh: Mesh) -> tuple[str, str]:
    """Two doctors whose partitions lie far apart, so that a range of partitions each gives them to two workers."""
    from aiokafka.partitioner import murmur2

    partitions = mesh.settings.topic_partitions
    by_partition = {(murmur2(f"doctor-{number}".encode()) & 0x7FFFFFFF) % partitions: f"doctor-{number}" for number in range(100)}
    return by_partition[0], by_partition[partitions - 1]
