"""Confirming: the doctor takes a pending appointment, in time."""

from datetime import timedelta

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
    example_confirm,
    example_moment,
    hours,
    minutes,
    patient,
    system,
    the_change,
    the_refusal,
)


def test_a_pending_appointment_is_confirmed_and_cannot_expire_any_more() -> None:
    pending = example_appointment()
    confirmed = the_change(decide(Known(pending), example_confirm(), example_moment(command_id="the-command"), RULES))
    assert confirmed.type is AppointmentEventType.CONFIRMED
    assert confirmed.at == NOW
    assert confirmed.appointment == pending._replace(
        status=AppointmentStatus.CONFIRMED,
        updated_at=NOW,
        expires_at=None,
        changed_by_type="booking.appointment.confirm.v1",
        changed_by_id="the-command",
        version=2,
    )


@pytest.mark.parametrize(
    "after_the_deadline, in_time",
    [
        pytest.param(-MILLISECOND, True, id="a millisecond before it"),
        pytest.param(timedelta(), True, id="at the deadline"),
        pytest.param(MILLISECOND, False, id="a millisecond after it"),
        pytest.param(hours(9), False, id="hours after it, and nobody swept"),
    ],
)
def test_a_deadline_holds_to_the_millisecond_although_nobody_swept(after_the_deadline: timedelta, *, in_time: bool) -> None:
    pending = example_appointment(expires_at=NOW + minutes(5))
    moment = example_moment(now=NOW + minutes(5) + after_the_deadline)
    events = decide(Known(pending), example_confirm(), moment, RULES)
    if in_time:
        assert the_change(events).type is AppointmentEventType.CONFIRMED
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.EXPIRED)


def test_it_can_be_confirmed_up_to_its_very_start() -> None:
    pending = example_appointment(starts_at=START, created_at=START - hours(1))
    assert pending.expires_at == START
    assert the_change(decide(Known(pending), example_confirm(), example_moment(now=START), RULES)).type is AppointmentEventType.CONFIRMED
    late = decide(Known(pending), example_confirm(), example_moment(now=START + MILLISECOND), RULES)
    assert the_refusal(late).reason is AppointmentReason.EXPIRED


@pytest.mark.parametrize("actor", [patient(), patient("doctor-1"), doctor("another"), admin(), system()])
def test_nobody_confirms_for_the_doctor(actor: Actor) -> None:
    refusal = the_refusal(decide(Known(example_appointment()), example_confirm(actor=actor), example_moment(), RULES))
    assert (refusal.status_code, refusal.reason) == (403, AppointmentReason.NOT_A_PARTY)


def test_an_unknown_appointment_cannot_be_confirmed() -> None:
    refusal = the_refusal(decide(Known(), example_confirm(), example_moment(), RULES))
    assert (refusal.status_code, refusal.reason) == (404, AppointmentReason.APPOINTMENT_NOT_FOUND)


def test_an_appointment_of_another_doctor_is_not_found_even_by_its_own() -> None:
    known = Known(example_appointment(doctor_id="its-own"))
    command = example_confirm(doctor_id="another", actor=doctor("its-own"))
    assert the_refusal(decide(known, command, example_moment(), RULES)).reason is AppointmentReason.APPOINTMENT_NOT_FOUND


def test_nothing_happens_before_what_happened_last_whatever_the_clocks_say() -> None:
    pending = example_appointment(created_at=NOW + hours(1))
    confirmed = the_change(decide(Known(pending), example_confirm(), example_moment(now=NOW), RULES))
    assert confirmed.at == confirmed.appointment.updated_at == NOW + hours(1)
