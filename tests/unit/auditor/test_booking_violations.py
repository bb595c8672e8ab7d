"""What only booking promises, broken once each: the auditor finds exactly that, and shows the records."""

from datetime import timedelta
from typing import Any

import pytest

from shared.auditor import ViolationKind
from shared.auditor.partitioning import partition_of
from tests.unit.auditor.booking_log import HALF_AN_HOUR, LIMIT, SLOT, Appointment, BookingLog, conflict
from tests.unit.auditor.mesh_log import expect, iso, milliseconds

LATER = SLOT + timedelta(hours=3)
K = ViolationKind


@pytest.fixture
def log() -> BookingLog:
    return BookingLog()


def confirmed(log: BookingLog, name: str = "1", **how: Any) -> Appointment:
    appointment = log.book(name, **how)
    log.confirm(appointment)
    return appointment


def proposed(log: BookingLog, name: str = "1") -> Appointment:
    appointment = confirmed(log, name)
    log.propose(appointment, LATER)
    return appointment


# Who held which time


@pytest.mark.parametrize("starts_at", [SLOT, LATER])
def test_somebody_took_a_time_that_a_proposal_holds(log: BookingLog, starts_at: Any) -> None:
    proposed(log)
    taken = log.book("2", patient="pat-b", starts_at=starts_at)
    expect(log, K.DOCTOR_OVERLAP, proof=taken.events[0])


def test_a_proposal_took_a_time_that_another_appointment_holds(log: BookingLog) -> None:
    log.book("2", patient="pat-b", starts_at=LATER)
    event = log.propose(confirmed(log), LATER)
    expect(log, K.DOCTOR_OVERLAP, proof=event)


def test_a_proposal_took_the_patients_time_with_another_doctor(log: BookingLog) -> None:
    log.book("2", doctor="doc-b", starts_at=LATER + HALF_AN_HOUR / 2)
    event = log.propose(confirmed(log), LATER)
    expect(log, K.PATIENT_OVERLAP, proof=event)


def test_somebody_took_the_new_time_after_it_was_accepted(log: BookingLog) -> None:
    log.accept(proposed(log))
    log.book("2", patient="pat-b")
    taken = log.book("3", patient="pat-c", starts_at=LATER)
    expect(log, K.DOCTOR_OVERLAP, proof=taken.events[0])


def test_somebody_took_the_old_time_after_a_proposal_was_rejected(log: BookingLog) -> None:
    log.reject(proposed(log))
    log.book("2", patient="pat-b", starts_at=LATER)
    taken = log.book("3", patient="pat-c")
    expect(log, K.DOCTOR_OVERLAP, proof=taken.events[0])


def test_an_appointment_was_booked_into_time_off(log: BookingLog) -> None:
    log.block()
    taken = log.book("1")
    expect(log, K.TIME_OFF_OVERLAP, proof=taken.events[0])


def test_time_off_was_blocked_over_an_appointment_that_was_cancelled_later(log: BookingLog) -> None:
    first = log.book("1")
    off = log.block()
    log.cancel(first)
    expect(log, K.TIME_OFF_OVERLAP, proof=off.events[0])


def test_a_proposal_took_time_off(log: BookingLog) -> None:
    log.block(starts_at=LATER, ends_at=LATER + HALF_AN_HOUR)
    event = log.propose(confirmed(log), LATER)
    expect(log, K.TIME_OFF_OVERLAP, proof=event)


def test_an_import_took_a_time_that_was_held(log: BookingLog) -> None:
    log.book("1")
    taken = log.take_in("2", patient="pat-b")
    expect(log, K.DOCTOR_OVERLAP, proof=taken.events[0])


# The status table


FORBIDDEN = {
    "confirmed": ("confirm", "reject", "withdraw", "accept", "decline", "expire"),
    "reschedule_proposed": ("confirm", "decline", "propose", "complete", "miss"),
    "pending": ("accept", "reject", "withdraw", "complete", "miss"),
    "cancelled": ("confirm", "decline", "cancel", "propose", "accept", "reject", "withdraw", "complete", "miss", "expire"),
    "completed": ("confirm", "cancel", "propose", "complete", "miss"),
    "no_show": ("confirm", "cancel", "propose", "complete", "miss"),
}


@pytest.mark.parametrize("status, step", [(status, step) for status, steps in FORBIDDEN.items() for step in steps])
def test_a_step_was_taken_that_the_status_forbids(log: BookingLog, status: str, step: str) -> None:
    first = in_status(log, status)
    # What each helper would need to find.
    first.proposed_starts_at = first.proposed_starts_at or LATER
    first.status_before_proposal = first.status_before_proposal or "confirmed"
    first.expires_at = first.expires_at or SLOT
    event = log.propose(first, LATER) if step == "propose" else getattr(log, step)(first)
    report = log.audit()
    assert K.ILLEGAL_TRANSITION in report.kinds()
    assert any(event.offset == record.offset for violation in report.violations for record in violation.records)


