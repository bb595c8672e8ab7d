"""Taking in what was booked elsewhere: what has passed is allowed, what overlaps is not."""

from datetime import datetime, timedelta

import pytest

from services.booking.domain import decide
from services.booking.domain.decision import Changed, Known
from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus
from shared.messages.fields import Actor
from tests.examples import (
    APPOINTMENT,
    DOCTOR,
    MILLISECOND,
    NOW,
    OTHER_START,
    PATIENT,
    RULES,
    START,
    doctor,
    example_acceptance,
    example_appointment,
    example_booking,
    example_expire,
    example_import,
    example_moment,
    example_rejection,
    example_time_off,
    hours,
    minutes,
    patient,
    system,
    the_change,
    the_refusal,
)

HOLDING = [AppointmentStatus.PENDING, AppointmentStatus.CONFIRMED, AppointmentStatus.RESCHEDULE_PROPOSED]
CLOSED = [AppointmentStatus.CANCELLED, AppointmentStatus.COMPLETED, AppointmentStatus.NO_SHOW]


@pytest.mark.parametrize("status", AppointmentStatus)
def test_it_is_taken_in_as_it_stands(status: AppointmentStatus) -> None:
    created_at = NOW - timedelta(hours=3)
    command = example_import(status=status, created_at=created_at, duration_minutes=45)
    imported = the_change(decide(Known(), command, example_moment(command_id="the-command"), RULES))
    assert (imported.type, imported.at) == (AppointmentEventType.IMPORTED, NOW)
    appointment = imported.appointment
    assert (appointment.appointment_id, appointment.doctor_id, appointment.patient_id) == (APPOINTMENT, DOCTOR, PATIENT)
    assert (appointment.starts_at, appointment.ends_at) == (START, START + minutes(45))
    assert (appointment.status, appointment.version, appointment.created_at) == (status, 1, created_at)
    assert (appointment.updated_at, appointment.held_since) == (NOW, NOW)
    assert (appointment.changed_by_type, appointment.changed_by_id) == ("booking.appointment.import.v1", "the-command")


@pytest.mark.parametrize("status", AppointmentStatus)
@pytest.mark.parametrize("starts_at", [NOW - timedelta(days=3_000), NOW - MILLISECOND, NOW + timedelta(days=366)])
def test_its_time_may_have_passed_or_be_far_ahead(status: AppointmentStatus, starts_at: datetime) -> None:
    events = decide(Known(), example_import(status=status, starts_at=starts_at), example_moment(), RULES)
    assert the_change(events).appointment.starts_at == starts_at


@pytest.mark.parametrize(
    "created_at, starts_at, expires_at",
    [
        pytest.param(NOW - hours(3), START, NOW + hours(21), id="what is left of its limit"),
        pytest.param(NOW - hours(3), NOW + hours(1), NOW + hours(1), id="its start, when that comes before"),
        pytest.param(NOW - hours(24), START, NOW, id="its limit is reached at this moment"),
        pytest.param(NOW - hours(48), START, NOW, id="its limit was reached long ago"),
        pytest.param(NOW - hours(3), NOW - hours(1), NOW, id="its start has passed"),
        pytest.param(NOW + hours(3), START, NOW + hours(24), id="it was booked by a clock that is ahead"),
    ],
)
def test_a_pending_one_waits_since_it_was_booked_and_never_expires_before_it_came(
    created_at: datetime, starts_at: datetime, expires_at: datetime
) -> None:
    command = example_import(status=AppointmentStatus.PENDING, created_at=created_at, starts_at=starts_at)
    appointment = the_change(decide(Known(), command, example_moment(), RULES)).appointment
    assert appointment.expires_at == expires_at
    expired = the_change(decide(Known(appointment), example_expire(), example_moment(now=expires_at + MILLISECOND), RULES))
    assert expired.at == expires_at


@pytest.mark.parametrize("status", [AppointmentStatus.CONFIRMED, *CLOSED])
def test_nothing_else_waits_for_an_answer(status: AppointmentStatus) -> None:
    appointment = the_change(decide(Known(), example_import(status=status), example_moment(), RULES)).appointment
    assert (appointment.expires_at, appointment.proposed_starts_at, appointment.status_before_proposal) == (None, None, None)


