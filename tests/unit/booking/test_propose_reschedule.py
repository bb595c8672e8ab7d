"""Proposing another time: both times are held until the patient answers, so that accepting cannot fail."""

from datetime import datetime, timedelta

import pytest

from services.booking.domain import decide
from services.booking.domain.appointment import Appointment, Rules
from services.booking.domain.decision import Changed, Known
from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus
from shared.messages.fields import Actor
from tests.examples import (
    MILLISECOND,
    NOW,
    OTHER_START,
    RULES,
    START,
    admin,
    doctor,
    example_appointment,
    example_booking,
    example_moment,
    example_proposal,
    example_time_off,
    hours,
    minutes,
    patient,
    system,
    the_change,
    the_refusal,
)

PENDING = example_appointment()
CONFIRMED = example_appointment(status=AppointmentStatus.CONFIRMED)


@pytest.mark.parametrize("appointment", [PENDING, CONFIRMED], ids=["pending", "confirmed"])
def test_a_proposal_holds_both_times_and_remembers_what_was_before(appointment: Appointment) -> None:
    proposed = the_change(decide(Known(appointment), example_proposal(), example_moment(command_id="the-command"), RULES))
    assert (proposed.type, proposed.at) == (AppointmentEventType.RESCHEDULE_PROPOSED, NOW)
    assert proposed.appointment == appointment._replace(
        status=AppointmentStatus.RESCHEDULE_PROPOSED,
        updated_at=NOW,
        expires_at=START,
        proposed_starts_at=OTHER_START,
        status_before_proposal=appointment.status,
        changed_by_type="booking.appointment.propose_reschedule.v1",
        changed_by_id="the-command",
        version=appointment.version + 1,
    )


@pytest.mark.parametrize(
    "proposed, expires_at",
    [
        pytest.param(OTHER_START, START, id="later: when the old time comes"),
        pytest.param(START - hours(3), START - hours(3), id="earlier: when the new time comes"),
        pytest.param(START, START, id="the same"),
    ],
)
def test_it_waits_until_the_first_of_both_times_comes(proposed: datetime, expires_at: datetime) -> None:
    events = decide(Known(CONFIRMED), example_proposal(starts_at=proposed), example_moment(), RULES)
    assert the_change(events).appointment.expires_at == expires_at


@pytest.mark.parametrize(
    "starts_at, reason",
    [
        pytest.param(NOW - MILLISECOND, AppointmentReason.STARTS_IN_THE_PAST, id="a millisecond ago"),
        pytest.param(NOW, None, id="now"),
        pytest.param(NOW + timedelta(days=365), None, id="365 days ahead"),
        pytest.param(NOW + timedelta(days=365) + MILLISECOND, AppointmentReason.TOO_FAR_AHEAD, id="a millisecond more"),
    ],
)
def test_the_new_time_is_one_that_could_be_booked(starts_at: datetime, reason: AppointmentReason | None) -> None:
    events = decide(Known(CONFIRMED), example_proposal(starts_at=starts_at), example_moment(), RULES)
    if reason is None:
        assert the_change(events).appointment.proposed_starts_at == starts_at
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (422, reason)


@pytest.mark.parametrize("actor", [doctor("another"), patient(), admin(), system()])
def test_nobody_but_its_doctor_proposes(actor: Actor) -> None:
    refusal = the_refusal(decide(Known(CONFIRMED), example_proposal(actor=actor), example_moment(), RULES))
    assert (refusal.status_code, refusal.reason) == (403, AppointmentReason.NOT_A_PARTY)


def test_what_another_doctor_has_does_not_exist() -> None:
    command = example_proposal(doctor_id="another", actor=doctor("another"))
    assert the_refusal(decide(Known(CONFIRMED), command, example_moment(), RULES)).reason is AppointmentReason.APPOINTMENT_NOT_FOUND