def in_status(log: BookingLog, status: str) -> Appointment:
    first = log.book("1")
    if status == "cancelled":
        log.cancel(first)
    elif status != "pending":
        log.confirm(first)
    if status == "reschedule_proposed":
        log.propose(first, LATER)
    elif status in {"completed", "no_show"}:
        log.now_ms = milliseconds(SLOT)
        (log.complete if status == "completed" else log.miss)(first)
    return first


def test_a_time_off_was_unblocked_twice(log: BookingLog) -> None:
    off = log.block()
    log.unblock(off)
    event = log.unblock(off)
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


# What a step may touch


def test_an_accepted_appointment_is_at_another_time_than_was_proposed(log: BookingLog) -> None:
    first = proposed(log)
    first.proposed_starts_at = LATER + HALF_AN_HOUR
    event = log.accept(first)
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


def test_an_accepted_appointment_stayed_where_it_was(log: BookingLog) -> None:
    first = proposed(log)
    first.proposed_starts_at = SLOT
    event = log.accept(first)
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


def test_a_rejected_proposal_moved_the_appointment(log: BookingLog) -> None:
    first = proposed(log)
    first.starts_at = LATER
    event = log.reject(first)
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


@pytest.mark.parametrize("step", ["reject", "withdraw"])
def test_an_undone_proposal_did_not_restore_the_status_before(log: BookingLog, step: str) -> None:
    first = proposed(log)
    first.status_before_proposal = "pending"
    event = getattr(log, step)(first)
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


def test_a_proposal_remembers_another_status_than_there_was(log: BookingLog) -> None:
    first = confirmed(log)
    event = log.propose(first, LATER)
    log.spoil(event, status_before_proposal="pending")
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


def test_a_proposal_waits_beyond_the_old_time(log: BookingLog) -> None:
    event = log.propose(confirmed(log), LATER)
    log.spoil(event, expires_at=iso(LATER))
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"proposed_starts_at": None},
        {"status_before_proposal": None},
        {"expires_at": None},
        {"cancelled_by": "doctor"},
        {"absent": "patient"},
        {"duration_minutes": 60},
    ],
)
def test_a_proposal_lacks_or_says_what_it_should_not(log: BookingLog, spoilt: dict[str, Any]) -> None:
    event = log.propose(confirmed(log), LATER)
    log.spoil(event, **spoilt)
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


def test_a_confirmed_appointment_still_has_a_deadline(log: BookingLog) -> None:
    event = log.confirm(log.book("1"))
    log.spoil(event, expires_at=iso(SLOT))
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


def test_a_no_show_does_not_say_who_was_absent(log: BookingLog) -> None:
    first = confirmed(log)
    log.now_ms = milliseconds(SLOT)
    event = log.miss(first)
    log.spoil(event, absent=None)
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


def test_an_appointment_was_booked_in_the_past(log: BookingLog) -> None:
    log.now_ms = milliseconds(SLOT) + 60_000
    first = log.book("1")
    log.spoil(first.events[0], expires_at=iso(SLOT + LIMIT))
    report = log.audit()
    assert report.kinds() == {K.ILLEGAL_TRANSITION}


def test_a_time_off_changed_its_time_when_it_was_unblocked(log: BookingLog) -> None:
    event = log.unblock(log.block())
    log.spoil(event, ends_at=iso(LATER))
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


# When a step may be taken


@pytest.mark.parametrize("step", ["accept", "reject", "withdraw", "cancel"])
@pytest.mark.parametrize("late_ms", [0, 1])
def test_a_proposal_was_answered_after_its_deadline(log: BookingLog, step: str, late_ms: int) -> None:
    first = proposed(log)
    log.now_ms = milliseconds(SLOT) + late_ms - 1_000
    getattr(log, step)(first)
    expect(log, *([K.AFTER_DEADLINE] if late_ms else []))


def test_a_proposal_expired_before_its_deadline(log: BookingLog) -> None:
    first = proposed(log)
    event = log.change(first, "expire", "expired", by=None, tell=("pat-a",), status="cancelled", cancelled_by="system")
    expect(log, K.BEFORE_DEADLINE, proof=event)


@pytest.mark.parametrize("early_ms", [0, 1])
def test_a_doctor_completed_an_appointment_before_its_start(log: BookingLog, early_ms: int) -> None:
    first = confirmed(log)
    log.now_ms = milliseconds(SLOT) - early_ms - 1_000
    event = log.complete(first)
    expect(log, *([K.BEFORE_DEADLINE] if early_ms else []), proof=event if early_ms else None)


@pytest.mark.parametrize("by", ["doctor", "system"])
def test_a_no_show_was_marked_before_the_start(log: BookingLog, by: str) -> None:
    event = log.miss(confirmed(log), by=by)
    expect(log, K.BEFORE_DEADLINE, proof=event)


# Who may take it


