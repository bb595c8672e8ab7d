"""Declining is for the one called, cancelling for the starter, and both only before it connects."""

import pytest

from services.calls.domain import decide
from services.calls.domain.session import Known
from shared.messages.calls import CallEventType, CallStatus, EndReason, SessionReason
from shared.messages.fields import Role
from tests.calls_examples import (
    RULES,
    example_call,
    example_calls_moment,
    example_cancel_call,
    example_decline_call,
    the_change,
    the_refusal,
)
from tests.examples import MILLISECOND, NOW, doctor, patient

MOMENT = example_calls_moment()


@pytest.mark.parametrize("started_by, called", [(Role.PATIENT, doctor()), (Role.DOCTOR, patient())])
def test_the_one_called_declines(started_by: Role, called: object) -> None:
    call = example_call(started_by=started_by)
    declined = the_change(decide(Known(call), example_decline_call(actor=called), MOMENT, RULES))  # type: ignore[arg-type]
    assert (declined.type, declined.at) == (CallEventType.DECLINED, NOW)
    session = declined.session
    assert (session.status, session.ended_at, session.deadline_at) == (CallStatus.DECLINED, NOW, None)
    assert (session.reason, session.version) == (EndReason.DECLINED, 2)
    assert session.ended_by is not started_by


@pytest.mark.parametrize("started_by, starter", [(Role.PATIENT, patient()), (Role.DOCTOR, doctor())])
def test_the_starter_cancels(started_by: Role, starter: object) -> None:
    call = example_call(started_by=started_by)
    cancelled = the_change(decide(Known(call), example_cancel_call(actor=starter), MOMENT, RULES))  # type: ignore[arg-type]
    assert cancelled.type is CallEventType.CANCELLED
    session = cancelled.session
    assert (session.status, session.ended_at, session.ended_by) == (CallStatus.CANCELLED, NOW, started_by)
    assert (session.reason, session.version) == (EndReason.CANCELLED, 2)


def test_the_other_one_does_neither() -> None:
    for command in (example_decline_call(actor=patient()), example_cancel_call(actor=doctor())):
        refusal = the_refusal(decide(Known(example_call()), command, MOMENT, RULES))
        assert refusal.reason is SessionReason.NOT_A_PARTY


@pytest.mark.parametrize("status", [CallStatus.CONNECTED, CallStatus.RECONNECTING, CallStatus.ENDED, CallStatus.DECLINED])
def test_not_once_it_has_connected_or_is_over(status: CallStatus) -> None:
    for command in (example_decline_call(), example_cancel_call()):
        refusal = the_refusal(decide(Known(example_call(status=status)), command, MOMENT, RULES))
        assert refusal.reason is SessionReason.WRONG_STATUS
        assert refusal.conflict is not None
        assert refusal.conflict["status"] is status


def test_not_after_its_deadline() -> None:
    lapsed = example_call(deadline_at=NOW - MILLISECOND)
    for command in (example_decline_call(), example_cancel_call()):
        assert the_refusal(decide(Known(lapsed), command, MOMENT, RULES)).reason is SessionReason.TIMED_OUT
