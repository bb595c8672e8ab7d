"""The path on a real database: copies, redelivery, positions, and what happens within one batch."""

import asyncio
from typing import Any

import pytest

from shared.codec.record import StoredRecord
from shared.messages.booking import AppointmentStatus
from tests.examples import (
    MILLISECOND,
    NOW,
    START,
    example_acceptance,
    example_block,
    example_booking,
    example_cancel,
    example_completion,
    example_confirm,
    example_decline,
    example_expire,
    example_import,
    example_no_show,
    example_proposal,
    example_rejection,
    example_unblock,
    example_warning,
    example_withdrawal,
    hours,
    minutes,
    patient,
)
from tests.integration.conftest import MakeWorker
from tests.integration.worker import Log, Worker, headers_of, outcome_of, value_of
from tests.unit.codec.records import with_fields

Connection = Any  # asyncpg's own is generic for type checkers alone


async def positions(connection: Connection) -> dict[int, int]:
    rows = await connection.fetch("SELECT partition, next_offset FROM positions WHERE consumer_group = 'test-booking'")
    return dict(map(tuple, rows))


async def statuses(connection: Connection) -> dict[str, str]:
    return dict(map(tuple, await connection.fetch("SELECT appointment_id, status FROM appointments")))


async def test_an_appointment_goes_its_way_through_the_database(worker: Worker, connection: Connection) -> None:
    log = Log()
    assert await worker.outcomes(log.append(example_booking())) == ["booked"]
    assert await worker.outcomes(log.append(example_confirm(), at=NOW + minutes(1))) == ["confirmed"]
    assert await worker.outcomes(log.append(example_cancel(), at=NOW + minutes(2))) == ["cancelled"]
    row = dict(await connection.fetchrow("SELECT * FROM appointments") or {})
    assert row == {
        "appointment_id": "apt-1",
        "doctor_id": "doctor-1",
        "patient_id": "patient-1",
        "starts_at": START,
        "ends_at": START + minutes(30),
        "modality": "video",
        "user_timezone": "UTC",
        "status": "cancelled",
        "created_at": NOW,
        "updated_at": NOW + minutes(2),
        "expires_at": None,
        "warned_at": None,
        "cancelled_by": "patient",
        "cancellation_reason": None,
        "changed_by_type": "booking.appointment.cancel.v1",
        "changed_by_id": "command-0-3",
        "version": 3,
        "held_since": None,
        "proposed_starts_at": None,
        "status_before_proposal": None,
        "absent": None,
    }


async def test_every_command_of_the_first_half_in_one_batch(worker: Worker, connection: Connection) -> None:
    log = Log()
    records = [
        log.append(example_booking(appointment_id="confirmed")),
        log.append(example_booking(appointment_id="taken", patient_id="another")),
        log.append(example_confirm(appointment_id="confirmed")),
        log.append(example_booking(appointment_id="declined", starts_at=START + hours(1))),
        log.append(example_decline(appointment_id="declined")),
        log.append(example_booking(appointment_id="expired", starts_at=START + hours(2))),
        log.append(example_warning(appointment_id="expired"), at=NOW + hours(23)),
        log.append(example_expire(appointment_id="expired"), at=NOW + hours(24)),
        log.append(example_expire(appointment_id="expired"), at=NOW + hours(24) + MILLISECOND),
        log.append(example_cancel(appointment_id="confirmed"), at=NOW + hours(25)),
        log.append(example_confirm(appointment_id="unknown")),
    ]
    assert await worker.outcomes(*records) == [
        "booked",
        "slot_already_booked",
        "confirmed",
        "booked",
        "declined",
        "booked",
        "expiring",
        "not_due",
        "expired",
        "cancelled",
        "appointment_not_found",
    ]
    assert set((await statuses(connection)).values()) == {"cancelled"}
    assert await connection.fetchval("SELECT count(*) FROM decisions") == len(records)


