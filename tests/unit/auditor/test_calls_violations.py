"""What calls promises, broken once each: the auditor finds exactly that, and shows the records."""

from datetime import timedelta
from typing import Any

import pytest

from shared.auditor import Rules, ViolationKind
from tests.unit.auditor.booking_log import BookingLog
from tests.unit.auditor.calls_log import Call, CallsLog, TextSession
from tests.unit.auditor.mesh_log import MORNING, expect, iso, milliseconds, value_of

K = ViolationKind


@pytest.fixture
def log() -> CallsLog:
    return CallsLog()


def connected(log: CallsLog, name: str = "1", **how: Any) -> Call:
    call = log.ring(name, **how)
    log.connect(call)
    return call


def active(log: CallsLog, name: str = "1", **how: Any) -> TextSession:
    session = log.open(name, **how)
    log.write(session)
    return session


# One live one at a time


def test_a_doctor_was_in_two_calls(log: CallsLog) -> None:
    log.ring("1")
    second = log.ring("2", patient="pat-b")
    expect(log, K.TWO_LIVE_SESSIONS, proof=second.events[0])


def test_a_doctor_was_in_two_calls_that_are_over(log: CallsLog) -> None:
    first = connected(log, "1")
    second = connected(log, "2", patient="pat-b")
    log.end(first)
    log.end(second, by="doctor")
    expect(log, K.TWO_LIVE_SESSIONS)


def test_a_doctor_wrote_in_a_text_session_during_a_call(log: CallsLog) -> None:
    session = log.open("1", patient="pat-b")
    log.ring("2")
    log.write(session)
    expect(log, K.TWO_LIVE_SESSIONS, proof=session.events[-1])


def test_a_doctor_wrote_in_two_text_sessions(log: CallsLog) -> None:
    active(log, "1")
    active(log, "2", patient="pat-b")
    expect(log, K.TWO_LIVE_SESSIONS)


def test_a_doctor_was_in_a_call_beside_text_sessions_of_which_several_are_allowed(log: CallsLog) -> None:
    active(log, "1")
    log.ring("2", patient="pat-b")
    assert log.audit(rules=Rules(text_sessions_per_doctor=3)).kinds() == {K.TWO_LIVE_SESSIONS}


def test_a_patient_was_in_a_waiting_text_session_and_a_call_with_two_doctors(log: CallsLog) -> None:
    log.open("1")
    second = log.ring("2", doctor="doc-b")
    expect(log, K.TWO_LIVE_SESSIONS, proof=second.events[0])


def test_a_call_was_taken_at_the_very_deadline_of_another(log: CallsLog) -> None:
    first = log.ring("1")
    assert first.deadline_at is not None
    log.now_ms = milliseconds(first.deadline_at) - 1_000
    log.ring("2", patient="pat-b")
    expect(log, K.TWO_LIVE_SESSIONS)


# Steps that the status forbids


@pytest.mark.parametrize("step", ["connect", "decline", "take_back", "regain", "lose", "end", "time_out"])
def test_a_call_that_was_over_came_back(log: CallsLog, step: str) -> None:
    call = connected(log)
    log.end(call)
    call.deadline_at, call.ended_at = call.ended_at, None
    if step == "time_out":
        call.status = "reconnecting"
    getattr(log, step)(call)
    assert K.ILLEGAL_TRANSITION in log.audit().kinds()


@pytest.mark.parametrize("step", ["regain", "lose"])
def test_a_call_was_lost_or_regained_before_it_connected(log: CallsLog, step: str) -> None:
    getattr(log, step)(log.ring())
    assert K.ILLEGAL_TRANSITION in log.audit().kinds()


def test_a_call_connected_twice(log: CallsLog) -> None:
    call = connected(log)
    event = log.connect(call, by="patient")
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


def test_a_party_ended_a_call_before_it_connected(log: CallsLog) -> None:
    event = log.end(log.ring())
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


@pytest.mark.parametrize("by", ["patient", "doctor"])
def test_activity_was_recorded_after_the_end(log: CallsLog, by: str) -> None:
    session = active(log)
    log.end(session)
    session.status = "ended"
    command = log.command_of(
        "calls.text_session.record_activity.v1",
        {"session_id": "txt-1", "doctor_id": "doc-a", "actor": {"role": by, "id": "doc-a" if by == "doctor" else "pat-a"}},
    )
    session.version += 1
    if by == "patient":
        session.patient_activity_count += 1
    else:
        session.doctor_activity_count += 1
    event = log.tell(session, command, "activity_recorded")
    kinds = log.audit().kinds()
    assert K.ILLEGAL_TRANSITION in kinds
    assert K.ACTIVITY_MISCOUNTED not in kinds
    assert event in log.records


def test_the_doctor_wrote_and_nothing_was_activated(log: CallsLog) -> None:
    session = active(log)
    activated = session.events[-1]
    log.remove(activated)
    expect(log, K.ILLEGAL_TRANSITION, proof=session.events[-2])


# Deadlines


@pytest.mark.parametrize("late_ms", [0, 1, 60_000])
def test_a_call_connects_up_to_the_millisecond_of_its_deadline(log: CallsLog, late_ms: int) -> None:
    call = log.ring()
    assert call.deadline_at is not None
    log.now_ms = milliseconds(call.deadline_at) + late_ms - 1_000
    log.connect(call)
    expect(log, *([K.AFTER_DEADLINE] if late_ms else []))


