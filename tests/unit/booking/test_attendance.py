"""How a confirmed appointment went: it took place, or somebody did not come."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from services.booking.domain import decide
from services.booking.domain.appointment import Rules
from services.booking.domain.decision import Known
from shared.messages.booking import Absent, AppointmentEventType, AppointmentReason, AppointmentStatus, BookingCommand
from shared.messages.fields import Actor
from tests.examples import (
    MILLISECOND,
    RULES,
    START,
    admin,
    doctor,
    example_appointment,
    example_completion,
    example_moment,
    example_no_show,
    hours,
    minutes,
    patient,
    system,
    the_change,
    the_refusal,
)

CONFIRMED = example_appointment(status=AppointmentStatus.CONFIRMED)
Example = Callable[..., BookingCommand]


def test_what_took_place_is_completed() -> None:
    completed = the_change(decide(Known(CONFIRMED), example_completion(), example_moment(now=START, command_id="the-command"), RULES))
    assert (completed.type, completed.at) == (AppointmentEventType.COMPLETED, START)
    assert completed.appointment == CONFIRMED._replace(
        status=AppointmentStatus.COMPLETED,
        updated_at=START,
        changed_by_type="booking.appointment.complete.v1",
        changed_by_id="the-command",
        version=CONFIRMED.version + 1,
    )


@pytest.mark.parametrize("absent", Absent)
def test_a_no_show_says_who_did_not_come(absent: Absent) -> None:
    moment = example_moment(now=START, command_id="the-command")
    missed = the_change(decide(Known(CONFIRMED), example_no_show(absent=absent), moment, RULES))
    assert (missed.type, missed.at) == (AppointmentEventType.NO_SHOW, START)
    assert missed.appointment == CONFIRMED._replace(
        status=AppointmentStatus.NO_SHOW,
        absent=absent,
        updated_at=START,
        changed_by_type="booking.appointment.mark_no_show.v1",
        changed_by_id="the-command",
        version=CONFIRMED.version + 1,
    )


@pytest.mark.parametrize("example", [example_completion, example_no_show])
@pytest.mark.parametrize(
    "after_the_start, allowed",
    [(-hours(1), False), (-MILLISECOND, False), (timedelta(), True), (MILLISECOND, True), (hours(48), True)],
)
def test_the_doctor_says_so_from_the_start_on(example: Example, after_the_start: timedelta, *, allowed: bool) -> None:
    events = decide(Known(CONFIRMED), example(), example_moment(now=START + after_the_start), RULES)
    if allowed:
        assert the_change(events)
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.NOT_DUE)
        assert refusal.message == "The appointment has not started yet."


@pytest.mark.parametrize("after_the_start", [-hours(3), -MILLISECOND, timedelta(), hours(3)])
def test_the_system_completes_at_any_time_for_it_saw_the_session(after_the_start: timedelta) -> None:
    moment = example_moment(now=START + after_the_start)
    completed = the_change(decide(Known(CONFIRMED), example_completion(actor=system()), moment, RULES))
    assert completed.type is AppointmentEventType.COMPLETED


@pytest.mark.parametrize(
    "after_the_start, allowed",
    [(-hours(1), False), (timedelta(), False), (minutes(10) - MILLISECOND, False), (minutes(10), True), (hours(48), True)],
)
def test_the_system_waits_a_while_before_it_says_that_nobody_came(after_the_start: timedelta, *, allowed: bool) -> None:
    events = decide(Known(CONFIRMED), example_no_show(actor=system()), example_moment(now=START + after_the_start), RULES)
    if allowed:
        assert the_change(events).type is AppointmentEventType.NO_SHOW
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.NOT_DUE)
        assert refusal.message == "The system marks an appointment as missed 600 seconds after its start, not before."


def test_how_long_the_system_waits_is_a_setting() -> None:
    rules = Rules(no_show_after=timedelta(seconds=2))
    for after, allowed in ((timedelta(seconds=2) - MILLISECOND, False), (timedelta(seconds=2), True)):
        events = decide(Known(CONFIRMED), example_no_show(actor=system()), example_moment(now=START + after), rules)
        assert (the_change(events) if allowed else the_refusal(events)) is not None


def test_the_system_never_says_so_when_that_is_switched_off_but_the_doctor_still_may() -> None:
    rules, moment = Rules(no_show_after=timedelta()), example_moment(now=START + hours(5))
    assert the_refusal(decide(Known(CONFIRMED), example_no_show(actor=system()), moment, rules)).reason is AppointmentReason.NOT_DUE
    assert the_change(decide(Known(CONFIRMED), example_no_show(), moment, rules)).type is AppointmentEventType.NO_SHOW


@pytest.mark.parametrize("example", [example_completion, example_no_show])
@pytest.mark.parametrize("actor", [patient(), admin(), doctor("another")])
def test_nobody_else_says_how_it_went(example: Example, actor: Actor) -> None:
    refusal = the_refusal(decide(Known(CONFIRMED), example(actor=actor), example_moment(now=START), RULES))
    assert (refusal.status_code, refusal.reason) == (403, AppointmentReason.NOT_A_PARTY)
