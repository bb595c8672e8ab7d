"""Text sessions: every record counts, for its own side; the doctor's first one activates; nothing counts after the end."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.calls.domain import decide
from services.calls.domain.session import Known, Rules, TextSession
from shared.messages.calls import CallStatus, EndReason, SessionReason, TextSessionEventType, TextSessionStatus
from shared.messages.fields import Actor, Role
from tests.calls_examples import (
    RULES,
    TEXT_SESSION,
    example_activity,
    example_call,
    example_calls_moment,
    example_text_end,
    example_text_session,
    seconds,
    the_change,
    the_changes,
    the_refusal,
    the_text_session,
)
from tests.examples import MILLISECOND, NOW, admin, doctor, minutes, patient, system

MOMENT = example_calls_moment(session_id=TEXT_SESSION)
ACTIVE = example_text_session(status=TextSessionStatus.ACTIVE)


def test_each_side_counts_its_own() -> None:
    session: TextSession = ACTIVE
    for second, actor in enumerate([patient(), doctor(), patient(), patient()]):
        moment = MOMENT._replace(now=NOW + seconds(second))
        session = the_text_session(decide(Known(session), example_activity(actor=actor), moment, RULES))
    assert (session.patient_activity_count, session.doctor_activity_count) == (3, ACTIVE.doctor_activity_count + 1)
    assert session.last_activity_at == NOW + seconds(3)
    assert session.deadline_at == NOW + seconds(3) + minutes(20)
    assert session.version == ACTIVE.version + 4


def test_a_record_says_nothing_about_who_made_the_status_what_it_is() -> None:
    recorded = the_change(decide(Known(ACTIVE), example_activity(), MOMENT, RULES))
    assert recorded.type is TextSessionEventType.ACTIVITY_RECORDED
    assert recorded.session == replace(
        ACTIVE,
        updated_at=NOW,
        last_activity_at=NOW,
        deadline_at=NOW + minutes(20),
        doctor_activity_count=2,
        version=ACTIVE.version + 1,
    )


def test_the_doctors_first_one_activates() -> None:
    waiting = example_text_session()
    recorded, activated = the_changes(decide(Known(waiting), example_activity(), MOMENT, RULES))
    assert [recorded.type, activated.type] == [TextSessionEventType.ACTIVITY_RECORDED, TextSessionEventType.ACTIVATED]
    before, after = recorded.session, activated.session
    assert isinstance(before, TextSession)
    assert isinstance(after, TextSession)
    assert (before.status, before.doctor_activity_count, before.version) == (TextSessionStatus.WAITING, 1, 2)
    assert (after.status, after.doctor_activity_count, after.version) == (TextSessionStatus.ACTIVE, 1, 3)
    assert (after.activated_at, after.deadline_at) == (NOW, NOW + minutes(20))


def test_the_patients_activity_does_not_put_off_the_doctors_answer() -> None:
    waiting = example_text_session()
    session = the_text_session(decide(Known(waiting), example_activity(actor=patient()), MOMENT, RULES))
    assert (session.status, session.deadline_at) == (TextSessionStatus.WAITING, waiting.deadline_at)
    assert (session.patient_activity_count, session.doctor_activity_count) == (1, 0)


def test_the_limit_is_a_setting() -> None:
    session = the_text_session(decide(Known(ACTIVE), example_activity(), MOMENT, Rules(inactivity_timeout=seconds(0.25))))
    assert session.deadline_at == NOW + seconds(0.25)


@pytest.mark.parametrize("after_the_deadline, counts", [(-MILLISECOND, True), (timedelta(), True), (MILLISECOND, False)])
def test_nothing_counts_after_the_deadline_although_nobody_swept(after_the_deadline: timedelta, *, counts: bool) -> None:
    deadline = NOW - after_the_deadline
    for session in (example_text_session(deadline_at=deadline), replace(ACTIVE, deadline_at=deadline)):
        events = decide(Known(session), example_activity(), MOMENT, RULES)
        if counts:
            assert the_text_session(events).doctor_activity_count == session.doctor_activity_count + 1
        else:
            assert the_refusal(events).reason is SessionReason.SESSION_NOT_ACTIVE


@pytest.mark.parametrize("status", [TextSessionStatus.ENDED, TextSessionStatus.EXPIRED])
def test_nothing_counts_after_the_end(status: TextSessionStatus) -> None:
    refusal = the_refusal(decide(Known(example_text_session(status=status)), example_activity(), MOMENT, RULES))
    assert refusal.reason is SessionReason.SESSION_NOT_ACTIVE
    assert refusal.conflict is not None
    assert refusal.conflict["status"] is status


@pytest.mark.parametrize("actor", [patient("another"), doctor("another"), admin(), system()])
def test_only_a_party_writes(actor: Actor) -> None:
    refusal = the_refusal(decide(Known(ACTIVE), example_activity(actor=actor), MOMENT, RULES))
    assert refusal.reason is SessionReason.NOT_A_PARTY


def test_a_doctor_in_a_call_answers_nobody_else() -> None:
    known = Known(example_text_session(), of_doctor=[example_text_session(), example_call(status=CallStatus.CONNECTED, patient_id="x")])
    refusal = the_refusal(decide(known, example_activity(), MOMENT, Rules(text_sessions_per_doctor=9)))
    assert refusal.reason is SessionReason.DOCTOR_BUSY
    assert refusal.conflict == {"call_id": "call-1", "status": CallStatus.CONNECTED}


@pytest.mark.parametrize("allowed, others, busy", [(1, 0, False), (1, 1, True), (3, 2, False), (3, 3, True)])
def test_a_doctor_answers_as_many_as_one_may(allowed: int, others: int, *, busy: bool) -> None:
    active = [replace(ACTIVE, session_id=f"other-{n}", patient_id=f"other-{n}") for n in range(others)]
    known = Known(example_text_session(), of_doctor=[example_text_session(), *active])
    events = decide(known, example_activity(), MOMENT, Rules(text_sessions_per_doctor=allowed))
    if busy:
        assert the_refusal(events).reason is SessionReason.DOCTOR_BUSY
    else:
        assert the_changes(events)[1].type is TextSessionEventType.ACTIVATED


def test_a_doctor_who_is_in_it_already_is_not_busy() -> None:
    assert the_change(decide(Known(ACTIVE, of_doctor=[ACTIVE]), example_activity(), MOMENT, RULES))


def test_what_has_lapsed_gives_way_to_the_answer_and_is_closed() -> None:
    lapsed = replace(ACTIVE, session_id="lapsed", deadline_at=NOW - MILLISECOND)
    known = Known(example_text_session(), of_doctor=[lapsed])
    _, activated, ended = the_changes(decide(known, example_activity(), MOMENT, RULES))
    assert activated.type is TextSessionEventType.ACTIVATED
    assert (ended.type, ended.session.session_id, ended.session.reason) == (TextSessionEventType.ENDED, "lapsed", EndReason.INACTIVITY)


@pytest.mark.parametrize("actor", [patient(), doctor(), system()], ids=lambda actor: actor.role)
@pytest.mark.parametrize("session", [example_text_session(), ACTIVE], ids=lambda session: session.status)
def test_whoever_is_in_it_ends_it_and_so_does_the_system(session: TextSession, actor: Actor) -> None:
    ended = the_change(decide(Known(session), example_text_end(actor=actor), MOMENT, RULES))
    assert (ended.type, ended.at) == (TextSessionEventType.ENDED, NOW)
    after = the_text_session((ended,))
    assert (after.status, after.ended_at, after.ended_by, after.deadline_at) == (TextSessionStatus.ENDED, NOW, actor.role, None)
    assert after.reason == ("ended_by_system" if actor.role is Role.SYSTEM else "ended_by_party")
    expected = NOW - session.activated_at if session.activated_at else timedelta()
    assert after.active_until(NOW + minutes(1)) == expected


def test_the_second_end_is_refused() -> None:
    ended = the_text_session(decide(Known(ACTIVE), example_text_end(), MOMENT, RULES))
    assert the_refusal(decide(Known(ended), example_text_end(actor=doctor()), MOMENT, RULES)).reason is SessionReason.SESSION_NOT_ACTIVE


@pytest.mark.parametrize("actor", [patient("another"), admin()])
def test_nobody_else_ends_it(actor: Actor) -> None:
    assert the_refusal(decide(Known(ACTIVE), example_text_end(actor=actor), MOMENT, RULES)).reason is SessionReason.NOT_A_PARTY


def test_a_call_is_no_text_session() -> None:
    refusal = the_refusal(decide(Known(example_call(session_id=TEXT_SESSION)), example_activity(), MOMENT, RULES))
    assert refusal.reason is SessionReason.TEXT_SESSION_NOT_FOUND
