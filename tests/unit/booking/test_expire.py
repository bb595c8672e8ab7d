"""Expiring: what nobody answered in time is closed, as if at its deadline."""

from datetime import datetime, timedelta

import pytest

from services.booking.domain import decide
from services.booking.domain.appointment import Rules
from services.booking.domain.decision import Known
from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus
from shared.messages.fields import Actor, Role
from shared.messages.wording import describe_duration
from tests.examples import (
    MILLISECOND,
    NOW,
    RULES,
    START,
    admin,
    doctor,
    example_appointment,
    example_expire,
    example_moment,
    hours,
    minutes,
    patient,
    system,
    the_change,
    the_refusal,
)


@pytest.mark.parametrize("late_by", [MILLISECOND, minutes(3), hours(1)])
def test_it_expires_at_its_deadline_however_late_the_sweep_comes(late_by: timedelta) -> None:
    pending = example_appointment(expires_at=NOW)
    moment = example_moment(now=NOW + late_by, command_id="the-sweep")
    expired = the_change(decide(Known(pending), example_expire(), moment, RULES))
    assert expired.type is AppointmentEventType.EXPIRED
    assert expired.at == NOW
    assert expired.appointment == pending._replace(
        status=AppointmentStatus.CANCELLED,
        updated_at=NOW,
        expires_at=None,
        cancelled_by=Role.SYSTEM,
        cancellation_reason="Automatically expired - No doctor response within 24 hours",
        changed_by_type="booking.appointment.expire.v1",
        changed_by_id="the-sweep",
        version=2,
    )


@pytest.mark.parametrize("early_by", [timedelta(), MILLISECOND, hours(3)])
def test_until_its_deadline_it_is_not_due(early_by: timedelta) -> None:
    pending = example_appointment(expires_at=NOW)
    refusal = the_refusal(decide(Known(pending), example_expire(), example_moment(now=NOW - early_by), RULES))
    assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.NOT_DUE)


NO_RESPONSE = "Automatically expired - No doctor response within 24 hours"
TIME_HAS_PASSED = "Automatically expired - Appointment time has passed"


@pytest.mark.parametrize(
    "starts_at, expires_at, now, reason",
    [
        pytest.param(START, NOW, NOW + MILLISECOND, NO_RESPONSE, id="the limit alone"),
        pytest.param(START, NOW, START, NO_RESPONSE, id="the limit, swept at the very start"),
        pytest.param(START, START, START + MILLISECOND, TIME_HAS_PASSED, id="the start alone"),
        pytest.param(START, NOW, START + MILLISECOND, TIME_HAS_PASSED, id="both"),
    ],
)
def test_it_says_why_it_expired(starts_at: datetime, expires_at: datetime, now: datetime, reason: str) -> None:
    pending = example_appointment(starts_at=starts_at, expires_at=expires_at)
    expired = the_change(decide(Known(pending), example_expire(), example_moment(now=now), RULES))
    assert expired.appointment.cancellation_reason == reason
    assert expired.at == expires_at


@pytest.mark.parametrize(
    "limit, words",
    [
        (timedelta(hours=24), "24 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(days=3), "72 hours"),
        (timedelta(seconds=90), "90 seconds"),
        (timedelta(minutes=59, seconds=59), "3599 seconds"),
        (timedelta(minutes=90), "5400 seconds"),
        (timedelta(seconds=2.5), "2.5 seconds"),
        (timedelta(milliseconds=250), "0.25 seconds"),
    ],
)
def test_it_shows_the_limit_that_is_set(limit: timedelta, words: str) -> None:
    assert describe_duration(limit) == words
    pending = example_appointment(expires_at=NOW)
    expired = the_change(decide(Known(pending), example_expire(), example_moment(now=NOW + MILLISECOND), Rules(pending_expiry=limit)))
    assert expired.appointment.cancellation_reason == f"Automatically expired - No doctor response within {words}"


def test_the_sweep_needs_no_actor_but_may_name_itself() -> None:
    pending = example_appointment(expires_at=NOW)
    moment = example_moment(now=NOW + MILLISECOND)
    assert the_change(decide(Known(pending), example_expire(actor=system()), moment, RULES)).type is AppointmentEventType.EXPIRED


@pytest.mark.parametrize("actor", [patient(), doctor(), admin()])
def test_no_person_lets_an_appointment_expire(actor: Actor) -> None:
    pending = example_appointment(expires_at=NOW)
    refusal = the_refusal(decide(Known(pending), example_expire(actor=actor), example_moment(now=NOW + MILLISECOND), RULES))
    assert (refusal.status_code, refusal.reason) == (403, AppointmentReason.NOT_A_PARTY)


def test_what_does_not_exist_does_not_expire() -> None:
    assert the_refusal(decide(Known(), example_expire(), example_moment(), RULES)).reason is AppointmentReason.APPOINTMENT_NOT_FOUND


def test_what_the_doctor_confirmed_in_time_does_not_expire() -> None:
    confirmed = example_appointment(status=AppointmentStatus.CONFIRMED)
    refusal = the_refusal(decide(Known(confirmed), example_expire(), example_moment(now=START + hours(2)), RULES))
    assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.WRONG_STATUS)
