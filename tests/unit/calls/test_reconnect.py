"""Losing the connection: what comes back in time goes on as if nothing had been; what does not ended with the loss."""

from dataclasses import replace

import pytest

from services.calls.domain import decide
from services.calls.domain.session import Known, Rules
from shared.messages.calls import CallEventType, CallStatus, EndReason, SessionReason
from shared.messages.fields import Role
from tests.calls_examples import (
    RULES,
    example_call,
    example_calls_moment,
    example_disconnect,
    example_end,
    example_reconnect,
    example_time_out,
    seconds,
    the_call,
    the_change,
    the_refusal,
)
from tests.examples import MILLISECOND, NOW, patient, system

MOMENT = example_calls_moment()
CONNECTED = example_call(status=CallStatus.CONNECTED, connected_at=NOW - seconds(20))
LOST = the_call(decide(Known(CONNECTED), example_disconnect(), MOMENT, RULES))


def test_a_loss_starts_a_grace_time() -> None:
    lost = the_change(decide(Known(CONNECTED), example_disconnect(), MOMENT, RULES))
    assert (lost.type, lost.at) == (CallEventType.RECONNECTING, NOW)
    assert (LOST.status, LOST.disconnected_at, LOST.deadline_at) == (CallStatus.RECONNECTING, NOW, NOW + seconds(60))
    assert LOST.connected_at == CONNECTED.connected_at
    assert LOST.version == CONNECTED.version + 1


def test_the_grace_time_is_a_setting() -> None:
    lost = the_call(decide(Known(CONNECTED), example_disconnect(), MOMENT, Rules(reconnect_timeout=seconds(0.5))))
    assert lost.deadline_at == NOW + seconds(0.5)


def test_while_it_is_lost_nobody_is_connected() -> None:
    assert LOST.connected_until(NOW + seconds(30)) == seconds(20)


def test_what_comes_back_at_the_deadline_counts_as_if_it_had_not_been_lost() -> None:
    moment = example_calls_moment(now=NOW + seconds(60))
    back = the_change(decide(Known(LOST), example_reconnect(), moment, RULES))
    assert back.type is CallEventType.RECONNECTED
    call = the_call((back,))
    assert call == replace(
        LOST,
        status=CallStatus.CONNECTED,
        disconnected_at=None,
        deadline_at=None,
        updated_at=moment.now,
        version=LOST.version + 1,
    )
    assert call.connected_until(moment.now) == seconds(80)


@pytest.mark.parametrize("command", [example_reconnect(), example_end(), example_disconnect()], ids=lambda command: command.type)
def test_what_comes_after_the_deadline_is_refused_although_nobody_swept(command: object) -> None:
    moment = example_calls_moment(now=NOW + seconds(60) + MILLISECOND)
    refusal = the_refusal(decide(Known(LOST), command, moment, RULES))  # type: ignore[arg-type]
    assert refusal.reason is SessionReason.TIMED_OUT
    assert refusal.conflict == {"call_id": "call-1", "status": CallStatus.ENDED, "since": NOW + seconds(60)}


def test_what_does_not_come_back_ended_with_the_loss_and_says_so_at_the_deadline() -> None:
    moment = example_calls_moment(now=NOW + seconds(500))
    ended = the_change(decide(Known(LOST), example_time_out(), moment, RULES))
    assert (ended.type, ended.at) == (CallEventType.ENDED, NOW + seconds(60))
    call = the_call((ended,))
    assert (call.status, call.ended_at, call.ended_by) == (CallStatus.ENDED, NOW, Role.SYSTEM)
    assert (call.reason, call.failure_reason, call.deadline_at) == (EndReason.RECONNECT_TIMEOUT, None, None)
    assert call.connected_until(moment.now) == seconds(20)


@pytest.mark.parametrize("actor", [patient(), system()], ids=lambda actor: actor.role)
def test_who_ends_it_while_it_is_lost_ends_it_with_the_loss(actor: object) -> None:
    moment = example_calls_moment(now=NOW + seconds(30))
    ended = the_change(decide(Known(LOST), example_end(actor=actor), moment, RULES))  # type: ignore[arg-type]
    assert ended.at == moment.now
    call = the_call((ended,))
    assert (call.ended_at, call.updated_at) == (NOW, moment.now)
    assert call.connected_until(moment.now) == seconds(20)


@pytest.mark.parametrize("status", [CallStatus.CONNECTING, CallStatus.RECONNECTING, CallStatus.ENDED])
def test_only_what_is_connected_is_lost(status: CallStatus) -> None:
    reason = the_refusal(decide(Known(example_call(status=status)), example_disconnect(), MOMENT, RULES)).reason
    assert reason is (SessionReason.NOT_CONNECTED if status is CallStatus.CONNECTING else SessionReason.WRONG_STATUS)


@pytest.mark.parametrize("status", [CallStatus.CONNECTING, CallStatus.CONNECTED, CallStatus.ENDED])
def test_only_what_is_lost_comes_back(status: CallStatus) -> None:
    reason = the_refusal(decide(Known(example_call(status=status)), example_reconnect(), MOMENT, RULES)).reason
    assert reason is (SessionReason.NOT_CONNECTED if status is CallStatus.CONNECTING else SessionReason.WRONG_STATUS)


def test_only_a_party_loses_and_regains_it() -> None:
    for known, command in ((CONNECTED, example_disconnect(actor=patient("x"))), (LOST, example_reconnect(actor=patient("x")))):
        assert the_refusal(decide(Known(known), command, MOMENT, RULES)).reason is SessionReason.NOT_A_PARTY
