"""Connecting: media flows, in time, once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.calls.domain import decide
from services.calls.domain.session import Known
from shared.messages.calls import CallEventType, CallStatus, SessionReason
from shared.messages.fields import Actor
from tests.calls_examples import (
    RULES,
    example_call,
    example_calls_moment,
    example_connect,
    example_time_out,
    seconds,
    the_call,
    the_change,
    the_refusal,
)
from tests.examples import MILLISECOND, NOW, SOURCE, admin, doctor, minutes, patient, system

TYPE = "calls.call.connect.v1"


def test_a_call_is_connected_and_cannot_time_out_any_more() -> None:
    connecting = example_call()
    moment = example_calls_moment(command_id="the-command", command_type=TYPE)
    connected = the_change(decide(Known(connecting), example_connect(), moment, RULES))
    assert (connected.type, connected.at) == (CallEventType.CONNECTED, NOW)
    assert connected.session == replace(
        connecting,
        status=CallStatus.CONNECTED,
        connected_at=NOW,
        updated_at=NOW,
        deadline_at=None,
        changed_by_source=SOURCE,
        changed_by_id="the-command",
        changed_by_type=TYPE,
        version=2,
    )


@pytest.mark.parametrize(
    "after_the_deadline, in_time",
    [
        pytest.param(-MILLISECOND, True, id="a millisecond before it"),
        pytest.param(timedelta(), True, id="at the deadline"),
        pytest.param(MILLISECOND, False, id="a millisecond after it"),
        pytest.param(minutes(300), False, id="hours after it, and nobody swept"),
    ],
)
def test_a_deadline_holds_to_the_millisecond_although_nobody_swept(after_the_deadline: timedelta, *, in_time: bool) -> None:
    deadline = NOW + minutes(5)
    moment = example_calls_moment(now=deadline + after_the_deadline)
    events = decide(Known(example_call(deadline_at=deadline)), example_connect(), moment, RULES)
    if in_time:
        assert the_call(events).connected_at == moment.now
    else:
        refusal = the_refusal(events)
        assert refusal.reason is SessionReason.TIMED_OUT
        assert refusal.conflict == {"call_id": "call-1", "status": CallStatus.FAILED, "since": deadline}


def test_after_the_sweep_the_refusal_is_the_same_and_names_it() -> None:
    deadline = NOW - seconds(1)
    sweep = example_calls_moment(command_id="time_out:call-1:1:0", command_type="calls.call.time_out.v1")
    failed = the_call(decide(Known(example_call(deadline_at=deadline)), example_time_out(), sweep, RULES))
    refusal = the_refusal(decide(Known(failed), example_connect(), example_calls_moment(), RULES))
    assert refusal.reason is SessionReason.TIMED_OUT
    assert refusal.conflict == {
        "call_id": "call-1",
        "status": CallStatus.FAILED,
        "since": deadline,
        "command": {"source": SOURCE, "id": "time_out:call-1:1:0", "type": "calls.call.time_out.v1"},
    }


@pytest.mark.parametrize("status", [CallStatus.CONNECTED, CallStatus.RECONNECTING])
def test_it_is_written_once(status: CallStatus) -> None:
    connected = example_call(status=status)
    refusal = the_refusal(decide(Known(connected), example_connect(), example_calls_moment(), RULES))
    assert refusal.reason is SessionReason.WRONG_STATUS


def test_nothing_happens_before_what_happened_last_whatever_the_brokers_clocks_say() -> None:
    connecting = example_call(started_at=NOW + seconds(1))
    assert the_call(decide(Known(connecting), example_connect(), example_calls_moment(), RULES)).connected_at == NOW + seconds(1)


@pytest.mark.parametrize("actor", [patient("another"), doctor("another"), admin(), system()])
def test_only_a_party_says_so(actor: Actor) -> None:
    refusal = the_refusal(decide(Known(example_call()), example_connect(actor=actor), example_calls_moment(), RULES))
    assert refusal.reason is SessionReason.NOT_A_PARTY


def test_a_call_of_another_doctor_is_unknown() -> None:
    refusal = the_refusal(decide(Known(example_call(doctor_id="another")), example_connect(), example_calls_moment(), RULES))
    assert refusal.reason is SessionReason.CALL_NOT_FOUND
