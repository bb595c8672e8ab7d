"""Locks, and the wall behind them: whoever owns a partition, nobody is in two places at once."""

import asyncio
import functools
import operator
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from services.booking.app import booking
from services.booking.store import load as store
from shared.database import Connection
from shared.path import locks
from shared.path.locks import lock_key
from shared.settings import Settings
from tests.examples import START, doctor, example_booking, example_cancel, example_confirm, example_proposal, minutes
from tests.integration.conftest import MakeWorker
from tests.integration.races import meeting_before_they_write, race_for_one_slot
from tests.integration.worker import Log, Worker, outcomes_of
from tests.system.harness.waiting import until


@asynccontextmanager
async def holding(url: str, *names: str, application: str = "somebody") -> AsyncIterator[Connection]:
    """Hold locks of booking in a transaction of another connection."""
    connection = await asyncpg.connect(url, server_settings={"application_name": application})
    try:
        await connection.execute("BEGIN")
        for name in names:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", lock_key("booking", name))
        yield connection
    finally:
        connection.terminate()


async def test_one_patient_at_two_doctors_at_once_gets_one_of_them(
    make_worker: MakeWorker, database_settings: Settings, connection: Connection
) -> None:
    service = meeting_before_they_write(database_settings, 2)
    workers = [make_worker(service=service), make_worker(service=service)]
    batches = [
        [
            log.append(
                example_booking(appointment_id=f"apt-{log.partition}-{i}", doctor_id=f"doctor-{log.partition}-{i}", patient_id=f"p-{i}")
            )
            for i in range(10)
        ]
        for log in (Log(partition=0), Log(partition=1))
    ]
    left, right = await asyncio.gather(*(worker.outcomes(*batch) for worker, batch in zip(workers, batches, strict=True)))
    for pair in zip(left, right, strict=True):
        assert sorted(pair) == ["booked", "patient_already_booked"]
    assert await connection.fetchval("SELECT count(*) FROM appointments") == 10


async def test_one_slot_asked_for_on_two_owners_of_a_partition_is_sold_once(
    make_worker: MakeWorker, database_settings: Settings, connection: Connection
) -> None:
    service = meeting_before_they_write(database_settings, 2)
    first, second = Log(partition=0), Log(partition=1)
    one = make_worker(service=service).outcomes(first.append(example_booking(appointment_id="one", patient_id="one")))
    # Overlapping, but not starting together: the unique index would not see it.
    overlapping = example_booking(appointment_id="two", patient_id="two", starts_at=START + minutes(15))
    two = make_worker(service=service).outcomes(second.append(overlapping))
    assert sorted(functools.reduce(operator.iadd, await asyncio.gather(one, two), [])) == ["booked", "slot_already_booked"]
    assert await connection.fetchval("SELECT count(*) FROM appointments") == 1


async def test_a_copy_on_two_owners_of_a_partition_is_decided_once(
    make_worker: MakeWorker, database_settings: Settings, connection: Connection
) -> None:
    service = meeting_before_they_write(database_settings, 2)
    record = Log().append(example_booking())
    one, two = await asyncio.gather(*(make_worker(service=service).handle(record) for _ in range(2)))
    assert one == two
    assert await connection.fetchval("SELECT count(*) FROM decisions") == 1


async def test_what_waits_for_a_patient_is_decided_after_the_rest_and_its_doctor_keeps_the_order(
    worker: Worker, database_url: str, connection: Connection
) -> None:
    log = Log()
    batch = [
        log.append(example_booking(appointment_id="free", doctor_id="other-doctor", patient_id="free")),
        log.append(example_booking(appointment_id="waiting", patient_id="busy")),
        log.append(example_booking(appointment_id="behind", patient_id="another")),
        log.append(example_confirm(appointment_id="waiting")),
        log.append(example_cancel(appointment_id="free", doctor_id="other-doctor", actor=doctor("other-doctor"))),
    ]
    async with holding(database_url, "patient:busy") as holder:
        handling = asyncio.create_task(worker.outcomes(*batch))
        await until(lambda: connection.fetchval("SELECT count(*) > 0 FROM decisions"), "the first is decided")
        decided = await connection.fetch('SELECT "offset" FROM decisions ORDER BY 1')
        assert [offset for (offset,) in decided] == [0, 4]
        assert await connection.fetchval("SELECT next_offset FROM positions") == 1
        assert not handling.done()
        holder.terminate()
    assert await handling == ["booked", "cancelled", "booked", "slot_already_booked", "confirmed"]
    assert await connection.fetchval("SELECT next_offset FROM positions") == 5


