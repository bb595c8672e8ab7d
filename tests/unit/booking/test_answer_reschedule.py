"""Answering a proposal: the patient accepts or rejects, the doctor withdraws; each frees one of the two times."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from services.booking.domain import decide
from services.booking.domain.appointment import Rules
from services.booking.domain.decision import Known
from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus, BookingCommand
from shared.messages.fields import Actor, Role
from tests.examples import (
    MILLISECOND,
    NOW,
    OTHER_START,
    RULES,
    START,
    admin,
    doctor,
    example_acceptance,
    example_appointment,
    example_booking,
    example_cancel,
    example_expire,
    example_moment,
    example_rejection,
    example_warning,
    example_withdrawal,
    hours,
    minutes,
    patient,
    system,
    the_change,
    the_refusal,
)

PROPOSED = example_appointment(status=AppointmentStatus.RESCHEDULE_PROPOSED, updated_at=NOW - minutes(30))
WAS_PENDING = PROPOSED._replace(status_before_proposal=AppointmentStatus.PENDING, warned_at=NOW - hours(1))
BACK = [
    pytest.param(example_rejection, AppointmentEventType.RESCHEDULE_REJECTED, id="rejected"),
    pytest.param(example_withdrawal, AppointmentEventType.RESCHEDULE_WITHDRAWN, id="withdrawn"),
]
Example = Callable[..., BookingCommand]


def test_an_accepted_one_is_confirmed_at_the_new_time() -> None:
    accepted = the_change(decide(Known(PROPOSED), example_acceptance(), example_moment(command_id="the-command"), RULES))
    assert (accepted.type, accepted.at) == (AppointmentEventType.RESCHEDULED, NOW)
    assert accepted.appointment == PROPOSED._replace(
        status=AppointmentStatus.CONFIRMED,
        starts_at=OTHER_START,
        ends_at=OTHER_START + minutes(30),
        held_since=NOW - minutes(30),
        updated_at=NOW,
        expires_at=None,
        proposed_starts_at=None,
        status_before_proposal=None,
        changed_by_type="booking.appointment.accept_reschedule.v1",
        changed_by_id="the-command",
        version=PROPOSED.version + 1,
    )


def test_accepting_what_was_pending_confirms_it_too() -> None:
    assert the_change(decide(Known(WAS_PENDING), example_acceptance(), example_moment(), RULES)).appointment.status == "confirmed"


def test_after_acceptance_the_old_time_is_free_and_the_new_one_is_held() -> None:
    moved = the_change(decide(Known(PROPOSED), example_acceptance(), example_moment(), RULES)).appointment
    for starts_at, outcome in ((START, "booked"), (OTHER_START, "slot_already_booked")):
        command = example_booking(patient_id="another", starts_at=starts_at)
        assert word(decide(Known(of_doctor=[moved]), command, example_moment(entity_id="next"), RULES)) == outcome


@pytest.mark.parametrize("example, event", BACK)
def test_a_confirmed_one_is_confirmed_again(example: Example, event: AppointmentEventType) -> None:
    restored = the_change(decide(Known(PROPOSED), example(), example_moment(command_id="the-command"), RULES))
    assert (restored.type, restored.at) == (event, NOW)
    assert restored.appointment == PROPOSED._replace(
        status=AppointmentStatus.CONFIRMED,
        updated_at=NOW,
        expires_at=None,
        proposed_starts_at=None,
        status_before_proposal=None,
        changed_by_type=example().type,
        changed_by_id="the-command",
        version=PROPOSED.version + 1,
    )


@pytest.mark.parametrize("example, event", BACK)
@pytest.mark.parametrize(
    "limit, expires_at",
    [
        pytest.param(hours(24), NOW + hours(24), id="its limit starts anew"),
        pytest.param(hours(26), START, id="its limit ends with its start"),
        pytest.param(hours(48), START, id="its start comes before its limit"),
    ],
)
def test_a_pending_one_is_pending_again_and_its_limit_starts_anew(
    example: Example, event: AppointmentEventType, limit: timedelta, expires_at: datetime
) -> None:
    restored = the_change(decide(Known(WAS_PENDING), example(), example_moment(), Rules(pending_expiry=limit)))
    assert restored.type is event
    assert (restored.appointment.status, restored.appointment.expires_at) == (AppointmentStatus.PENDING, expires_at)
    assert (restored.appointment.starts_at, restored.appointment.proposed_starts_at) == (START, None)


@pytest.mark.parametrize("example, event", BACK)
def test_who_waits_anew_is_warned_anew(example: Example, event: AppointmentEventType) -> None:
    restored = the_change(decide(Known(WAS_PENDING), example(), example_moment(), RULES))
    assert (restored.type, restored.appointment.warned_at) == (event, None)
    moment = example_moment(now=NOW + hours(22))
    assert the_change(decide(Known(restored.appointment), example_warning(), moment, RULES)).type is AppointmentEventType.EXPIRING


@pytest.mark.parametrize("example, event", BACK)
def test_the_proposed_time_is_free_again(example: Example, event: AppointmentEventType) -> None:
    restored = the_change(decide(Known(PROPOSED), example(), example_moment(), RULES))
    assert restored.type is event
    for starts_at, outcome in ((OTHER_START, "booked"), (START, "slot_already_booked")):
        command = example_booking(patient_id="another", starts_at=starts_at)
        assert word(decide(Known(of_doctor=[restored.appointment]), command, example_moment(entity_id="next"), RULES)) == outcome


@pytest.mark.parametrize(
    "example, role",
    [(example_acceptance, Role.PATIENT), (example_rejection, Role.PATIENT), (example_withdrawal, Role.DOCTOR)],
)
@pytest.mark.parametrize("actor", [patient(), doctor(), patient("another"), doctor("another"), admin(), system()])
def test_the_patient_answers_and_the_doctor_withdraws(example: Example, role: Role, actor: Actor) -> None:
    events = decide(Known(PROPOSED), example(actor=actor), example_moment(), RULES)
    if actor in {patient(), doctor()} and actor.role is role:
        assert the_change(events)
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (403, AppointmentReason.NOT_A_PARTY)


@pytest.mark.parametrize("example", [example_acceptance, example_rejection, example_withdrawal, example_cancel])
@pytest.mark.parametrize(
    "proposed, deadline",
    [
        pytest.param(OTHER_START, START, id="the old time passes"),
        pytest.param(START - hours(2), START - hours(2), id="the new time passes"),
    ],
)
@pytest.mark.parametrize("after, in_time", [(-MILLISECOND, True), (timedelta(), True), (MILLISECOND, False), (hours(9), False)])
def test_an_answer_comes_before_either_time_does(
    example: Example, proposed: datetime, deadline: datetime, after: timedelta, *, in_time: bool
) -> None:
    waiting = example_appointment(status=AppointmentStatus.RESCHEDULE_PROPOSED, proposed_starts_at=proposed)
    events = decide(Known(waiting), example(), example_moment(now=deadline + after), RULES)
    if in_time:
        assert the_change(events)
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.EXPIRED)


@pytest.mark.parametrize("before", [AppointmentStatus.PENDING, AppointmentStatus.CONFIRMED])
@pytest.mark.parametrize("proposed, deadline", [(OTHER_START, START), (START - hours(2), START - hours(2))])
def test_a_proposal_that_nobody_answers_expires_when_either_time_has_passed(
    proposed: datetime, deadline: datetime, before: AppointmentStatus
) -> None:
    waiting = example_appointment(status=AppointmentStatus.RESCHEDULE_PROPOSED, proposed_starts_at=proposed, status_before_proposal=before)
    assert word(decide(Known(waiting), example_expire(), example_moment(now=deadline), RULES)) == "not_due"
    expired = the_change(decide(Known(waiting), example_expire(), example_moment(now=deadline + MILLISECOND), RULES))
    assert (expired.type, expired.at) == (AppointmentEventType.EXPIRED, deadline)
    closed = expired.appointment
    assert (closed.status, closed.cancelled_by, closed.expires_at) == (AppointmentStatus.CANCELLED, Role.SYSTEM, None)
    assert (closed.proposed_starts_at, closed.status_before_proposal) == (None, None)
    assert closed.cancellation_reason == "Automatically expired - Appointment time has passed"


def test_nobody_is_warned_of_the_end_of_a_proposal() -> None:
    events = decide(Known(PROPOSED), example_warning(), example_moment(now=START - minutes(5)), RULES)
    assert the_refusal(events).reason is AppointmentReason.WRONG_STATUS


def word(events: object) -> str:
    assert isinstance(events, tuple)
    outcome = events[0]
    return str(outcome.refusal.reason) if hasattr(outcome, "refusal") else str(outcome.type.split(".")[2])
