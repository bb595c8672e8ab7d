"""Warning: shortly before an appointment expires both parties are told, once, and nothing else changes."""

from datetime import timedelta

import pytest

from services.booking.domain import decide
from services.booking.domain.appointment import Rules
from services.booking.domain.decision import Known
from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus
from shared.messages.fields import Actor
from tests.examples import (
    MILLISECOND,
    NOW,
    RULES,
    admin,
    doctor,
    example_appointment,
    example_moment,
    example_warning,
    hours,
    minutes,
    patient,
    the_change,
    the_refusal,
)


def test_a_warning_notes_that_it_was_given_and_changes_nothing_else() -> None:
    pending = example_appointment(expires_at=NOW + hours(1))
    warned = the_change(decide(Known(pending), example_warning(), example_moment(), RULES))
    assert warned.type is AppointmentEventType.EXPIRING
    assert warned.at == NOW
    assert warned.appointment == pending._replace(warned_at=NOW)


@pytest.mark.parametrize(
    "before_the_deadline, reason",
    [
        pytest.param(hours(2) + MILLISECOND, AppointmentReason.NOT_DUE, id="a millisecond too early"),
        pytest.param(hours(2), None, id="as early as allowed"),
        pytest.param(timedelta(), None, id="at the deadline"),
        pytest.param(-MILLISECOND, AppointmentReason.EXPIRED, id="a millisecond too late"),
    ],
)
def test_a_warning_comes_in_the_time_before_the_deadline(before_the_deadline: timedelta, reason: AppointmentReason | None) -> None:
    pending = example_appointment(expires_at=NOW + hours(5))
    moment = example_moment(now=NOW + hours(5) - before_the_deadline)
    events = decide(Known(pending), example_warning(), moment, RULES)
    if reason is None:
        assert the_change(events).type is AppointmentEventType.EXPIRING
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (409, reason)


def test_what_expires_sooner_than_the_warning_time_is_warned_of_at_once() -> None:
    pending = example_appointment(created_at=NOW, expires_at=NOW + minutes(1))
    assert the_change(decide(Known(pending), example_warning(), example_moment(), RULES)).type is AppointmentEventType.EXPIRING


def test_the_warning_time_is_a_setting() -> None:
    pending = example_appointment(expires_at=NOW + minutes(1))
    rules = Rules(expiry_warning=timedelta(seconds=30))
    assert the_refusal(decide(Known(pending), example_warning(), example_moment(), rules)).reason is AppointmentReason.NOT_DUE
    moment = example_moment(now=NOW + timedelta(seconds=30))
    assert the_change(decide(Known(pending), example_warning(), moment, rules)).type is AppointmentEventType.EXPIRING


def test_a_warning_comes_once() -> None:
    warned = example_appointment(expires_at=NOW + hours(1), warned_at=NOW - minutes(1))
    refusal = the_refusal(decide(Known(warned), example_warning(), example_moment(), RULES))
    assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.ALREADY_WARNED)


@pytest.mark.parametrize("actor", [patient(), doctor(), admin()])
def test_no_person_gives_the_warning(actor: Actor) -> None:
    pending = example_appointment(expires_at=NOW + hours(1))
    assert (
        the_refusal(decide(Known(pending), example_warning(actor=actor), example_moment(), RULES)).reason is AppointmentReason.NOT_A_PARTY
    )


def test_nobody_is_warned_of_a_confirmed_one() -> None:
    confirmed = example_appointment(status=AppointmentStatus.CONFIRMED)
    assert the_refusal(decide(Known(confirmed), example_warning(), example_moment(), RULES)).reason is AppointmentReason.WRONG_STATUS
