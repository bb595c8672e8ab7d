"""Booking a slot: the first who asks gets it, unless a rule forbids it."""

from datetime import UTC, datetime, timedelta

import pytest

from services.booking.domain import decide
from services.booking.domain.appointment import Rules
from services.booking.domain.decision import Changed, Known
from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus
from shared.messages.fields import Actor, Modality, Role
from tests.examples import (
    APPOINTMENT,
    DOCTOR,
    MILLISECOND,
    NOW,
    PATIENT,
    RULES,
    START,
    admin,
    doctor,
    example_appointment,
    example_booking,
    example_moment,
    hours,
    minutes,
    patient,
    system,
    the_change,
    the_refusal,
)

HOLDING = (AppointmentStatus.PENDING, AppointmentStatus.CONFIRMED, AppointmentStatus.RESCHEDULE_PROPOSED)
CLOSED = (AppointmentStatus.CANCELLED, AppointmentStatus.COMPLETED, AppointmentStatus.NO_SHOW)
#: The slot that the parametrized tests ask for: 14:00 to 14:30.
END = START + minutes(30)


def test_a_free_slot_is_booked_and_waits_for_the_doctor() -> None:
    command = example_booking(modality=Modality.VOICE, user_timezone="Africa/Blantyre", duration_minutes=45)
    booked = the_change(decide(Known(), command, example_moment(command_id="the-command"), RULES))
    assert booked.type is AppointmentEventType.BOOKED
    assert booked.at == NOW
    appointment = booked.appointment
    assert (appointment.appointment_id, appointment.doctor_id, appointment.patient_id) == (APPOINTMENT, DOCTOR, PATIENT)
    assert (appointment.starts_at, appointment.ends_at) == (START, START + minutes(45))
    assert (appointment.modality, appointment.user_timezone) == (Modality.VOICE, "Africa/Blantyre")
    assert (appointment.status, appointment.version) == (AppointmentStatus.PENDING, 1)
    assert appointment.created_at == appointment.updated_at == NOW
    assert (appointment.changed_by_type, appointment.changed_by_id) == ("booking.appointment.book.v1", "the-command")
    assert appointment.cancelled_by is None
    assert appointment.warned_at is None


@pytest.mark.parametrize(
    "starts_in, expires_in",
    [
        pytest.param(hours(24) - MILLISECOND, hours(24) - MILLISECOND, id="starts before the limit: at its start"),
        pytest.param(hours(24), hours(24), id="starts at the limit"),
        pytest.param(hours(24) + MILLISECOND, hours(24), id="starts after the limit: at the limit"),
        pytest.param(timedelta(), timedelta(), id="starts now"),
    ],
)
def test_it_expires_at_the_limit_or_at_its_start_whichever_comes_first(starts_in: timedelta, expires_in: timedelta) -> None:
    booked = the_change(decide(Known(), example_booking(starts_at=NOW + starts_in), example_moment(), RULES))
    assert booked.appointment.expires_at == NOW + expires_in


@pytest.mark.parametrize("actor", [patient(), admin()])
def test_the_patient_and_an_administrator_may_book(actor: Actor) -> None:
    assert the_change(decide(Known(), example_booking(actor=actor), example_moment(), RULES)).type is AppointmentEventType.BOOKED


@pytest.mark.parametrize("actor", [patient("another"), doctor(), doctor(PATIENT), system(), Actor(role=Role.SYSTEM, id=PATIENT)])
def test_nobody_else_may_book(actor: Actor) -> None:
    refusal = the_refusal(decide(Known(), example_booking(actor=actor), example_moment(), RULES))
    assert (refusal.status_code, refusal.reason) == (403, AppointmentReason.NOT_A_PARTY)


@pytest.mark.parametrize(
    "starts_at, allowed",
    [
        pytest.param(NOW, True, id="exactly now"),
        pytest.param(NOW - MILLISECOND, False, id="a millisecond ago"),
        pytest.param(NOW - timedelta(microseconds=1), False, id="a microsecond ago"),
        pytest.param(NOW + MILLISECOND, True, id="in a millisecond"),
    ],
)
def test_nothing_is_booked_into_the_past(starts_at: datetime, *, allowed: bool) -> None:
    events = decide(Known(), example_booking(starts_at=starts_at), example_moment(), RULES)
    if allowed:
        assert the_change(events).appointment.starts_at == starts_at
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (422, AppointmentReason.STARTS_IN_THE_PAST)