@pytest.mark.parametrize(
    "starts_at, duration_minutes, in_the_way",
    [
        pytest.param(OTHER_START - minutes(30), 30, False, id="ends as the new time begins"),
        pytest.param(OTHER_START - minutes(30) + MILLISECOND, 30, True, id="ends a millisecond after it begins"),
        pytest.param(OTHER_START + minutes(45), 30, False, id="begins as the new time ends"),
        pytest.param(OTHER_START + minutes(45) - MILLISECOND, 30, True, id="begins a millisecond before it ends"),
        pytest.param(OTHER_START - minutes(479), 480, True, id="is the longest there is and reaches a minute into it"),
    ],
)
@pytest.mark.parametrize("whose", ["the doctor's", "the patient's"])
def test_the_new_time_must_be_free_for_as_long_as_the_appointment_takes(
    starts_at: datetime, duration_minutes: int, whose: str, *, in_the_way: bool
) -> None:
    moved = example_appointment(status=AppointmentStatus.CONFIRMED, duration_minutes=45)
    held = example_appointment(appointment_id="held", doctor_id="x", patient_id="y", starts_at=starts_at, duration_minutes=duration_minutes)
    known = Known(moved, of_doctor=[moved, held]) if whose == "the doctor's" else Known(moved, of_doctor=[moved], of_patient=[moved, held])
    events = decide(known, example_proposal(), example_moment(), RULES)
    if not in_the_way:
        assert the_change(events).appointment.proposed_starts_at == OTHER_START
        return
    refusal = the_refusal(events)
    expected = AppointmentReason.SLOT_ALREADY_BOOKED if whose == "the doctor's" else AppointmentReason.PATIENT_ALREADY_BOOKED
    assert (refusal.status_code, refusal.reason) == (409, expected)
    assert refusal.conflict == {"appointment_id": "held", "starts_at": held.starts_at, "ends_at": held.ends_at}


@pytest.mark.parametrize("shift", [timedelta(), minutes(15), -minutes(15)])
def test_its_own_old_time_is_not_in_its_way(shift: timedelta) -> None:
    known = Known(CONFIRMED, of_doctor=[CONFIRMED], of_patient=[CONFIRMED])
    events = decide(known, example_proposal(starts_at=START + shift), example_moment(), RULES)
    assert the_change(events).appointment.proposed_starts_at == START + shift


def test_time_off_is_in_its_way() -> None:
    off = example_time_off(starts_at=OTHER_START + minutes(29), ends_at=OTHER_START + hours(1))
    refusal = the_refusal(decide(Known(CONFIRMED, time_off_of_doctor=[off]), example_proposal(), example_moment(), RULES))
    assert refusal.reason is AppointmentReason.SLOT_ALREADY_BOOKED
    assert refusal.conflict == {"time_off_id": off.time_off_id, "starts_at": off.starts_at, "ends_at": off.ends_at}


def test_a_lapsed_one_at_the_new_time_is_closed_as_a_sweep_would_have() -> None:
    lapsed = example_appointment(appointment_id="lapsed", patient_id="another", starts_at=OTHER_START, expires_at=NOW - minutes(10))
    events = decide(Known(CONFIRMED, of_doctor=[CONFIRMED, lapsed]), example_proposal(), example_moment(), RULES)
    assert [(event.type, event.appointment.appointment_id) for event in events if isinstance(event, Changed)] == [
        (AppointmentEventType.RESCHEDULE_PROPOSED, "apt-1"),
        (AppointmentEventType.EXPIRED, "lapsed"),
    ]


@pytest.mark.parametrize(
    "after_the_start, in_time",
    [(-MILLISECOND, True), (timedelta(), True), (MILLISECOND, False), (hours(2), False)],
)
def test_what_has_started_is_not_moved_any_more(after_the_start: timedelta, *, in_time: bool) -> None:
    events = decide(Known(CONFIRMED), example_proposal(), example_moment(now=START + after_the_start), RULES)
    if in_time:
        assert the_change(events).appointment.expires_at == START
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.EXPIRED)


