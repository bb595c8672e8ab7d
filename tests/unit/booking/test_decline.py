"""Declining: the doctor turns a pending appointment down."""

import pytest

from services.booking.domain import decide
from services.booking.domain.decision import Known
from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus
from shared.messages.fields import Actor, Role
from tests.examples import (
    MILLISECOND,
    NOW,
    RULES,
    admin,
    doctor,
    example_appointment,
    example_decline,
    example_moment,
    patient,
    system,
    the_change,
    the_refusal,
)


@pytest.mark.parametrize("reason_code", [None, "no_time"])
def test_a_pending_appointment_is_declined_and_its_slot_is_free(reason_code: str | None) -> None:
    pending = example_appointment()
    command = example_decline(reason_code=reason_code)
    declined = the_change(decide(Known(pending), command, example_moment(command_id="the-command"), RULES))
    assert declined.type is AppointmentEventType.DECLINED
    assert declined.at == NOW
    assert declined.appointment == pending._replace(
        status=AppointmentStatus.CANCELLED,
        updated_at=NOW,
        expires_at=None,
        cancelled_by=Role.DOCTOR,
        cancellation_reason=reason_code,
        changed_by_type="booking.appointment.decline.v1",
        changed_by_id="the-command",
        version=2,
    )
    assert not declined.appointment.holds_slot(NOW)


@pytest.mark.parametrize("actor", [patient(), doctor("another"), admin(), system()])
def test_nobody_declines_for_the_doctor(actor: Actor) -> None:
    refusal = the_refusal(decide(Known(example_appointment()), example_decline(actor=actor), example_moment(), RULES))
    assert (refusal.status_code, refusal.reason) == (403, AppointmentReason.NOT_A_PARTY)


def test_after_the_deadline_there_is_nothing_left_to_decline() -> None:
    pending = example_appointment(expires_at=NOW)
    assert the_change(decide(Known(pending), example_decline(), example_moment(now=NOW), RULES)).type is AppointmentEventType.DECLINED
    late = decide(Known(pending), example_decline(), example_moment(now=NOW + MILLISECOND), RULES)
    assert the_refusal(late).reason is AppointmentReason.EXPIRED
