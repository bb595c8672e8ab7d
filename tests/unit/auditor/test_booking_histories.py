"""What booking does when it does all right: proposals, time off, imports, and how appointments went."""

from datetime import timedelta

import pytest

from tests.unit.auditor.booking_log import DAY_MS, HALF_AN_HOUR, LIMIT, SLOT, Appointment, BookingLog, conflict, state
from tests.unit.auditor.mesh_log import MORNING, at, milliseconds

LATER = SLOT + timedelta(hours=3)


@pytest.fixture
def log() -> BookingLog:
    return BookingLog()


def confirmed(log: BookingLog, name: str = "1") -> Appointment:
    appointment = log.book(name)
    log.confirm(appointment)
    return appointment


def test_a_proposal_that_is_accepted_frees_the_old_time_and_keeps_the_new_one(log: BookingLog) -> None:
    first = confirmed(log)
    log.propose(first, LATER)
    log.accept(first)
    log.book("2", patient="pat-b")
    refused = log.refused_book(first)
    assert log.is_clean().counts["booking"].entities == {"appointment": {"confirmed": 1, "pending": 1}}
    assert state(first)["starts_at"] in str(refused.value)


@pytest.mark.parametrize("answer", ["reject", "withdraw"])
@pytest.mark.parametrize("was_pending", [True, False])
def test_a_proposal_that_is_undone_frees_the_new_time_and_leaves_all_as_it_was(log: BookingLog, answer: str, was_pending: bool) -> None:  # noqa: FBT001
    first = log.book("1")
    if not was_pending:
        log.confirm(first)
    log.propose(first, LATER)
    getattr(log, answer)(first)
    assert first.status == ("pending" if was_pending else "confirmed")
    log.book("2", patient="pat-b", starts_at=LATER)
    if was_pending:
        log.confirm(first)
    log.is_clean()


def test_a_proposal_may_overlap_its_own_old_time(log: BookingLog) -> None:
    first = confirmed(log)
    log.propose(first, SLOT + timedelta(minutes=10))
    log.accept(first)
    log.is_clean()


def test_a_proposal_that_nobody_answers_expires_with_the_earlier_of_its_times(log: BookingLog) -> None:
    first = confirmed(log)
    log.propose(first, SLOT - timedelta(hours=1))
    log.expire(first)
    assert log.now_ms >= milliseconds(SLOT - timedelta(hours=1))
    log.is_clean()


def test_a_proposal_that_is_cancelled_frees_both_times(log: BookingLog) -> None:
    first = confirmed(log)
    log.propose(first, LATER)
    log.cancel(first)
    log.book("2", patient="pat-b")
    log.book("3", patient="pat-c", starts_at=LATER)
    log.is_clean()


def test_both_times_of_a_proposal_are_refused_to_others(log: BookingLog) -> None:
    first = confirmed(log)
    log.propose(first, LATER)
    log.refused_book(first)
    moved = Appointment(first.appointment_id, "doc-a", "pat-a", LATER, 1, "", None)
    log.refused_book(first, conflict=conflict(moved))
    log.refused_book(first, "patient_already_booked", patient="pat-a", conflict=conflict(moved))
    log.is_clean()


def test_time_off_holds_until_it_is_unblocked(log: BookingLog) -> None:
    off = log.block(ends_at=SLOT + timedelta(hours=1))
    log.block("2", starts_at=SLOT + HALF_AN_HOUR, ends_at=LATER, by="admin")
    log.refused_book(off)
    log.book("1", starts_at=SLOT - HALF_AN_HOUR)
    log.unblock(off)
    log.book("2", patient="pat-b")
    log.book("3", doctor="doc-b", starts_at=LATER)
    assert log.is_clean().counts["booking"].entities["time_off"] == {"blocked": 1, "unblocked": 1}


def test_time_off_is_refused_while_an_appointment_holds_a_part_of_it(log: BookingLog) -> None:
    first = log.book("1")
    data = {"time_off_id": "off-9", "doctor_id": "doc-a", "actor": {"role": "doctor", "id": "doc-a"}}
    log.refuse(log.command("block", data, entity="time_off"), "slot_already_booked", time_off_id="off-9", conflict=conflict(first))
    log.cancel(first)
    log.block()
    log.is_clean()


def test_time_off_takes_the_time_of_what_has_lapsed_unswept(log: BookingLog) -> None:
    log.book("1")
    log.now_ms += round(LIMIT.total_seconds() * 1000)
    log.block()
    log.is_clean()


@pytest.mark.parametrize("status", ["pending", "confirmed", "reschedule_proposed", "cancelled", "completed", "no_show"])
def test_an_import_is_told_to_nobody_whatever_its_status_and_age(log: BookingLog, status: str) -> None:
    log.take_in("1", status=status, proposed_starts_at=LATER if status == "reschedule_proposed" else None)
    log.take_in("2", doctor="doc-b", patient="pat-b", status=status, starts_at=MORNING - timedelta(days=30))
    counts = log.is_clean().counts["booking"]
    assert counts.notifications == 0
    assert counts.entities == {"appointment": {status: 2}}


def test_an_import_holds_its_time_as_any_other(log: BookingLog) -> None:
    log.refused_book(log.take_in("1"))
    log.refused_book(log.take_in("2", starts_at=LATER, status="reschedule_proposed", proposed_starts_at=LATER + HALF_AN_HOUR))
    log.take_in("3", starts_at=SLOT, status="completed")
    log.is_clean()


def test_an_appointment_that_took_place_is_completed_by_its_doctor_after_its_start_and_by_the_system_at_any_time(log: BookingLog) -> None:
    log.complete(confirmed(log), by="system")
    other = confirmed(log, "2")
    log.now_ms = milliseconds(SLOT)
    log.complete(other)
    assert log.is_clean().counts["booking"].notifications == 6


@pytest.mark.parametrize("by", ["doctor", "system"])
def test_both_are_told_of_a_no_show(log: BookingLog, by: str) -> None:
    first = confirmed(log)
    log.now_ms = milliseconds(SLOT)
    log.miss(first, by=by)
    log.is_clean()


def test_a_wrong_status_is_refused_with_the_status_and_what_made_it_so(log: BookingLog) -> None:
    first = confirmed(log)
    command = log.command("confirm", {"appointment_id": "apt-1", "doctor_id": "doc-a"})
    log.refuse(command, "wrong_status", version=2, appointment_id="apt-1", conflict=conflict(first, status="confirmed"))
    off = log.block(starts_at=LATER, ends_at=LATER + HALF_AN_HOUR)
    log.unblock(off)
    again = log.command("unblock", {"time_off_id": "off-1", "doctor_id": "doc-a"}, entity="time_off")
    log.refuse(again, "wrong_status", version=2, time_off_id="off-1", conflict=conflict(off, status="unblocked"))
    log.is_clean()


def test_a_pending_appointment_that_expired_unswept_is_only_counted(log: BookingLog) -> None:
    log.book("1")
    log.now_ms += DAY_MS + 60_000
    log.book("2", doctor="doc-b", patient="pat-b", starts_at=at(log.now_ms) + timedelta(days=1))
    assert log.is_clean().counts["booking"].overdue == 1