def test_a_proposed_one_holds_both_times_and_can_be_answered() -> None:
    command = example_import(status=AppointmentStatus.RESCHEDULE_PROPOSED, proposed_starts_at=OTHER_START)
    proposed = the_change(decide(Known(), command, example_moment(), RULES)).appointment
    assert (proposed.proposed_starts_at, proposed.expires_at) == (OTHER_START, START)
    moved = the_change(decide(Known(proposed), example_acceptance(), example_moment(), RULES)).appointment
    assert (moved.status, moved.starts_at) == (AppointmentStatus.CONFIRMED, OTHER_START)
    # What it was before is not known, so its doctor is asked.
    restored = the_change(decide(Known(proposed), example_rejection(), example_moment(), RULES)).appointment
    assert (restored.status, restored.starts_at, restored.expires_at) == (AppointmentStatus.PENDING, START, NOW + hours(24))


def test_a_proposed_one_whose_new_time_is_not_said_holds_its_own() -> None:
    command = example_import(status=AppointmentStatus.RESCHEDULE_PROPOSED)
    proposed = the_change(decide(Known(), command, example_moment(), RULES)).appointment
    assert proposed.proposed_starts_at == START
    assert the_change(decide(Known(proposed), example_acceptance(), example_moment(), RULES)).appointment.starts_at == START


@pytest.mark.parametrize("status", HOLDING)
@pytest.mark.parametrize(
    "in_the_way, reason",
    [
        pytest.param(
            Known(of_doctor=[example_appointment(appointment_id="held", patient_id="x", starts_at=START + minutes(29))]),
            AppointmentReason.SLOT_ALREADY_BOOKED,
            id="the doctor's",
        ),
        pytest.param(
            Known(of_patient=[example_appointment(appointment_id="held", doctor_id="x", starts_at=START - minutes(29))]),
            AppointmentReason.PATIENT_ALREADY_BOOKED,
            id="the patient's",
        ),
        pytest.param(Known(time_off_of_doctor=[example_time_off()]), AppointmentReason.SLOT_ALREADY_BOOKED, id="time off"),
    ],
)
def test_what_holds_a_slot_must_find_it_free(status: AppointmentStatus, in_the_way: Known, reason: AppointmentReason) -> None:
    refusal = the_refusal(decide(in_the_way, example_import(status=status), example_moment(), RULES))
    assert (refusal.status_code, refusal.reason) == (409, reason)
    for closed in CLOSED:
        assert the_change(decide(in_the_way, example_import(status=closed), example_moment(), RULES)).appointment.status is closed


def test_the_proposed_time_must_be_free_too() -> None:
    held = example_appointment(appointment_id="held", patient_id="another", starts_at=OTHER_START)
    command = example_import(status=AppointmentStatus.RESCHEDULE_PROPOSED, proposed_starts_at=OTHER_START)
    refusal = the_refusal(decide(Known(of_doctor=[held]), command, example_moment(), RULES))
    assert refusal.conflict == {"appointment_id": "held", "starts_at": held.starts_at, "ends_at": held.ends_at}


def test_a_lapsed_one_in_the_way_is_closed() -> None:
    lapsed = example_appointment(appointment_id="lapsed", patient_id="another", expires_at=NOW - minutes(10))
    events = decide(Known(of_doctor=[lapsed]), example_import(), example_moment(), RULES)
    assert [event.type for event in events if isinstance(event, Changed)] == [AppointmentEventType.IMPORTED, AppointmentEventType.EXPIRED]


def test_who_waits_for_many_answers_may_still_bring_more_along() -> None:
    known = Known(pending_of_patient=99)
    assert the_change(decide(known, example_import(status=AppointmentStatus.PENDING), example_moment(), RULES))


def test_what_it_holds_is_held_since_it_came() -> None:
    imported = the_change(decide(Known(), example_import(appointment_id="held", patient_id="x"), example_moment(), RULES)).appointment
    moment = example_moment(now=NOW + minutes(1), asked_at=NOW - MILLISECOND)
    refusal = the_refusal(decide(Known(of_doctor=[imported]), example_booking(), moment, RULES))
    assert refusal.message == "Time slot was just booked by another patient."


@pytest.mark.parametrize("actor", [patient(), doctor(), system()])
def test_nobody_but_an_administrator_imports(actor: Actor) -> None:
    refusal = the_refusal(decide(Known(), example_import(actor=actor), example_moment(), RULES))
    assert (refusal.status_code, refusal.reason) == (403, AppointmentReason.NOT_A_PARTY)


def test_an_id_is_used_once() -> None:
    known = Known(example_appointment(status=AppointmentStatus.CANCELLED))
    refusal = the_refusal(decide(known, example_import(), example_moment(), RULES))
    assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.APPOINTMENT_EXISTS)