@pytest.mark.parametrize(
    "ahead, allowed",
    [
        pytest.param(timedelta(days=365), True, id="exactly 365 days"),
        pytest.param(timedelta(days=365) - MILLISECOND, True, id="a millisecond less"),
        pytest.param(timedelta(days=365) + MILLISECOND, False, id="a millisecond more"),
    ],
)
def test_nothing_is_booked_further_ahead_than_allowed(ahead: timedelta, *, allowed: bool) -> None:
    events = decide(Known(), example_booking(starts_at=NOW + ahead), example_moment(), RULES)
    if allowed:
        assert the_change(events).appointment.starts_at == NOW + ahead
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (422, AppointmentReason.TOO_FAR_AHEAD)
        assert refusal.message == "The appointment would start more than 365 days ahead."


def test_an_id_is_used_once() -> None:
    known = Known(example_appointment(status=AppointmentStatus.CANCELLED))
    refusal = the_refusal(decide(known, example_booking(), example_moment(), RULES))
    assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.APPOINTMENT_EXISTS)


@pytest.mark.parametrize(
    "waiting, limit, allowed",
    [(0, 1, True), (1, 1, False), (4, 5, True), (5, 5, False), (6, 5, False), (2, 3, True), (3, 3, False)],
)
def test_a_patient_waits_for_so_many_answers_at_most(waiting: int, limit: int, *, allowed: bool) -> None:
    known = Known(pending_of_patient=waiting)
    events = decide(known, example_booking(), example_moment(), Rules(max_pending_per_patient=limit))
    if allowed:
        assert the_change(events).type is AppointmentEventType.BOOKED
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.TOO_MANY_PENDING)


INTERVALS = [
    pytest.param(START - minutes(30), 30, False, id="ends as ours begins"),
    pytest.param(START - minutes(30) + MILLISECOND, 30, True, id="ends a millisecond after ours begins"),
    pytest.param(START - minutes(30) - MILLISECOND, 30, False, id="ends a millisecond before ours begins"),
    pytest.param(END, 30, False, id="begins as ours ends"),
    pytest.param(END - MILLISECOND, 30, True, id="begins a millisecond before ours ends"),
    pytest.param(END + MILLISECOND, 30, False, id="begins a millisecond after ours ends"),
    pytest.param(START, 30, True, id="is the same"),
    pytest.param(START, 5, True, id="begins with ours and is shorter"),
    pytest.param(START, 480, True, id="begins with ours and is longer"),
    pytest.param(START + minutes(10), 5, True, id="lies within ours"),
    pytest.param(START - minutes(60), 480, True, id="encloses ours"),
    pytest.param(START - minutes(479), 480, True, id="is the longest there is and reaches a minute into ours"),
    pytest.param(START - minutes(480), 480, False, id="is the longest there is and ends as ours begins"),
]


@pytest.mark.parametrize("status", HOLDING)
@pytest.mark.parametrize("starts_at, duration_minutes, in_the_way", INTERVALS)
def test_a_doctor_is_in_one_appointment_at_a_time(
    starts_at: datetime, duration_minutes: int, status: AppointmentStatus, *, in_the_way: bool
) -> None:
    held = example_appointment(
        appointment_id="held", patient_id="another", starts_at=starts_at, duration_minutes=duration_minutes, status=status
    )
    events = decide(Known(of_doctor=[held]), example_booking(), example_moment(), RULES)
    if not in_the_way:
        assert the_change(events).appointment.appointment_id == APPOINTMENT
        return
    refusal = the_refusal(events)
    assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.SLOT_ALREADY_BOOKED)
    assert refusal.conflict == {"appointment_id": "held", "starts_at": held.starts_at, "ends_at": held.ends_at}


@pytest.mark.parametrize("status", HOLDING)
@pytest.mark.parametrize("starts_at, duration_minutes, in_the_way", INTERVALS)
def test_a_patient_is_in_one_appointment_at_a_time_with_any_doctor(
    starts_at: datetime, duration_minutes: int, status: AppointmentStatus, *, in_the_way: bool
) -> None:
    held = example_appointment(
        appointment_id="held", doctor_id="another", starts_at=starts_at, duration_minutes=duration_minutes, status=status
    )
    events = decide(Known(of_patient=[held]), example_booking(), example_moment(), RULES)
    if not in_the_way:
        assert the_change(events).appointment.appointment_id == APPOINTMENT
        return
    refusal = the_refusal(events)
    assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.PATIENT_ALREADY_BOOKED)
    assert refusal.conflict == {"appointment_id": "held", "starts_at": held.starts_at, "ends_at": held.ends_at}


@pytest.mark.parametrize("status", CLOSED)
def test_a_closed_appointment_is_in_nobodys_way(status: AppointmentStatus) -> None:
    closed = example_appointment(appointment_id="closed", patient_id="another", status=status)
    events = decide(Known(of_doctor=[closed], of_patient=[closed]), example_booking(), example_moment(), RULES)
    assert the_change(events).type is AppointmentEventType.BOOKED