def test_what_lapsed_is_not_moved_any_more() -> None:
    lapsed = example_appointment(expires_at=NOW - MILLISECOND)
    assert the_refusal(decide(Known(lapsed), example_proposal(), example_moment(), RULES)).reason is AppointmentReason.EXPIRED


PROPOSED = example_appointment(appointment_id="held", patient_id="another", status=AppointmentStatus.RESCHEDULE_PROPOSED)


@pytest.mark.parametrize("starts_at", [START, OTHER_START])
def test_nobody_else_gets_either_time_while_a_proposal_waits(starts_at: datetime) -> None:
    refusal = the_refusal(decide(Known(of_doctor=[PROPOSED]), example_booking(starts_at=starts_at), example_moment(), RULES))
    assert refusal.reason is AppointmentReason.SLOT_ALREADY_BOOKED
    assert refusal.conflict == {"appointment_id": "held", "starts_at": starts_at, "ends_at": starts_at + minutes(30)}


@pytest.mark.parametrize("starts_at", [START, OTHER_START])
def test_its_patient_is_nowhere_else_at_either_time(starts_at: datetime) -> None:
    command = example_booking(doctor_id="another", starts_at=starts_at)
    refusal = the_refusal(decide(Known(of_patient=[PROPOSED]), command, example_moment(), RULES))
    assert refusal.reason is AppointmentReason.PATIENT_ALREADY_BOOKED


@pytest.mark.parametrize(
    "starts_at, proposed",
    [
        pytest.param(START - hours(1), OTHER_START, id="the old time has passed"),
        pytest.param(OTHER_START, START - hours(1), id="the new time has passed"),
    ],
)
def test_neither_time_is_held_once_one_of_them_has_passed(starts_at: datetime, proposed: datetime) -> None:
    lapsed = example_appointment(
        appointment_id="held",
        patient_id="another",
        status=AppointmentStatus.RESCHEDULE_PROPOSED,
        starts_at=starts_at,
        proposed_starts_at=proposed,
    )
    events = decide(Known(of_doctor=[lapsed]), example_booking(starts_at=OTHER_START), example_moment(now=START), RULES)
    assert [event.type for event in events if isinstance(event, Changed)] == [AppointmentEventType.BOOKED, AppointmentEventType.EXPIRED]


TAKEN = "This time slot is already booked. Please select a different time."
JUST_TAKEN = "Time slot was just booked by another patient."


@pytest.mark.parametrize(
    "starts_at, asked_at, message",
    [
        pytest.param(OTHER_START, NOW - minutes(31), JUST_TAKEN, id="the new time, proposed after it was asked for"),
        pytest.param(OTHER_START, NOW - minutes(30), TAKEN, id="the new time, proposed before it was asked for"),
        pytest.param(START, NOW - minutes(31), TAKEN, id="the old time, taken long before"),
    ],
)
def test_the_loser_of_a_race_against_a_proposal_is_told_that_it_was_one(starts_at: datetime, asked_at: datetime, message: str) -> None:
    proposed = PROPOSED._replace(updated_at=NOW - minutes(30))
    moment = example_moment(asked_at=asked_at)
    assert the_refusal(decide(Known(of_doctor=[proposed]), example_booking(starts_at=starts_at), moment, RULES)).message == message


def test_the_loser_of_a_race_against_a_move_is_told_that_it_was_one() -> None:
    moved = example_appointment(appointment_id="held", patient_id="another", held_since=NOW - minutes(5))
    for asked_at, message in ((NOW - minutes(6), JUST_TAKEN), (NOW - minutes(5), TAKEN)):
        moment = example_moment(asked_at=asked_at)
        assert the_refusal(decide(Known(of_doctor=[moved]), example_booking(), moment, RULES)).message == message


def test_a_proposal_does_not_count_as_pending_and_needs_no_room_among_them() -> None:
    known = Known(PENDING, pending_of_patient=5)
    assert the_change(decide(known, example_proposal(), example_moment(), Rules(max_pending_per_patient=1))).type.endswith("proposed.v1")
