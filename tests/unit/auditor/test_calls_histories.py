"""What calls does when it does all right."""

import pytest

from shared.auditor import Rules
from tests.unit.auditor.booking_log import BookingLog
from tests.unit.auditor.calls_log import CallsLog


@pytest.fixture
def log() -> CallsLog:
    return CallsLog()


def is_clean(log: CallsLog) -> dict[str, dict[str, int]]:
    return {kind: dict(found) for kind, found in log.is_clean().counts["calls"].entities.items()}


def test_a_call_from_start_to_end(log: CallsLog) -> None:
    call = log.ring()
    log.connect(call)
    log.lose(call)
    log.regain(call)
    log.end(call, by="doctor")
    assert is_clean(log) == {"call": {"ended": 1}}


def test_a_call_that_ends_before_it_connects(log: CallsLog) -> None:
    log.decline(log.ring("1"))
    log.take_back(log.ring("2"))
    log.time_out(log.ring("3"))
    log.end(log.ring("4"), by="system", reason="insufficient_balance")
    assert is_clean(log) == {"call": {"cancelled": 1, "declined": 1, "ended": 1, "failed": 1}}


def test_a_call_that_was_lost_ended_with_the_loss_whoever_says_so(log: CallsLog) -> None:
    first = log.ring("1")
    log.connect(first)
    log.lose(first)
    log.time_out(first)
    second = log.ring("2")
    log.connect(second)
    log.lose(second)
    log.end(second)
    is_clean(log)


def test_a_text_session_counts_what_both_write(log: CallsLog) -> None:
    session = log.open()
    log.write(session, by="patient")
    for by in ("doctor", "patient", "patient", "doctor"):
        log.write(session, by=by)
    log.end(session)
    assert (session.patient_activity_count, session.doctor_activity_count) == (3, 2)
    assert is_clean(log) == {"text_session": {"ended": 1}}


def test_a_text_session_that_nobody_answers_and_one_that_falls_silent(log: CallsLog) -> None:
    log.time_out(log.open("1"))
    silent = log.open("2")
    log.write(silent)
    log.time_out(silent)
    left = log.open("3")
    log.end(left)
    assert is_clean(log) == {"text_session": {"ended": 2, "expired": 1}}


def test_a_patient_may_start_again_when_the_other_is_over_or_has_lapsed_unswept(log: CallsLog) -> None:
    log.end(log.open("1"), by="patient")
    lapsed = log.ring("2")
    log.now_ms += 120_000
    after = log.open("3", doctor="doc-b")
    log.end(after)
    log.time_out(lapsed)
    is_clean(log)


def test_a_start_closes_what_has_lapsed_in_its_way(log: CallsLog) -> None:
    lapsed = log.ring("1")
    log.now_ms += 120_000
    after = log.ring("2", patient="pat-b")
    log.lapse(lapsed, after.commands[0], index=1)
    is_clean(log)


def test_a_waiting_text_session_does_not_occupy_its_doctor(log: CallsLog) -> None:
    log.open("1")
    log.open("2", patient="pat-b")
    call = log.ring("3", patient="pat-c")
    log.connect(call)
    is_clean(log)


def test_a_doctor_may_write_in_as_many_text_sessions_as_a_setting_allows(log: CallsLog) -> None:
    for name in ("1", "2"):
        log.write(log.open(name, patient=f"pat-{name}"))
    report = log.audit(rules=Rules(text_sessions_per_doctor=2))
    assert report.passed, report.violations


def test_booking_is_asked_to_complete_an_appointment_when_a_session_for_it_took_place(log: CallsLog) -> None:
    booking = log.of(BookingLog)
    met = booking.book("1")
    booking.confirm(met)
    call = log.ring("1", appointment="apt-1")
    log.connect(call)
    log.end(call)
    log.take_back(log.ring("2", appointment="apt-1"))
    is_clean(log)


def test_a_refusal_names_what_it_is_about(log: CallsLog) -> None:
    call = log.ring()
    log.connect(call)
    again = log.command_of(
        "calls.call.connect.v1", {"call_id": "call-1", "doctor_id": "doc-a", "actor": {"role": "patient", "id": "pat-a"}}
    )
    log.refuse(again, "wrong_status", version=2, call_id="call-1", conflict={"call_id": "call-1", "status": "connected"})
    late = log.command_of("calls.call.time_out.v1", {"call_id": "call-1", "doctor_id": "doc-a"})
    log.refuse(late, "wrong_status", version=2, call_id="call-1", conflict={"call_id": "call-1", "status": "connected"})
    is_clean(log)
