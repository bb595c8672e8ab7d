"""Records outside their doctor's order, as of two versions side by side: ownership of a partition is no safety argument, locks are."""

import asyncio

from tests.system.harness.commands import book, slot
from tests.system.harness.mesh import Mesh
from tests.system.harness.producers import Publishes
from tests.system.harness.waiting import SOAK, until

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
        producers: tuple[Publishes, ...] = (one, two)
        for begin in range(0, RACES, 10):
            await asyncio.gather(
                *(producer.publish(wishes[place][begin : begin + 10]) for producer, place in zip(producers, places, strict=True))
            )
        acknowledged = [*one.acknowledged, *two.acknowledged]
    await mesh.decided()

    events = await mesh.read_events()
    assert events.tally() == {"booked": RACES, "409 slot_already_booked": RACES}
    assert len({event["starts_at"] for event in events.of_type("booked")}) == RACES
    report = await mesh.is_clean(acknowledged)
    assert report.counts["booking"].misrouted_commands == RACES


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
    """Nothing but the primary keys stands between them: no lock is common to both."""
    workers = [mesh.consumer("stop_after_recall=0"), mesh.consumer("stop_after_recall=0")]
    await mesh.assigned(2)
    async with mesh.python_producer() as producer:
        await producer.publish([book("doctor-a", "patient-a", slot(0), "wish").on(0)])
        await until(lambda: any(worker.is_stopped() for worker in workers), "one worker has seen that the command is new", step=0.01)
        await producer.publish([book("doctor-b", "patient-b", slot(0), "wish").on(mesh.settings.topic_partitions - 1)])

        async def is_decided() -> bool:
            return await mesh.query("SELECT messages FROM decisions") != []

        # Within the stopped one's session: nobody takes its partition yet.
        await until(is_decided, "the other decides it for its own doctor", seconds=8)
        for worker in workers:
            worker.go_on()
        await mesh.decided()

    events = await mesh.read_events()
    assert events.tally() == {"booked": 1}
    assert events.outcome("wish")["doctor_id"] == "doctor-b"
    letters = await mesh.read("booking.commands.v1.dlq")
    assert {letter.header("__connect.errors.exception.class.name") for letter in letters} == {"idempotency_conflict"}
    await mesh.is_clean(producer.acknowledged)
