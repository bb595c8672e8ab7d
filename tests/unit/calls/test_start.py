"""Starting: one live call or active text session at a time, for the doctor and for the patient."""

from dataclasses import replace

import pytest

from services.calls.domain import decide
from services.calls.domain.session import Known, Rules, Session
from shared.messages.calls import CallEventType, CallStatus, SessionReason, TextSessionEventType, TextSessionStatus
from shared.messages.fields import Actor, Modality, Role
from tests.calls_examples import (
    CALL,
    RULES,
    TEXT_SESSION,
    example_call,
    example_calls_moment,
    example_start,
    example_text_session,
    example_text_start,
    seconds,
    the_call,
    the_change,
    the_changes,
    the_refusal,
    the_text_session,
)
from tests.examples import MILLISECOND, NOW, SOURCE, admin, doctor, patient, system

MOMENT = example_calls_moment(command_id="the-command", command_type="calls.call.start.v1")
TEXT_MOMENT = example_calls_moment(session_id=TEXT_SESSION, command_type="calls.text_session.start.v1")


def test_a_call_connects_until_its_deadline() -> None:
    started = the_change(decide(Known(), example_start(modality=Modality.VOICE), MOMENT, RULES))
    assert (started.type, started.at) == (CallEventType.STARTED, NOW)
    assert started.session == replace(
        example_call(started_at=NOW, modality=Modality.VOICE, deadline_at=NOW + seconds(90)),
        changed_by_source=SOURCE,
        changed_by_id="the-command",
        changed_by_type="calls.call.start.v1",
    )


def test_a_doctor_can_start_it_too() -> None:
    assert the_call(decide(Known(), example_start(actor=doctor()), MOMENT, RULES)).started_by is Role.DOCTOR


def test_a_text_session_waits_until_its_deadline() -> None:
    started = the_change(decide(Known(), example_text_start(), TEXT_MOMENT, RULES))
    assert (started.type, started.at) == (TextSessionEventType.STARTED, NOW)
    session = the_text_session((started,))
    assert (session.status, session.deadline_at, session.version) == (TextSessionStatus.WAITING, NOW + seconds(300), 1)
    assert (session.patient_activity_count, session.doctor_activity_count, session.last_activity_at) == (0, 0, None)


def test_the_limits_are_settings() -> None:
    rules = Rules(connect_timeout=seconds(1.5), response_timeout=seconds(2.5))
    assert the_call(decide(Known(), example_start(), MOMENT, rules)).deadline_at == NOW + seconds(1.5)
    assert the_text_session(decide(Known(), example_text_start(), TEXT_MOMENT, rules)).deadline_at == NOW + seconds(2.5)


@pytest.mark.parametrize("actor", [patient("another"), doctor("another"), admin(), system(), Actor(role=Role.PATIENT, id="doctor-1")])
def test_only_the_two_of_them_start_anything(actor: Actor) -> None:
    for command, moment in ((example_start(actor=actor), MOMENT), (example_text_start(actor=actor), TEXT_MOMENT)):
        assert the_refusal(decide(Known(), command, moment, RULES)).reason is SessionReason.NOT_A_PARTY


@pytest.mark.parametrize("status", [CallStatus.CONNECTING, CallStatus.CONNECTED, CallStatus.RECONNECTING])
def test_the_id_of_a_live_call_is_already_started(status: CallStatus) -> None:
    refusal = the_refusal(decide(Known(example_call(status=status)), example_start(), MOMENT, RULES))
    assert refusal.reason is SessionReason.ALREADY_STARTED
    assert refusal.conflict == {"call_id": CALL, "status": status}


@pytest.mark.parametrize("status", [CallStatus.ENDED, CallStatus.FAILED, CallStatus.DECLINED, CallStatus.CANCELLED])
def test_a_call_that_is_over_never_comes_back(status: CallStatus) -> None:
    assert the_refusal(decide(Known(example_call(status=status)), example_start(), MOMENT, RULES)).reason is SessionReason.CALL_EXISTS


def test_a_call_past_its_deadline_is_over_although_nobody_swept() -> None:
    lapsed = example_call(deadline_at=NOW - MILLISECOND)
    assert the_refusal(decide(Known(lapsed), example_start(), MOMENT, RULES)).reason is SessionReason.CALL_EXISTS