@pytest.mark.parametrize(
    "same_instant",
    [
        "2030-01-08T14:00:00Z",
        "2030-01-08T14:00:00.000000Z",
        "2030-01-08t14:00:00z",
        "2030-01-08T15:00:00+01:00",
        "2030-01-08T09:00:00-05:00",
        "2030-01-08T19:45:00+05:45",
        "2030-01-09T04:00:00+14:00",
        "2030-01-08T02:00:00-12:00",
        "2030-01-08T14:00:00-00:00",
    ],
)
def test_the_same_instant_in_another_offset_is_the_same_slot(same_instant: str) -> None:
    command = example_booking(starts_at=same_instant)
    assert command.starts_at == START
    assert command.starts_at.tzinfo is UTC
    held = example_appointment(appointment_id="held", patient_id="another")
    assert the_refusal(decide(Known(of_doctor=[held]), command, example_moment(), RULES)).reason is AppointmentReason.SLOT_ALREADY_BOOKED


DST_CHANGES = [
    # Europe/Berlin, 2030-03-31: 02:00 +01:00 does not exist, the clock goes on at 03:00 +02:00.
    pytest.param("2030-03-31T01:30:00+01:00", "2030-03-31T03:00:00+02:00", False, id="Berlin, spring: 01:30 and 03:00 touch"),
    pytest.param("2030-03-31T01:45:00+01:00", "2030-03-31T03:00:00+02:00", True, id="Berlin, spring: 01:45 reaches into 03:00"),
    # Europe/Berlin, 2030-10-27: 02:30 exists twice, first at +02:00, then at +01:00.
    pytest.param("2030-10-27T02:30:00+02:00", "2030-10-27T02:30:00+01:00", False, id="Berlin, autumn: the two 02:30 are an hour apart"),
    pytest.param("2030-10-27T02:45:00+02:00", "2030-10-27T02:00:00+01:00", True, id="Berlin, autumn: 02:45 reaches into the second 02:00"),
    # America/New_York, 2030-03-10 and 2030-11-03.
    pytest.param("2030-03-10T01:30:00-05:00", "2030-03-10T03:00:00-04:00", False, id="New York, spring: 01:30 and 03:00 touch"),
    pytest.param("2030-03-10T01:31:00-05:00", "2030-03-10T03:00:00-04:00", True, id="New York, spring: 01:31 reaches into 03:00"),
    pytest.param("2030-11-03T01:30:00-04:00", "2030-11-03T01:30:00-05:00", False, id="New York, autumn: the two 01:30 are an hour apart"),
    pytest.param("2030-11-03T01:30:00-04:00", "2030-11-03T00:30:00-05:00", True, id="New York, autumn: the same instant, said twice"),
]