async def test_what_was_left_comes_first_in_the_next_batch_and_nothing_is_acknowledged_before_it(
    worker: Worker, database_url: str, connection: Connection
) -> None:
    log = Log()
    waiting = log.append(example_booking(appointment_id="waiting", patient_id="busy"))
    free = log.append(example_booking(appointment_id="free", doctor_id="other-doctor", patient_id="free"))
    async with holding(database_url, "patient:busy") as holder:
        handled = await worker.handler.handle([waiting, free])
        assert outcomes_of(handled) == ["booked"]
        assert [worker.handler.carries] == [True]
        assert list(handled.positions.values()) == [0]
        holder.terminate()
    later = Log(partition=1).append(example_booking(appointment_id="later", patient_id="another"))
    handled = await worker.handler.handle([later])
    assert outcomes_of(handled) == ["booked", "slot_already_booked"]
    assert [worker.handler.carries] == [False]
    # The first partition is done up to its end, although the second batch held only the record that was left on it.
    assert list(handled.positions.values()) == [2, 1]
    assert [tuple(row) for row in await connection.fetch("SELECT partition, next_offset FROM positions ORDER BY 1")] == [(0, 2), (1, 1)]


async def test_a_proposal_takes_its_patients_time_although_it_carries_no_patient(worker: Worker, database_url: str) -> None:
    log = Log()
    await worker.outcomes(log.append(example_booking()), log.append(example_confirm()))
    async with holding(database_url, "patient:patient-1") as holder:
        records = [log.append(example_proposal()), log.append(example_booking(appointment_id="behind", patient_id="another"))]
        handled = await worker.handler.handle(records)
        assert (handled.messages, worker.handler.carries) == ([], True)
        holder.terminate()
    assert outcomes_of(await worker.handler.handle([])) == ["reschedule_proposed", "slot_already_booked"]


async def test_a_doctor_who_is_being_decided_about_is_waited_for(worker: Worker, database_url: str, connection: Connection) -> None:
    async with holding(database_url, "doctor:doctor-1") as holder:
        handling = asyncio.create_task(worker.outcomes(Log().append(example_booking())))
        await until(
            lambda: connection.fetchval("SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"),
            "a lock is waited for",
        )
        assert await connection.fetchval("SELECT count(*) FROM decisions") == 0
        holder.terminate()
    assert await handling == ["booked"]


@pytest.mark.parametrize("doctor_id, outcome", [("doctor-1", "confirmed"), ("another", "appointment_not_found")])
async def test_an_appointment_that_appears_while_locks_are_taken_is_looked_at_again(
    doctor_id: str, outcome: str, make_worker: MakeWorker, database_settings: Settings
) -> None:
    parties, calls = store.parties, []

    async def parties_then_somebody_books(connection: Connection, ids: Any) -> Any:
        found = await parties(connection, ids)
        calls.append(dict(found))
        if len(calls) == 1:
            assert await make_worker().outcomes(Log(partition=1).append(example_booking())) == ["booked"]
        return found

    worker = make_worker(service=replace(booking(database_settings), parties=parties_then_somebody_books))
    assert await worker.outcomes(Log().append(example_confirm(doctor_id=doctor_id))) == [outcome]
    assert [list(found) for found in calls] == [[], ["apt-1"]]