@pytest.mark.parametrize("role, who", [("patient", "pat-a"), ("admin", "admin-1"), ("doctor", "doc-b")])
def test_somebody_else_confirmed(log: BookingLog, role: str, who: str) -> None:
    first = log.book("1")
    event = log.confirm(first)
    log.spoil(first.commands[-1], actor={"role": role, "id": who})
    expect(log, K.NOT_A_PARTY, proof=event)


@pytest.mark.parametrize("step, role", [("accept", "doctor"), ("reject", "doctor"), ("withdraw", "patient"), ("cancel", "system")])
def test_the_other_side_answered_a_proposal(log: BookingLog, step: str, role: str) -> None:
    first = proposed(log)
    event = getattr(log, step)(first)
    log.spoil(first.commands[-1], actor={"role": role, "id": "doc-a" if role == "doctor" else "pat-a"})
    expect(log, K.NOT_A_PARTY, proof=event)


def test_a_patient_imported_an_appointment(log: BookingLog) -> None:
    first = log.take_in("1")
    log.spoil(first.commands[0], actor={"role": "patient", "id": "pat-a"})
    expect(log, K.NOT_A_PARTY, proof=first.events[0])


# Who is told


def test_somebody_was_told_of_an_import(log: BookingLog) -> None:
    request = log.notify(log.take_in("1").events[0], "pat-a", "appointment_booked")
    expect(log, K.NOTIFICATION_WITHOUT_CAUSE, proof=request)


def test_the_doctor_was_not_told_that_the_patient_rejected(log: BookingLog) -> None:
    event = log.reject(proposed(log))
    log.remove(log.records[-1])
    expect(log, K.MISSING_NOTIFICATION, proof=event)


def test_the_patient_was_told_that_they_rejected(log: BookingLog) -> None:
    request = log.notify(log.reject(proposed(log)), "pat-a", "reschedule_rejected")
    expect(log, K.NOTIFICATION_WITHOUT_CAUSE, proof=request)


# Refusals


def test_a_time_was_refused_for_time_off_that_was_unblocked(log: BookingLog) -> None:
    off = log.block()
    log.unblock(off)
    refusal = log.refused_book(off)
    expect(log, K.OUT_OF_LOG_ORDER, proof=refusal)


def test_a_time_was_refused_for_time_off_of_another_doctor(log: BookingLog) -> None:
    # On another partition the two logs would have no common order.
    neighbour = next(name for name in map("doc-{}".format, range(100)) if partition_of(name.encode(), 8) == partition_of(b"doc-a", 8))
    refusal = log.refused_book(log.block(), conflict=conflict(log.block("2", doctor=neighbour)))
    expect(log, K.UNFOUNDED_REFUSAL, proof=refusal)


def test_a_time_was_refused_for_one_that_the_holder_does_not_hold(log: BookingLog) -> None:
    first = log.book("1")
    refusal = log.refused_book(first, conflict=conflict(first, starts_at=iso(LATER)))
    expect(log, K.UNFOUNDED_REFUSAL, proof=refusal)


def test_a_time_was_refused_for_a_proposal_that_was_rejected(log: BookingLog) -> None:
    first = proposed(log)
    log.reject(first)
    refusal = log.refused_book(first, conflict=conflict(first, starts_at=iso(LATER)))
    expect(log, K.UNFOUNDED_REFUSAL, proof=refusal)


@pytest.mark.parametrize("patient", ["pat-b", "pat-a"])
def test_a_patient_was_refused_for_the_appointment_of_another(log: BookingLog, patient: str) -> None:
    first = log.book("1")
    refusal = log.refused_book(first, "patient_already_booked", patient=patient)
    expect(log, *([K.UNFOUNDED_REFUSAL] if patient == "pat-b" else []), proof=refusal if patient == "pat-b" else None)


def test_a_patient_was_refused_for_an_appointment_that_never_was(log: BookingLog) -> None:
    ghost = Appointment("apt-ghost", "doc-a", "pat-late", SLOT, 1, "", None)
    refusal = log.refused_book(ghost, "patient_already_booked")
    expect(log, K.UNFOUNDED_REFUSAL, proof=refusal)


def test_a_step_was_refused_that_the_status_allows(log: BookingLog) -> None:
    first = log.book("1")
    command = log.command("confirm", {"appointment_id": "apt-1", "doctor_id": "doc-a"})
    refusal = log.refuse(command, "wrong_status", version=1, appointment_id="apt-1", conflict=conflict(first, status="pending"))
    expect(log, K.UNFOUNDED_REFUSAL, proof=refusal)


def test_a_step_was_refused_for_a_status_that_is_not_the_appointments(log: BookingLog) -> None:
    first = confirmed(log)
    command = log.command("confirm", {"appointment_id": "apt-1", "doctor_id": "doc-a"})
    refusal = log.refuse(command, "wrong_status", version=2, appointment_id="apt-1", conflict=conflict(first, status="cancelled"))
    expect(log, K.UNFOUNDED_REFUSAL, proof=refusal)
