"""Three faults that a path like this could have, brought in by the tests' launcher alone: the auditor finds each of them.

What the mutants do to their load, the real workers take without a violation in the other tests.
"""

import asyncio

from shared.auditor import Report, ViolationKind
from tests.system.harness.commands import book, slot
from tests.system.harness.mesh import Mesh
from tests.system.harness.waiting import until

#: So much load is enough to betray a mutant.
ROUNDS = 40


async def test_without_locks_and_without_the_unique_index_the_auditor_finds_double_bookings_of_doctors_and_patients(mesh: Mesh) -> None:
    await mesh.execute("DROP INDEX appointments_hold_a_slot_once")
    mesh.consumer("no_locks")
    mesh.consumer("no_locks")
    await mesh.assigned(2)
    places = 0, mesh.settings.topic_partitions - 1
    wanted = {ViolationKind.DOCTOR_OVERLAP, ViolationKind.PATIENT_OVERLAP}
    found: set[ViolationKind] = set()
    async with mesh.python_producer() as one, mesh.python_producer() as two:
        for number in range(ROUNDS):
            await asyncio.gather(
                *(
                    producer.publish(
                        [
                            # One doctor on two partitions, for two patients; and one patient with two doctors.
                            *(book("doctor", f"patient-{n}-{place}", slot(n), f"d-{n}-{place}").on(place) for n in slots),
                            *(book(f"doctor-{place}", "patient", slot(n), f"p-{n}-{place}").on(place) for n in slots),
                        ]
                    )
                    for producer, place, slots in ((one, places[0], twenty(number)), (two, places[1], twenty(number)))
                )
            )
            if number % 5 == 4:
                await mesh.decided()
                found |= (await mesh.audit()).kinds()
            if found >= wanted:
                break
    assert found >= wanted


def twenty(number: int) -> range:
    return range(20 * number, 20 * number + 20)


async def test_offsets_committed_before_the_transaction_are_found_as_commands_without_an_outcome(mesh: Mesh) -> None:
    async with mesh.python_producer() as producer:
        # All lie there before anybody reads, so that its batches are full.
        await producer.publish([book("doctor", f"patient-{n}", slot(n), f"wish-{n}") for n in range(100)])
        mutant = mesh.consumer("session_timeout=3", "commit_before_transaction=3", CAREMESH_BATCH_MAX_RECORDS="20")
        assert await mutant.ended() == -9
        report = await mesh.audit(producer.acknowledged)
        assert ViolationKind.MISSING_OUTCOME in report.kinds()
        assert lost(report) == {f"wish-{n}" for n in range(40, 60)}

        # A real worker sees it too, and would rather not start.
        refusing = mesh.consumer()
        assert await refusing.ended() == 78


def lost(report: Report) -> set[str | None]:
    return {record.id for violation in report.violations if violation.kind is ViolationKind.MISSING_OUTCOME for record in violation.records}


async def test_decisions_that_are_not_recalled_are_found_as_commands_decided_twice(mesh: Mesh) -> None:
    await mesh.execute("ALTER TABLE decisions DROP CONSTRAINT decisions_pkey")
    mesh.consumer("no_recall")
    wishes = [book("doctor", f"patient-{n}", slot(n), f"wish-{n}") for n in range(30)]
    async with mesh.python_producer() as producer:
        await producer.publish(wishes)
        await mesh.decided()
        assert (await mesh.audit(producer.acknowledged)).passed
        await producer.publish(wishes)
        await mesh.decided()

        async def is_found() -> bool:
            report = await mesh.audit(producer.acknowledged)
            return bool(report.kinds() & {ViolationKind.SEVERAL_OUTCOMES, ViolationKind.COPIES_DIFFER})

        await until(is_found, "the auditor finds it", seconds=10)
