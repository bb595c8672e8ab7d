"""Time-outs: at the deadline's own time, whenever the sweep comes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.calls.domain import decide
from services.calls.domain.session import Known
from shared.messages.calls import CallEventType, CallStatus, EndReason, SessionReason, TextSessionEventType, TextSessionStatus
from shared.messages.fields import Role
from tests.calls_examples import (
    RULES,
    TEXT_SESSION,
    example_call,
    example_calls_moment,
    example_text_session,
    example_text_time_out,
    example_time_out,
    seconds,
    the_change,
    the_refusal,
)
from tests.examples import MILLISECOND, NOW, minutes, patient, system

MOMENT = example_calls_moment(command_id="sweep", command_type="calls.call.time_out.v1")
TEXT_MOMENT = example_calls_moment(session_id=TEXT_SESSION)


def test_a_call_that_nobody_took_failed_at_its_deadline() -> None:
    deadline = NOW - minutes(10)
    stale = example_call(started_at=deadline - seconds(90), deadline_at=deadline)
    failed = the_change(decide(Known(stale), example_time_out(), MOMENT, RULES))
    assert (failed.type, failed.at) == (CallEventType.FAILED, deadline)
    assert failed.session == replace(
        stale,
        status=CallStatus.FAILED,
        updated_at=deadline,
        deadline_at=None,
        ended_at=deadline,
        ended_by=Role.SYSTEM,
        reason=EndReason.CONNECT_TIMEOUT,
        failure_reason="Connection timeout after 90 seconds",
        changed_by_id="sweep",
        changed_by_type="calls.call.time_out.v1",
        version=2,
    )


@pytest.mark.parametrize(
    "limit, words",
    [(seconds(90), "90 seconds"), (seconds(0.5), "0.5 seconds"), (minutes(60), "1 hour"), (minutes(90), "5400 seconds")],
)
def test_the_reason_says_the_limit_that_held(limit: timedelta, words: str) -> None:
    stale = example_call(started_at=NOW - limit - seconds(1), deadline_at=NOW - seconds(1))
    failed = the_change(decide(Known(stale), example_time_out(), MOMENT, RULES)).session
    assert getattr(failed, "failure_reason", None) == f"Connection timeout after {words}"


def test_a_text_session_that_nobody_answered_expired_at_its_deadline() -> None:
    deadline = NOW - minutes(10)
    waiting = example_text_session(deadline_at=deadline, started_at=deadline - minutes(5), patient_activity_count=3)
    expired = the_change(decide(Known(waiting), example_text_time_out(), TEXT_MOMENT, RULES))
    assert (expired.type, expired.at) == (TextSessionEventType.EXPIRED, deadline)
    session = expired.session
    assert (session.status, session.ended_at, session.ended_by) == (TextSessionStatus.EXPIRED, deadline, Role.SYSTEM)
    assert (session.reason, session.deadline_at, session.version) == (EndReason.NO_ANSWER, None, 2)


def test_a_silent_text_session_ended_at_the_last_activity_plus_the_limit() -> None:
    active = example_text_session(status=TextSessionStatus.ACTIVE, started_at=NOW - minutes(60), last_activity_at=NOW - minutes(50))
    ended = the_change(decide(Known(active), example_text_time_out(), TEXT_MOMENT, RULES))
    assert (ended.type, ended.at) == (TextSessionEventType.ENDED, NOW - minutes(30))
    session = ended.session
    assert (session.ended_at, session.ended_by, session.reason) == (NOW - minutes(30), Role.SYSTEM, EndReason.INACTIVITY)


@pytest.mark.parametrize("after_the_deadline, due", [(-MILLISECOND, False), (timedelta(), False), (MILLISECOND, True)])
def test_a_sweep_that_comes_too_early_is_refused(after_the_deadline: timedelta, *, due: bool) -> None:
    deadline = NOW - after_the_deadline
    for known, command in (
        (example_call(deadline_at=deadline), example_time_out()),
        (example_call(status=CallStatus.RECONNECTING, deadline_at=deadline), example_time_out()),
        (example_text_session(deadline_at=deadline), example_text_time_out()),
        (example_text_session(status=TextSessionStatus.ACTIVE, deadline_at=deadline), example_text_time_out()),
    ):
        events = decide(Known(known), command, MOMENT, RULES)
        if due:
            assert the_change(events).at == deadline
        else:
            assert the_refusal(events).reason is SessionReason.NOT_DUE


@pytest.mark.parametrize("status", [CallStatus.CONNECTED, CallStatus.ENDED, CallStatus.FAILED, CallStatus.DECLINED])
def test_what_waits_for_nothing_does_not_time_out(status: CallStatus) -> None:
    assert the_refusal(decide(Known(example_call(status=status)), example_time_out(), MOMENT, RULES)).reason is SessionReason.WRONG_STATUS


def test_a_text_session_that_is_over_does_not_time_out() -> None:
    over = example_text_session(status=TextSessionStatus.ENDED)
    assert the_refusal(decide(Known(over), example_text_time_out(), TEXT_MOMENT, RULES)).reason is SessionReason.SESSION_NOT_ACTIVE


def test_only_the_system_says_that_time_is_over() -> None:
    lapsed = example_call(deadline_at=NOW - MILLISECOND)
    assert the_refusal(decide(Known(lapsed), example_time_out(actor=patient()), MOMENT, RULES)).reason is SessionReason.NOT_A_PARTY
    assert the_change(decide(Known(lapsed), example_time_out(actor=system()), MOMENT, RULES)).type is CallEventType.FAILED