def test_activity_was_counted_after_the_silence_had_ended_the_session(log: CallsLog) -> None:
    session = active(log)
    assert session.deadline_at is not None
    log.now_ms = milliseconds(session.deadline_at)
    event = log.write(session, by="patient")
    expect(log, K.AFTER_DEADLINE, proof=event)


@pytest.mark.parametrize("make", ["ring", "open"])
def test_what_nobody_answered_was_over_too_early(log: CallsLog, make: str) -> None:
    session = getattr(log, make)()
    command = log.command_of(
        f"calls.{session.entity}.time_out.v1",
        {"call_id" if make == "ring" else "session_id": session.session_id, "doctor_id": "doc-a"},
    )
    event = log.lapse(session, command)
    expect(log, K.BEFORE_DEADLINE, proof=event)


def test_a_call_waited_while_later_ones_were_closed(log: CallsLog) -> None:
    first = log.ring("1")
    log.now_ms += 60_000
    second = log.ring("2", patient="pat-b", doctor="doc-a")
    log.now_ms += 120_000
    log.time_out(second)
    log.now_ms += 60_000
    event = log.time_out(first, late_ms=200_000)
    assert log.audit().kinds() == {K.OVERDUE, K.TWO_LIVE_SESSIONS}
    assert event in log.records


# What a step may touch


def times_of(call: Call) -> dict[str, Any]:
    later = iso(call.started_at + timedelta(minutes=30))
    return {
        "connected_at": later,
        "disconnected_at": later,
        "ended_at": later,
        "connected_seconds": 7.5,
        "is_connected": True,
        "failure_reason": "Nobody knows.",
        "deadline_at": later,
        "started_at": later,
        "started_by": "doctor",
        "modality": "voice",
        "ended_by": "doctor",
        "reason": None,
    }


@pytest.mark.parametrize("name", times_of(Call("", "", "", "", MORNING, None)))
def test_the_end_of_a_call_says_something_else_than_happened(log: CallsLog, name: str) -> None:
    call = connected(log)
    event = log.end(call)
    log.spoil(event, **{name: times_of(call)[name]})
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


def test_a_call_is_for_another_appointment_than_it_was(log: CallsLog) -> None:
    call = connected(log)
    log.spoil(call.events[-1], appointment_id="apt-9")
    expect(log, K.ILLEGAL_TRANSITION, proof=call.events[-1])


@pytest.mark.parametrize("make", ["ring", "open"])
@pytest.mark.parametrize("spoilt", [{"sessions_used": 1}, {"sessions_used": None}, {"ended_by": "patient"}])
def test_what_failed_was_not_free_or_not_by_the_system(log: CallsLog, make: str, spoilt: dict[str, Any]) -> None:
    event = log.time_out(getattr(log, make)())
    log.spoil(event, **spoilt)
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


@pytest.mark.parametrize("name", ["patient_activity_count", "doctor_activity_count"])
@pytest.mark.parametrize("by", [1, -1])
def test_activity_was_counted_wrong(log: CallsLog, name: str, by: int) -> None:
    session = active(log)
    log.write(session, by="patient")
    event = log.write(session)
    log.spoil(event, **{name: getattr(session, name) + by})
    expect(log, K.ACTIVITY_MISCOUNTED, proof=event)


def test_activity_was_counted_on_the_other_side(log: CallsLog) -> None:
    session = active(log)
    event = log.write(session, by="patient")
    log.spoil(session.commands[-1], actor={"role": "doctor", "id": "doc-a"})
    expect(log, K.ACTIVITY_MISCOUNTED, proof=event)


def test_the_end_lost_activity(log: CallsLog) -> None:
    session = active(log)
    log.write(session, by="patient")
    event = log.end(session)
    log.spoil(event, patient_activity_count=0)
    expect(log, K.ACTIVITY_MISCOUNTED, proof=event)


@pytest.mark.parametrize("name", ["last_activity_at", "activated_at", "ended_at", "active_seconds", "deadline_at"])
def test_the_end_of_a_text_session_says_something_else_than_happened(log: CallsLog, name: str) -> None:
    session = active(log)
    event = log.end(session)
    before = value_of(event)[name]
    other = 7.5 if name == "active_seconds" else iso(session.started_at)
    assert before != other
    log.spoil(event, **{name: other})
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


# Who may do it


def test_whoever_started_it_declined_it(log: CallsLog) -> None:
    call = log.ring()
    event = log.decline(call, by="patient")
    expect(log, K.NOT_A_PARTY, proof=event)


def test_the_one_called_cancelled_it(log: CallsLog) -> None:
    call = log.ring()
    event = log.take_back(call, by="doctor")
    expect(log, K.NOT_A_PARTY, proof=event)


def test_a_stranger_connected(log: CallsLog) -> None:
    call = connected(log)
    log.spoil(call.commands[-1], actor={"role": "patient", "id": "pat-z"})
    expect(log, K.NOT_A_PARTY, proof=call.events[-1])


# Who is told and asked


@pytest.mark.parametrize("make", ["ring", "open"])
def test_the_patient_was_not_told_that_nobody_answered(log: CallsLog, make: str) -> None:
    event = log.time_out(getattr(log, make)())
    log.remove(log.records[-1])
    expect(log, K.MISSING_NOTIFICATION, proof=event)


def test_booking_was_not_asked_to_complete_the_appointment(log: CallsLog) -> None:
    booking = log.of(BookingLog)
    booking.confirm(booking.book("1"))
    call = log.ring("1", appointment="apt-1")
    log.connect(call)
    event = log.end(call)
    request = next(record for record in reversed(log.records) if record.topic == booking.topics.commands)
    log.remove(request)
    expect(log, K.MISSING_REQUEST, proof=event)