def test_calls_and_text_sessions_share_their_ids() -> None:
    over = example_text_session(status=TextSessionStatus.ENDED, session_id=CALL)
    assert the_refusal(decide(Known(over), example_start(), MOMENT, RULES)).reason is SessionReason.CALL_EXISTS
    over_too = example_call(status=CallStatus.ENDED, session_id=TEXT_SESSION)
    assert the_refusal(decide(Known(over_too), example_text_start(), TEXT_MOMENT, RULES)).reason is SessionReason.SESSION_EXISTS
    live = example_text_session(session_id=CALL)
    assert the_refusal(decide(Known(live), example_start(), MOMENT, RULES)).reason is SessionReason.ALREADY_STARTED


OCCUPYING = [
    example_call(session_id="other"),
    example_call(session_id="other", status=CallStatus.CONNECTED),
    example_call(session_id="other", status=CallStatus.RECONNECTING),
    example_text_session(session_id="other", status=TextSessionStatus.ACTIVE),
]


@pytest.mark.parametrize("other", OCCUPYING, ids=lambda other: other.status)
def test_whoever_is_in_another_one_is_busy(other: Session) -> None:
    refusal = the_refusal(decide(Known(of_doctor=[other]), example_start(), MOMENT, RULES))
    assert refusal.reason is SessionReason.DOCTOR_BUSY
    assert refusal.conflict is not None
    assert "other" in refusal.conflict.values()
    assert "patient_id" not in refusal.conflict
    for command, moment in ((example_start(), MOMENT), (example_text_start(), TEXT_MOMENT)):
        assert the_refusal(decide(Known(of_patient=[other]), command, moment, RULES)).reason is SessionReason.PATIENT_BUSY


def test_a_waiting_text_session_occupies_its_patient_alone() -> None:
    waiting = example_text_session(session_id="other")
    assert the_change(decide(Known(of_doctor=[waiting]), example_start(patient_id="another"), MOMENT, RULES))
    assert the_refusal(decide(Known(of_patient=[waiting]), example_start(), MOMENT, RULES)).reason is SessionReason.PATIENT_BUSY


def test_a_text_session_can_wait_for_a_doctor_who_is_busy() -> None:
    known = Known(of_doctor=[example_call(session_id="other", status=CallStatus.CONNECTED, patient_id="another")])
    assert the_change(decide(known, example_text_start(), TEXT_MOMENT, RULES)).type is TextSessionEventType.STARTED


def test_several_text_sessions_allowed_do_not_allow_a_call_beside_one() -> None:
    known = Known(of_doctor=[example_text_session(session_id="other", status=TextSessionStatus.ACTIVE, patient_id="another")])
    refusal = the_refusal(decide(known, example_start(), MOMENT, Rules(text_sessions_per_doctor=3)))
    assert refusal.reason is SessionReason.DOCTOR_BUSY


def test_what_has_lapsed_gives_way_and_is_closed_at_its_deadline() -> None:
    deadline = NOW - MILLISECOND
    lapsed = example_call(session_id="lapsed", patient_id="another", deadline_at=deadline, started_at=deadline - seconds(90))
    started, failed = the_changes(decide(Known(of_doctor=[lapsed]), example_start(), MOMENT, RULES))
    assert started.type is CallEventType.STARTED
    assert (failed.type, failed.at, failed.session.session_id) == (CallEventType.FAILED, deadline, "lapsed")
    assert failed.session.changed_by_id == "the-command"


@pytest.mark.parametrize("after_the_deadline, busy", [(-MILLISECOND, True), (0 * MILLISECOND, True), (MILLISECOND, False)])
def test_a_deadline_holds_to_the_millisecond_although_nobody_swept(after_the_deadline: object, *, busy: bool) -> None:
    other = example_call(session_id="other", deadline_at=NOW - after_the_deadline)  # type: ignore[operator]
    events = decide(Known(of_patient=[other]), example_start(), MOMENT, RULES)
    if busy:
        assert the_refusal(events).reason is SessionReason.PATIENT_BUSY
    else:
        assert the_change(events).type is CallEventType.STARTED