@pytest.mark.parametrize("first, second, overlap", DST_CHANGES)
@pytest.mark.parametrize("user_timezone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_a_change_of_the_clocks_moves_nothing(first: str, second: str, user_timezone: str, *, overlap: bool) -> None:
    held = the_change(decide(Known(), example_booking(starts_at=first, patient_id="another"), example_moment(), RULES)).appointment
    command = example_booking(starts_at=second, user_timezone=user_timezone)
    events = decide(Known(of_doctor=[held]), command, example_moment(entity_id="second"), RULES)
    if overlap:
        assert the_refusal(events).reason is AppointmentReason.SLOT_ALREADY_BOOKED
    else:
        assert the_change(events).type is AppointmentEventType.BOOKED


TAKEN = "This time slot is already booked. Please select a different time."
JUST_TAKEN = "Time slot was just booked by another patient."


@pytest.mark.parametrize(
    "asked_at, message",
    [
        pytest.param(None, TAKEN, id="nobody knows when it was asked"),
        pytest.param(NOW - hours(1) + MILLISECOND, TAKEN, id="the slot was taken when it was asked"),
        pytest.param(NOW - hours(1), TAKEN, id="taken at the moment of asking"),
        pytest.param(NOW - hours(1) - MILLISECOND, JUST_TAKEN, id="taken a millisecond after it was asked"),
    ],
)
def test_the_loser_of_a_race_is_told_that_it_was_one(asked_at: datetime | None, message: str) -> None:
    held = example_appointment(appointment_id="held", patient_id="another", created_at=NOW - hours(1))
    assert the_refusal(decide(Known(of_doctor=[held]), example_booking(), example_moment(asked_at=asked_at), RULES)).message == message


def test_the_loser_of_a_race_within_a_batch_is_told_that_it_was_one() -> None:
    held = example_appointment(appointment_id="held", patient_id="another")
    known = Known(of_doctor=[held], taken_in_this_batch={("held", START)})
    assert the_refusal(decide(known, example_booking(), example_moment(), RULES)).message == JUST_TAKEN


def test_who_asks_twice_is_told_that_the_slot_is_theirs() -> None:
    held = example_appointment(appointment_id="held")
    known = Known(of_doctor=[held], of_patient=[held], taken_in_this_batch={("held", START)})
    refusal = the_refusal(decide(known, example_booking(), example_moment(asked_at=NOW - hours(2)), RULES))
    assert refusal.reason is AppointmentReason.SLOT_ALREADY_BOOKED
    assert refusal.message == "You have already booked this time slot."


def test_a_conflict_never_shows_whose_appointment_it_is() -> None:
    held = example_appointment(appointment_id="held", patient_id="secret-patient")
    refusal = the_refusal(decide(Known(of_doctor=[held]), example_booking(), example_moment(), RULES))
    assert "secret-patient" not in repr(refusal)


def test_the_earliest_of_several_in_the_way_is_named() -> None:
    later = example_appointment(appointment_id="later", patient_id="another", starts_at=START + minutes(15))
    earlier = example_appointment(appointment_id="earlier", patient_id="another", starts_at=START - minutes(15))
    refusal = the_refusal(decide(Known(of_doctor=[later, earlier]), example_booking(), example_moment(), RULES))
    assert refusal.conflict is not None
    assert refusal.conflict["appointment_id"] == "earlier"


def test_a_pending_one_holds_its_slot_until_its_deadline_and_not_longer() -> None:
    held = example_appointment(appointment_id="held", patient_id="another", expires_at=NOW)
    known = Known(of_doctor=[held])
    assert the_refusal(decide(known, example_booking(), example_moment(now=NOW), RULES)).reason is AppointmentReason.SLOT_ALREADY_BOOKED
    outcome = decide(known, example_booking(), example_moment(now=NOW + MILLISECOND), RULES)[0]
    assert isinstance(outcome, Changed)


def test_a_lapsed_one_in_the_way_is_closed_as_a_sweep_would_have() -> None:
    deadline = NOW - minutes(10)
    lapsed = example_appointment(appointment_id="lapsed", patient_id="another", expires_at=deadline)
    events = decide(Known(of_doctor=[lapsed]), example_booking(), example_moment(command_id="the-booking"), RULES)
    assert [event.type for event in events if isinstance(event, Changed)] == [AppointmentEventType.BOOKED, AppointmentEventType.EXPIRED]
    expired = events[1]
    assert isinstance(expired, Changed)
    assert expired.at == deadline
    closed = expired.appointment
    assert (closed.appointment_id, closed.status, closed.cancelled_by) == ("lapsed", AppointmentStatus.CANCELLED, Role.SYSTEM)
    assert (closed.updated_at, closed.expires_at, closed.version) == (deadline, None, 2)
    assert (closed.changed_by_type, closed.changed_by_id) == ("booking.appointment.book.v1", "the-booking")
    assert closed.cancellation_reason == "Automatically expired - No doctor response within 24 hours"


def test_a_lapsed_one_beside_the_slot_is_left_to_the_sweep() -> None:
    lapsed = example_appointment(appointment_id="lapsed", patient_id="another", starts_at=END, expires_at=NOW - minutes(10))
    assert the_change(decide(Known(of_doctor=[lapsed]), example_booking(), example_moment(), RULES)).type is AppointmentEventType.BOOKED


def test_all_lapsed_ones_in_the_way_are_closed() -> None:
    lapsed = [
        example_appointment(appointment_id=f"lapsed-{i}", patient_id="another", starts_at=START + minutes(i * 10), duration_minutes=10)
        for i in range(3)
    ]
    events = decide(Known(of_doctor=lapsed), example_booking(), example_moment(now=NOW + hours(24)), RULES)
    closed = [event.appointment.appointment_id for event in events[1:] if isinstance(event, Changed)]
    assert closed == ["lapsed-0", "lapsed-1", "lapsed-2"]


def test_a_lapsed_one_is_not_closed_when_the_booking_is_refused() -> None:
    lapsed = example_appointment(appointment_id="lapsed", patient_id="another", expires_at=NOW - minutes(10))
    standing = example_appointment(appointment_id="standing", patient_id="another", starts_at=START + minutes(15))
    refusal = the_refusal(decide(Known(of_doctor=[lapsed, standing]), example_booking(), example_moment(), RULES))
    assert refusal.conflict is not None
    assert refusal.conflict["appointment_id"] == "standing"


def test_a_lapsed_one_of_the_patient_with_another_doctor_is_in_nobodys_way() -> None:
    lapsed = example_appointment(appointment_id="lapsed", doctor_id="another", expires_at=NOW - minutes(10))
    assert the_change(decide(Known(of_patient=[lapsed]), example_booking(), example_moment(), RULES)).type is AppointmentEventType.BOOKED
