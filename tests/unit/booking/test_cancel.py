"""Cancelling: a party, or an administrator, calls an open appointment off."""

import pytest

from services.booking.domain import decide
from services.booking.domain.decision import Known
from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus
from shared.messages.fields import Actor
from tests.examples import (
    MILLISECOND,
    NOW,
    RULES,
    START,
    admin,
    doctor,
    example_appointment,
    example_cancel,
    example_moment,
    hours,
    patient,
    system,
    the_change,
    the_refusal,
)


@pytest.mark.parametrize("actor", [patient(), doctor(), admin()])
@pytest.mark.parametrize("status", [AppointmentStatus.PENDING, AppointmentStatus.CONFIRMED, AppointmentStatus.RESCHEDULE_PROPOSED])
def test_an_open_appointment_is_cancelled_by_who_asked(actor: Actor, status: AppointmentStatus) -> None:
    held = example_appointment(status=status)
    command = example_cancel(actor=actor, reason_code="ill")
    cancelled = the_change(decide(Known(held), command, example_moment(command_id="the-command"), RULES))
    assert cancelled.type is AppointmentEventType.CANCELLED
    assert cancelled.at == NOW
    assert cancelled.appointment == held._replace(
        status=AppointmentStatus.CANCELLED,
        updated_at=NOW,
        expires_at=None,
        proposed_starts_at=None,
        status_before_proposal=None,
        cancelled_by=actor.role,
        cancellation_reason="ill",
        changed_by_type="booking.appointment.cancel.v1",
        changed_by_id="the-command",
        version=held.version + 1,
    )
    assert not cancelled.appointment.holds_slot(NOW)


@pytest.mark.parametrize("actor", [patient("another"), doctor("another"), patient("doctor-1"), doctor("patient-1"), system()])
def test_nobody_else_may_cancel(actor: Actor) -> None:
    refusal = the_refusal(decide(Known(example_appointment()), example_cancel(actor=actor), example_moment(), RULES))
    assert (refusal.status_code, refusal.reason) == (403, AppointmentReason.NOT_A_PARTY)


def test_a_lapsed_one_has_expired_and_cannot_be_cancelled() -> None:
    pending = example_appointment(expires_at=NOW)
    assert the_change(decide(Known(pending), example_cancel(), example_moment(now=NOW), RULES)).type is AppointmentEventType.CANCELLED
    late = decide(Known(pending), example_cancel(), example_moment(now=NOW + MILLISECOND), RULES)
    refusal = the_refusal(late)
    assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.EXPIRED)


def test_a_confirmed_one_can_be_cancelled_after_its_start() -> None:
    confirmed = example_appointment(status=AppointmentStatus.CONFIRMED)
    moment = example_moment(now=START + hours(1))
    assert the_change(decide(Known(confirmed), example_cancel(), moment, RULES)).type is AppointmentEventType.CANCELLED