async def test_every_command_of_the_second_half_in_one_batch(worker: Worker, connection: Connection) -> None:
    log = Log()
    later = START + hours(3)
    records = [
        log.append(example_booking(appointment_id="moved")),
        log.append(example_proposal(appointment_id="moved", starts_at=later)),
        log.append(example_booking(appointment_id="taken", patient_id="another", starts_at=later)),
        log.append(example_booking(appointment_id="taken-too", patient_id="another")),
        log.append(example_acceptance(appointment_id="moved")),
        log.append(example_import(appointment_id="imported", patient_id="another")),
        log.append(example_proposal(appointment_id="imported", starts_at=later + minutes(30))),
        log.append(example_rejection(appointment_id="imported", actor=patient("another"))),
        log.append(example_proposal(appointment_id="imported", starts_at=later + minutes(60))),
        log.append(example_withdrawal(appointment_id="imported")),
        log.append(example_block(starts_at=START, ends_at=START + hours(1))),
        log.append(example_block(starts_at=START + hours(1), ends_at=START + hours(2))),
        log.append(example_booking(appointment_id="off", patient_id="a-third", starts_at=START + hours(1))),
        log.append(example_unblock()),
        log.append(example_booking(appointment_id="on", patient_id="a-third", starts_at=START + hours(1))),
        log.append(example_completion(appointment_id="imported"), at=START),
        log.append(example_no_show(appointment_id="moved"), at=later - MILLISECOND),
        log.append(example_no_show(appointment_id="moved"), at=later),
    ]
    assert await worker.outcomes(*records) == [
        "booked",
        "reschedule_proposed",
        "slot_already_booked",
        "slot_already_booked",
        "rescheduled",
        "imported",
        "reschedule_proposed",
        "reschedule_rejected",
        "reschedule_proposed",
        "reschedule_withdrawn",
        "slot_already_booked",
        "blocked",
        "slot_already_booked",
        "unblocked",
        "booked",
        "completed",
        "not_due",
        "no_show",
    ]
    assert await statuses(connection) == {"moved": "no_show", "imported": "completed", "on": "pending"}
    assert await connection.fetchval("SELECT status FROM time_off") == "unblocked"


@pytest.mark.parametrize("cut", [1, 2, 3, 6])
async def test_two_appointments_change_places_whatever_the_batches(cut: int, worker: Worker, connection: Connection) -> None:
    log = Log()
    here, there, elsewhere = START, START + hours(1), START + hours(2)
    await worker.handle(
        log.append(example_import(appointment_id="one")),
        log.append(example_import(appointment_id="two", patient_id="another", starts_at=there)),
    )
    records = [
        log.append(example_proposal(appointment_id="one", starts_at=elsewhere)),
        log.append(example_acceptance(appointment_id="one")),
        log.append(example_proposal(appointment_id="two", starts_at=here)),
        log.append(example_acceptance(appointment_id="two", actor=patient("another"))),
        log.append(example_proposal(appointment_id="one", starts_at=there)),
        log.append(example_acceptance(appointment_id="one")),
    ]
    outcomes = [word for i in range(0, len(records), cut) for word in await worker.outcomes(*records[i : i + cut])]
    assert outcomes == ["reschedule_proposed", "rescheduled"] * 3
    rows = await connection.fetch("SELECT appointment_id, starts_at, ends_at, proposed_starts_at, held_since FROM appointments ORDER BY 1")
    assert list(map(tuple, rows)) == [("one", there, there + minutes(30), None, NOW), ("two", here, here + minutes(30), None, NOW)]


async def test_a_slot_freed_in_a_batch_is_taken_in_the_same_batch(worker: Worker, connection: Connection) -> None:
    log = Log()
    await worker.handle(log.append(example_booking(appointment_id="first")))
    records = [
        log.append(example_cancel(appointment_id="first")),
        log.append(example_booking(appointment_id="second", patient_id="another")),
        log.append(example_cancel(appointment_id="second", actor=patient("another"))),
        log.append(example_booking(appointment_id="third", patient_id="a-third")),
    ]
    assert await worker.outcomes(*records) == ["cancelled", "booked", "cancelled", "booked"]
    assert await statuses(connection) == {"first": "cancelled", "second": "cancelled", "third": "pending"}


