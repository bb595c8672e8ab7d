"""Records outside their doctor's order, as of two versions side by side: ownership of a partition is no safety argument, locks are."""

import asyncio

from tests.system.harness.commands import book, slot
from tests.system.harness.mesh import Mesh
from tests.system.harness.waiting import SOAK

RACES = 100 * SOAK


async def two_workers(mesh: Mesh) -> tuple[int, int]:
    """Start two workers; return a partition of each."""
    mesh.consumer()
    mesh.consumer()
    await mesh.assigned(2)
    return 0, mesh.settings.topic_partitions - 1


async def test_a_doctor_whose_commands_lie_on_two_partitions_is_never_booked_twice(mesh: Mesh) -> None:
    places = await two_workers(mesh)
    wishes = {
        place: [book("doctor", f"patient-{n}-{place}", slot(n), f"wish-{n}-{place}").on(place) for n in range(RACES)] for place in places
    }
    async with mesh.python_producer() as one, mesh.native_producer() as two:
        for begin in range(0, RACES, 10):
            await asyncio.gather(
                *(producer.publish(wishes[place][begin : begin + 10]) for producer, place in zip((one, two), places, strict=True))
            )
        acknowledged = [*one.acknowledged, *two.acknowledged]
    await mesh.decided()

    events = await mesh.read_events()
    assert events.tally() == {"booked": RACES, "409 slot_already_booked": RACES}
    assert len({event["starts_at"] for event in events.of_type("booked")}) == RACES
    report = await mesh.is_clean(acknowledged)
    assert report.counts.misrouted_commands == RACES


async def test_a_command_and_its_copy_on_another_partition_are_one_decision(mesh: Mesh) -> None:
    places = await two_workers(mesh)
    wishes = [book("doctor", f"patient-{n}", slot(n), f"wish-{n}") for n in range(RACES)]
    async with mesh.python_producer() as one, mesh.native_producer() as two:
        for wish in wishes:
            await asyncio.gather(one.publish([wish.on(places[0])]), two.publish([wish.on(places[1])]))
        acknowledged = [*one.acknowledged, *two.acknowledged]
    await mesh.decided()

    events = await mesh.read_events()
    assert events.tally() == {"booked": RACES}
    assert events.differing() == []
    await mesh.is_clean(acknowledged)


async def test_an_identity_used_at_once_for_two_doctors_is_decided_for_one_and_set_aside_for_the_other(mesh: Mesh) -> None:
    places = await two_workers(mesh)
    async with mesh.python_producer() as one, mesh.native_producer() as two:
        for n in range(RACES):
            doctors = [book(doctor, f"patient-{n}", slot(n), f"wish-{n}") for doctor in ("doctor-a", "doctor-b")]
            await asyncio.gather(one.publish([doctors[0].on(places[0])]), two.publish([doctors[1].on(places[1])]))
        acknowledged = [*one.acknowledged, *two.acknowledged]
    await mesh.decided()

    events = await mesh.read_events()
    assert events.tally() == {"booked": RACES}
    letters = await mesh.read("booking.commands.v1.dlq")
    reasons = {letter.header("caremesh_dead_letter_id"): letter.header("__connect.errors.exception.class.name") for letter in letters}
    assert sorted(set(reasons.values())) == ["idempotency_conflict"]
    assert len(reasons) == RACES
    await mesh.is_clean(acknowledged)
