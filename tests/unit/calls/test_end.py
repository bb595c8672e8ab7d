"""Ending a call: once, by a party after it connected, by the system at any time."""

import pytest

from services.calls.domain import decide
from services.calls.domain.session import Known
from shared.messages.calls import CallEventType, CallStatus, EndReason, SessionReason
from shared.messages.fields import Actor, Role
from tests.calls_examples import RULES, example_call, example_calls_moment, example_end, seconds, the_call, the_change, the_refusal
from tests.examples import MILLISECOND, NOW, SOURCE, admin, doctor, patient, system

MOMENT = example_calls_moment(command_id="the-command", command_type="calls.call.end.v1")


@pytest.mark.parametrize("actor", [patient(), doctor()], ids=lambda actor: actor.role)
def test_a_party_hangs_up(actor: Actor) -> None:
    connected = example_call(status=CallStatus.CONNECTED, connected_at=NOW - seconds(20))
    ended = the_change(decide(Known(connected), example_end(actor=actor), MOMENT, RULES))
    assert (ended.type, ended.at) == (CallEventType.ENDED, NOW)
    call = the_call((ended,))
    assert (call.status, call.ended_at, call.ended_by) == (CallStatus.ENDED, NOW, actor.role)
    assert (call.reason, call.version) == (EndReason.ENDED_BY_PARTY, connected.version + 1)
    assert call.connected_until(NOW + seconds(100)) == seconds(20)


def test_a_reason_is_passed_on() -> None:
    connected = example_call(status=CallStatus.CONNECTED)
    call = the_call(decide(Known(connected), example_end(actor=system(), reason_code="insufficient_balance"), MOMENT, RULES))
    assert (call.reason, call.ended_by) == (EndReason.INSUFFICIENT_BALANCE, Role.SYSTEM)


def test_a_party_does_not_end_what_has_not_connected() -> None:
    refusal = the_refusal(decide(Known(example_call()), example_end(), MOMENT, RULES))
    assert refusal.reason is SessionReason.NOT_CONNECTED


def test_the_system_ends_what_has_not_connected_and_it_costs_nothing() -> None:
    call = the_call(decide(Known(example_call()), example_end(actor=system()), MOMENT, RULES))
    assert (call.status, call.ended_at, call.connected_at) == (CallStatus.ENDED, NOW, None)
    assert (call.ended_by, call.reason, call.deadline_at) == (Role.SYSTEM, EndReason.ENDED_BY_SYSTEM, None)
    assert call.connected_until(NOW) == seconds(0)


def test_the_second_is_refused_and_learns_who_was_first() -> None:
    ended = the_call(decide(Known(example_call(status=CallStatus.CONNECTED)), example_end(), MOMENT, RULES))
    later = example_calls_moment(now=NOW + seconds(1), command_id="second")
    refusal = the_refusal(decide(Known(ended), example_end(actor=doctor()), later, RULES))
    assert refusal.reason is SessionReason.WRONG_STATUS
    assert refusal.conflict == {
        "call_id": "call-1",
        "status": CallStatus.ENDED,
        "since": NOW,
        "command": {"source": SOURCE, "id": "the-command", "type": "calls.call.end.v1"},
    }
    assert refusal.message == "The call is ended since 2030-01-07 12:00:00 UTC, by calls.call.end.v1."


@pytest.mark.parametrize("actor", [patient("another"), doctor("another"), admin()])
def test_nobody_else_ends_it(actor: Actor) -> None:
    refusal = the_refusal(decide(Known(example_call(status=CallStatus.CONNECTED)), example_end(actor=actor), MOMENT, RULES))
    assert refusal.reason is SessionReason.NOT_A_PARTY


@pytest.mark.parametrize("actor", [patient(), system()], ids=lambda actor: actor.role)
def test_a_call_that_never_connected_in_time_is_over_for_everybody(actor: Actor) -> None:
    refusal = the_refusal(decide(Known(example_call(deadline_at=NOW - MILLISECOND)), example_end(actor=actor), MOMENT, RULES))
    assert refusal.reason is SessionReason.TIMED_OUT
