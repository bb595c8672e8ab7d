"""One time, and two who want it, each by another kind of command: whoever lies second in the log is refused, and never do both have it."""

import asyncio
from collections.abc import Sequence

from tests.system.harness.commands import Message, accept, block, book, propose, slot, take_in, unblock
from tests.system.harness.mesh import Mesh
from tests.system.harness.producers import Publishes
from tests.system.harness.reading import Events, ending
from tests.system.harness.waiting import SOAK
from tests.system.test_one_decision import doctors_of_two_workers

RACES = 200 * SOAK
#: At a time, from each producer.
CHUNK = 10


async def race(producers: tuple[Publishes, Publishes], lefts: Sequence[Message], rights: Sequence[Message]) -> None:
    """Publish both sides from two producers at once, a few at a time so that they meet."""
    for begin in range(0, RACES, CHUNK):
        # By turns the one or the other is a little ahead.
        first, second = producers if begin // CHUNK % 2 else producers[::-1]
        left, right = first.publish(lefts[begin : begin + CHUNK]), second.publish(rights[begin : begin + CHUNK])
        await asyncio.gather(*((left, right) if begin // CHUNK % 4 < 2 else (right, left)))


def check_pairs(events: Events, left: str, right: str, *, won: tuple[str, str], lost: tuple[str, str]) -> None:
    """Of each pair one won, and the other was refused for it."""
    outcomes = events.outcomes()
    endings = [(ending(outcomes[f"{left}-{number}"]), ending(outcomes[f"{right}-{number}"])) for number in range(RACES)]
    assert set(endings) <= {(won[0], lost[1]), (lost[0], won[1])}, set(endings)


async def test_a_proposal_and_a_booking_of_one_time_200_times_are_never_both_taken(mesh: Mesh) -> None:
    mesh.consumer()
    mesh.consumer()
    numbers = range(RACES)
    standing = [take_in("doctor", f"patient-{n}", slot(n), f"import-{n}", f"apt-{n}") for n in numbers]
    proposals = [propose(f"apt-{n}", "doctor", slot(RACES + n), f"propose-{n}") for n in numbers]
    bookings = [book("doctor", f"other-{n}", slot(RACES + n), f"book-{n}") for n in numbers]
    async with mesh.python_producer() as one, mesh.native_producer() as two:
        await one.publish(standing)
        await mesh.decided()
        await race((one, two), proposals, bookings)
        await mesh.decided()
        events = await mesh.read_events()
        taken = ("reschedule_proposed", "booked")
        check_pairs(events, "propose", "book", won=taken, lost=("409 slot_already_booked", "409 slot_already_booked"))

        # Who accepts gives the old time back; somebody waits for just that.
        acceptances = [accept(f"apt-{n}", "doctor", f"accept-{n}", patient=f"patient-{n}") for n in numbers]
        waiting = [book("doctor", f"late-{n}", slot(n), f"late-{n}") for n in numbers]
        await race((one, two), acceptances, waiting)
        await mesh.decided()
        acknowledged = [*one.acknowledged, *two.acknowledged]
    outcomes = (await mesh.read_events()).outcomes()
    for n in numbers:
        moved = ending(outcomes[f"propose-{n}"]) == "reschedule_proposed"
        accepted, late = outcomes[f"accept-{n}"], outcomes[f"late-{n}"]
        assert ending(accepted) == ("rescheduled" if moved else "409 wrong_status")
        is_free = moved and accepted["decision"]["offset"] < late["decision"]["offset"]
        assert ending(late) == ("booked" if is_free else "409 slot_already_booked"), n
    await mesh.is_clean(acknowledged)


async def test_a_proposal_and_a_booking_of_one_patient_with_two_doctors_are_never_both_taken(mesh: Mesh) -> None:
    mesh.consumer()
    mesh.consumer()
    await mesh.assigned(2)
    mine, another = await doctors_of_two_workers(mesh)
    numbers = range(RACES)
    standing = [take_in(mine, "patient", slot(n), f"import-{n}", f"apt-{n}") for n in numbers]
    proposals = [propose(f"apt-{n}", mine, slot(RACES + n), f"propose-{n}") for n in numbers]
    bookings = [book(another, "patient", slot(RACES + n), f"book-{n}") for n in numbers]
    async with mesh.python_producer() as one, mesh.native_producer() as two:
        await one.publish(standing)
        await mesh.decided()
        await race((one, two), proposals, bookings)
        await mesh.decided()
        acknowledged = [*one.acknowledged, *two.acknowledged]
    refused = ("409 patient_already_booked", "409 patient_already_booked")
    check_pairs(await mesh.read_events(), "propose", "book", won=("reschedule_proposed", "booked"), lost=refused)
    await mesh.is_clean(acknowledged)


async def test_time_off_and_a_booking_of_one_time_200_times_are_never_both_taken(mesh: Mesh) -> None:
    mesh.consumer()
    mesh.consumer()
    numbers = range(RACES)
    blocks = [block(f"off-{n}", "doctor", slot(2 * n), slot(2 * n + 2), f"block-{n}") for n in numbers]
    # The first or the second half of what is to be blocked.
    bookings = [book("doctor", f"patient-{n}", slot(2 * n + n % 2), f"book-{n}") for n in numbers]
    async with mesh.python_producer() as one, mesh.native_producer() as two:
        await race((one, two), blocks, bookings)
        await mesh.decided()
        events = await mesh.read_events()
        check_pairs(events, "block", "book", won=("blocked", "booked"), lost=("409 slot_already_booked", "409 slot_already_booked"))

        # What is unblocked can be booked by the next who asks.
        await race(
            (one, two),
            [unblock(f"off-{n}", "doctor", f"unblock-{n}") for n in numbers],
            [book("doctor", f"late-{n}", slot(2 * n + n % 2), f"late-{n}") for n in numbers],
        )
        await mesh.decided()
        acknowledged = [*one.acknowledged, *two.acknowledged]
    outcomes = (await mesh.read_events()).outcomes()
    for n in numbers:
        was_blocked = ending(outcomes[f"block-{n}"]) == "blocked"
        freed, late = outcomes[f"unblock-{n}"], outcomes[f"late-{n}"]
        assert ending(freed) == ("unblocked" if was_blocked else "404 time_off_not_found")
        is_free = was_blocked and freed["decision"]["offset"] < late["decision"]["offset"]
        assert ending(late) == ("booked" if is_free else "409 slot_already_booked"), n
    await mesh.is_clean(acknowledged)