async def test_a_lapsed_appointment_gives_its_slot_to_the_next_who_asks(worker: Worker, connection: Connection) -> None:
    log = Log()
    await worker.handle(log.append(example_booking(appointment_id="lapsed")))
    deadline = NOW + hours(24)
    late = log.append(example_booking(appointment_id="next", patient_id="another"), at=deadline + MILLISECOND)
    messages = await worker.handle(late)
    assert [outcome_of(message) for message in messages] == ["booked", "expired"]
    outcome, expired = map(value_of, messages)
    assert (outcome["decision"]["index"], expired["decision"]["index"]) == (0, 1)
    assert expired["time"] == "2030-01-08T12:00:00Z"
    assert expired["decision"]["command"]["id"] == outcome["decision"]["command"]["id"]
    assert await statuses(connection) == {"lapsed": "cancelled", "next": "pending"}
    # The sweep comes later, and finds it done.
    assert await worker.outcomes(log.append(example_expire(appointment_id="lapsed"), at=deadline + minutes(1))) == ["wrong_status"]


async def test_copies_in_a_batch_are_answered_with_the_same_messages(worker: Worker, connection: Connection) -> None:
    log = Log()
    record = log.append(example_booking())
    messages = await worker.handle(record, log.append_again(record), log.append_again(record))
    assert len(messages) == 3
    assert messages[0] == messages[1] == messages[2]
    assert await connection.fetchval("SELECT count(*) FROM decisions") == 1


async def test_a_redelivered_batch_is_answered_byte_for_byte(worker: Worker, make_worker: MakeWorker, connection: Connection) -> None:
    log = Log()
    batch = [
        log.append(example_booking()),
        log.append(example_booking(appointment_id="taken", patient_id="another")),
        with_offset(with_fields(starts_at="soon"), 2, "malformed"),
        log.append(example_confirm()),
    ]
    first = await worker.handle(*batch)
    decided = await connection.fetch("SELECT * FROM decisions ORDER BY id")
    rows = await connection.fetch("SELECT * FROM appointments")
    assert await make_worker().handle(*batch) == first
    assert [message for record in batch for message in await make_worker().handle(record)] == first
    assert await connection.fetch("SELECT * FROM decisions ORDER BY id") == decided
    assert await connection.fetch("SELECT * FROM appointments") == rows


async def test_a_copy_after_newer_decisions_gets_the_old_answer(worker: Worker, connection: Connection) -> None:
    log = Log()
    record = log.append(example_booking())
    [booked] = await worker.handle(record)
    await worker.handle(log.append(example_confirm()))
    assert await worker.handle(log.append_again(record)) == [booked]
    assert await statuses(connection) == {"apt-1": "confirmed"}


async def test_a_copy_of_a_refused_command_is_refused_again_although_it_would_now_succeed(worker: Worker) -> None:
    log = Log()
    await worker.handle(log.append(example_booking(appointment_id="first")))
    record = log.append(example_booking(appointment_id="second", patient_id="another"))
    refused = await worker.handle(record)
    await worker.handle(log.append(example_cancel(appointment_id="first")))
    assert await worker.handle(log.append_again(record)) == refused
    assert [outcome_of(message) for message in refused] == ["slot_already_booked"]


async def test_a_copy_of_a_sweeps_command_is_silent_unless_it_is_the_same_record(worker: Worker) -> None:
    log = Log()
    await worker.handle(log.append(example_booking()))
    sweep = log.append(example_expire(), at=NOW + hours(25))
    elsewhere = log.append_again(sweep)
    expired = await worker.handle(sweep, elsewhere)
    assert [outcome_of(message) for message in expired] == ["expired"]
    assert await worker.handle(elsewhere) == []
    assert await worker.handle(sweep) == expired


async def test_an_identity_is_used_once_and_its_first_outcome_stands(worker: Worker, connection: Connection) -> None:
    log = Log()
    first = log.append(example_booking(), identifier="the-id")
    booked = await worker.handle(first)
    other_data = log.append(example_booking(duration_minutes=60), identifier="the-id")
    other_type = log.append(example_cancel(), identifier="the-id")
    other_key = log.append(example_booking(doctor_id="another"), identifier="the-id")
    messages = await worker.handle(other_data, other_type, other_key)
    assert [outcome_of(message) for message in messages] == ["[idempotency_conflict]"] * 3
    assert [headers_of(message)["__connect.errors.stage"] for message in messages] == ["TASK_PUT"] * 3
    assert await worker.handle(first) == booked
    assert await statuses(connection) == {"apt-1": "pending"}