async def test_an_appointment_booked_in_the_same_batch_does_not_appear(make_worker: MakeWorker, database_settings: Settings) -> None:
    parties, calls = store.parties, []

    async def counted(connection: Connection, ids: Any) -> Any:
        calls.append(ids)
        return await parties(connection, ids)

    log = Log()
    worker = make_worker(service=replace(booking(database_settings), parties=counted))
    assert await worker.outcomes(log.append(example_booking()), log.append(example_confirm())) == ["booked", "confirmed"]
    assert len(calls) == 1


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize("others", [1, 3])
async def test_without_locks_the_unique_index_sells_a_slot_once_and_the_loser_is_refused(
    others: int, make_worker: MakeWorker, database_settings: Settings, connection: Connection
) -> None:
    await race_for_one_slot(others, make_worker, database_settings, connection)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a lock asks soon who holds it."""
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(locks, "STUCK_AFTER_SECONDS", 0.5)


@pytest.mark.usefixtures("impatient")
async def test_a_process_that_stopped_in_the_middle_of_a_copy_holds_up_nobody(worker: Worker, database_url: str) -> None:
    copying, never = asyncio.Event(), asyncio.Event()

    async def stopped() -> AsyncIterator[bytes]:
        yield b"stopped-1\t"
        copying.set()
        await never.wait()

    async with holding(database_url, "doctor:doctor-1", application="caremesh-booking") as holder:
        copy = asyncio.create_task(holder.copy_to_table("positions", schema_name="booking", source=stopped()))
        await copying.wait()
        assert await worker.outcomes(Log().append(example_booking())) == ["booked"]
        never.set()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await copy


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("application", ["psql", "somebody-caremesh"])
async def test_a_holder_that_is_none_of_ours_is_left_alone(
    application: str, worker: Worker, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Queue[None]()
    end_stuck_holders = locks._end_stuck_holders

    async def ask(rescuer: Any, waiter: int) -> None:
        await end_stuck_holders(rescuer, waiter)
        asked.put_nowait(None)

    monkeypatch.setattr(locks, "_end_stuck_holders", ask)
    async with holding(database_url, "doctor:doctor-1", application=application) as holder:
        handling = asyncio.create_task(worker.outcomes(Log().append(example_booking())))
        await asked.get()
        await asked.get()
        assert await holder.fetchval("SELECT 'still here'") == "still here"
        assert not handling.done()
        holder.terminate()
    assert await handling == ["booked"]


@pytest.mark.usefixtures("impatient")
async def test_a_holder_of_ours_that_is_not_stuck_for_long_is_left_alone(
    worker: Worker, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "STUCK_AFTER_SECONDS", 60.0)
    asked = asyncio.Event()
    end_stuck_holders = locks._end_stuck_holders

    async def ask(rescuer: Any, waiter: int) -> None:
        await end_stuck_holders(rescuer, waiter)
        asked.set()

    monkeypatch.setattr(locks, "_end_stuck_holders", ask)
    async with holding(database_url, "doctor:doctor-1", application="caremesh-booking") as holder:
        handling = asyncio.create_task(worker.outcomes(Log().append(example_booking())))
        await asked.wait()
        assert await holder.fetchval("SELECT 'still here'") == "still here"
        holder.terminate()
    assert await handling == ["booked"]


def test_a_locks_key_is_the_same_in_every_process() -> None:
    assert lock_key("booking", "doctor:doctor-1") == lock_key("booking", "doctor:doctor-1")
    assert lock_key("booking", "doctor:x") != lock_key("booking", "patient:x")
    assert lock_key("booking", "doctor:x") != lock_key("calls", "doctor:x")
    assert -(2**63) <= lock_key("booking", "doctor:x") < 2**63
    # Written down: another value would let an old and a new version of a service hold the same doctor.
    assert lock_key("booking", "doctor:doctor-1") == KEY_OF_DOCTOR_1


KEY_OF_DOCTOR_1 = 4230608711043827159