async def test_an_identity_used_twice_in_a_batch_counts_the_first_time(worker: Worker) -> None:
    log = Log()
    batch = [
        log.append(example_booking(), identifier="the-id"),
        log.append(example_booking(duration_minutes=60), identifier="the-id"),
    ]
    assert await worker.outcomes(*batch) == ["booked", "[idempotency_conflict]"]


async def test_the_same_id_from_another_source_is_another_command(worker: Worker) -> None:
    first, second = Log().append(example_booking(), identifier="the-id"), Log().append(example_confirm(), identifier="the-id")
    headers = [(name, b"/elsewhere" if name == "ce_source" else value) for name, value in second.headers]
    elsewhere = StoredRecord(second.topic, 0, 1, second.timestamp, second.key, second.value, headers)
    assert await worker.outcomes(first, elsewhere) == ["booked", "confirmed"]


async def test_wrong_data_gives_its_refusal_and_one_dead_letter(worker: Worker, connection: Connection) -> None:
    record = with_offset(with_fields(starts_at="soon"), 0, "malformed")
    messages = await worker.handle(record)
    assert [outcome_of(message) for message in messages] == ["invalid_data", "[invalid_data]"]
    assert value_of(messages[0])["status_code"] == 422
    assert messages[1].value == record.value
    assert await connection.fetchval("SELECT outcome FROM decisions") == "booking.appointment.rejected.v1 invalid_data"


async def test_what_cannot_be_read_gives_one_dead_letter_and_no_decision(worker: Worker, connection: Connection) -> None:
    record = StoredRecord("test.booking.commands.v1", 3, 41, 0, None, None)
    assert await worker.outcomes(record) == ["[tombstone]"]
    assert await connection.fetchval("SELECT count(*) FROM decisions") == 0
    assert await positions(connection) == {3: 42}


async def test_positions_are_written_with_the_decisions_and_never_go_back(worker: Worker, connection: Connection) -> None:
    left, right = Log(partition=0), Log(partition=1)
    batch = [left.append(example_booking()), right.append(example_confirm(doctor_id="another")), left.append(example_confirm())]
    await worker.handle(*batch)
    assert await positions(connection) == {0: 2, 1: 1}
    await worker.handle(left.append(example_cancel()))
    assert await positions(connection) == {0: 3, 1: 1}
    await worker.handle(*batch)
    assert await positions(connection) == {0: 3, 1: 1}


async def test_nothing_is_written_when_the_transaction_fails(
    worker: Worker, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.path import decisions

    log = Log()
    record = log.append(example_booking())

    write = decisions.write

    async def write_and_fail(*arguments: Any) -> None:
        await write(*arguments)
        message = "just before the commit"
        raise asyncio.CancelledError(message)

    with monkeypatch.context() as patch:
        patch.setattr(decisions, "write", write_and_fail)
        with pytest.raises(asyncio.CancelledError):
            await worker.handle(record)
    assert await connection.fetchval("SELECT count(*) FROM decisions") == 0
    assert await statuses(connection) == {}
    assert await positions(connection) == {}
    assert await worker.outcomes(record) == ["booked"]


async def test_a_batch_may_be_empty(worker: Worker) -> None:
    assert await worker.handle() == []


async def test_a_batch_of_a_thousand_commands_is_one_transaction(worker: Worker, connection: Connection) -> None:
    log = Log()
    batch = [
        log.append(
            example_booking(
                appointment_id=f"apt-{i}",
                doctor_id=f"doctor-{i % 100}",
                patient_id=f"patient-{i}",
                starts_at=START + minutes(i // 100 * 30),
            )
        )
        for i in range(1000)
    ]
    assert set(await worker.outcomes(*batch)) == {"booked"}
    assert await connection.fetchval("SELECT count(DISTINCT xmin::text) FROM decisions") == 1
    assert await connection.fetchval("SELECT count(*) FROM appointments WHERE status = $1", AppointmentStatus.PENDING) == 1000


def with_offset(record: StoredRecord, offset: int, identifier: str) -> StoredRecord:
    headers = [(name, identifier.encode() if name == "ce_id" else value) for name, value in record.headers]
    return StoredRecord(record.topic, record.partition, offset, record.timestamp, record.key, record.value, headers)
