"""Time off: an interval in which a doctor sees nobody, as long as nobody is booked in it."""

from dataclasses import replace
from datetime import datetime

import pytest

from services.booking.domain import decide
from services.booking.domain.appointment import Appointment
from services.booking.domain.decision import Known
from services.booking.domain.time_off import TimeOff
from shared.messages.booking import (
    AppointmentEventType,
    AppointmentReason,
    AppointmentStatus,
    BookingCommand,
    TimeOffEventType,
    TimeOffReason,
    TimeOffStatus,
)
from shared.messages.fields import Actor, Role
from tests.examples import (
    DOCTOR,
    MILLISECOND,
    NOW,
    OTHER_START,
    RULES,
    START,
    TIME_OFF,
    admin,
    doctor,
    example_appointment,
    example_block,
    example_booking,
    example_moment,
    example_time_off,
    example_unblock,
    hours,
    minutes,
    patient,
    system,
    the_change,
    the_refusal,
    the_time_off,
)

END = START + hours(4)
MOMENT = example_moment(command_id="the-command", entity_id=TIME_OFF)


def test_an_interval_is_blocked() -> None:
    blocked = the_time_off(decide(Known(), example_block(), MOMENT, RULES))
    assert (blocked.type, blocked.at) == (TimeOffEventType.BLOCKED, NOW)
    assert blocked.time_off == TimeOff(
        time_off_id=TIME_OFF,
        doctor_id=DOCTOR,
        starts_at=START,
        ends_at=END,
        status=TimeOffStatus.BLOCKED,
        created_at=NOW,
        updated_at=NOW,
        changed_by_type="booking.time_off.block.v1",
        changed_by_id="the-command",
        version=1,
    )


def test_and_free_again() -> None:
    blocked = example_time_off()
    unblocked = the_time_off(decide(Known(time_off=blocked), example_unblock(), MOMENT, RULES))
    assert (unblocked.type, unblocked.at) == (TimeOffEventType.UNBLOCKED, NOW)
    assert unblocked.time_off == replace(
        blocked,
        status=TimeOffStatus.UNBLOCKED,
        updated_at=NOW,
        changed_by_type="booking.time_off.unblock.v1",
        changed_by_id="the-command",
        version=2,
    )


@pytest.mark.parametrize("starts_at", [NOW - hours(999), NOW - hours(1), NOW + hours(24 * 999)])
def test_a_doctor_may_be_off_at_any_time(starts_at: datetime) -> None:
    command = example_block(starts_at=starts_at, ends_at=starts_at + hours(24 * 400))
    assert the_time_off(decide(Known(), command, MOMENT, RULES)).time_off.starts_at == starts_at


INTERVALS = [
    pytest.param(START - minutes(30), 30, False, id="ends as the time off begins"),
    pytest.param(START - minutes(30) + MILLISECOND, 30, True, id="ends a millisecond after it begins"),
    pytest.param(END, 30, False, id="begins as the time off ends"),
    pytest.param(END - MILLISECOND, 30, True, id="begins a millisecond before it ends"),
    pytest.param(START + hours(1), 30, True, id="lies within it"),
    pytest.param(START - hours(1), 480, True, id="encloses it"),
    pytest.param(START - minutes(480), 480, False, id="is the longest there is and ends as it begins"),
]


@pytest.mark.parametrize("starts_at, duration_minutes, in_the_way", INTERVALS)
@pytest.mark.parametrize("status", [AppointmentStatus.PENDING, AppointmentStatus.CONFIRMED, AppointmentStatus.RESCHEDULE_PROPOSED])
def test_no_time_is_off_that_an_appointment_holds_a_part_of(
    starts_at: datetime, duration_minutes: int, status: AppointmentStatus, *, in_the_way: bool
) -> None:
    held = example_appointment(starts_at=starts_at, duration_minutes=duration_minutes, status=status, patient_id="secret-patient")
    events = decide(Known(of_doctor=[held]), example_block(), MOMENT, RULES)
    if not in_the_way:
        assert the_time_off(events)
        return
    refusal = the_refusal(events)
    assert (refusal.status_code, refusal.reason) == (409, TimeOffReason.SLOT_ALREADY_BOOKED)
    assert refusal.conflict == {"appointment_id": "apt-1", "starts_at": held.starts_at, "ends_at": held.ends_at}
    assert "secret-patient" not in repr(refusal)


def test_a_time_that_is_only_proposed_is_held_too() -> None:
    proposed = example_appointment(status=AppointmentStatus.RESCHEDULE_PROPOSED)
    command = example_block(starts_at=OTHER_START - hours(1), ends_at=OTHER_START + MILLISECOND)
    refusal = the_refusal(decide(Known(of_doctor=[proposed]), command, MOMENT, RULES))
    assert refusal.conflict == {"appointment_id": "apt-1", "starts_at": OTHER_START, "ends_at": OTHER_START + minutes(30)}


@pytest.mark.parametrize(
    "appointment",
    [
        example_appointment(status=AppointmentStatus.CANCELLED),
        example_appointment(status=AppointmentStatus.COMPLETED),
        example_appointment(expires_at=NOW - MILLISECOND),
    ],
    ids=["cancelled", "completed", "lapsed, and nobody swept"],
)
def test_what_holds_nothing_is_not_in_its_way(appointment: Appointment) -> None:
    assert the_time_off(decide(Known(of_doctor=[appointment]), example_block(), MOMENT, RULES))


def test_of_several_appointments_the_earliest_is_named() -> None:
    later, earlier = (example_appointment(appointment_id=name, starts_at=START + hours(n)) for name, n in (("later", 2), ("earlier", 1)))
    refusal = the_refusal(decide(Known(of_doctor=[later, earlier]), example_block(), MOMENT, RULES))
    assert refusal.conflict is not None
    assert refusal.conflict["appointment_id"] == "earlier"


def test_an_appointment_that_happens_to_have_the_same_id_is_in_the_way_as_any_other() -> None:
    held = example_appointment(appointment_id=TIME_OFF)
    assert the_refusal(decide(Known(of_doctor=[held]), example_block(), MOMENT, RULES)).reason is TimeOffReason.SLOT_ALREADY_BOOKED


def test_what_is_off_may_be_off_twice() -> None:
    known = Known(time_off_of_doctor=[example_time_off(time_off_id="other")])
    assert the_time_off(decide(known, example_block(), MOMENT, RULES))


@pytest.mark.parametrize("starts_at, duration_minutes, in_the_way", INTERVALS)
def test_nothing_is_booked_into_time_off(starts_at: datetime, duration_minutes: int, *, in_the_way: bool) -> None:
    off = example_time_off()
    command = example_booking(starts_at=starts_at, duration_minutes=duration_minutes)
    events = decide(Known(time_off_of_doctor=[off]), command, example_moment(), RULES)
    if not in_the_way:
        assert the_change(events).type is AppointmentEventType.BOOKED
        return
    refusal = the_refusal(events)
    assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.SLOT_ALREADY_BOOKED)
    assert refusal.message == "This time slot is already booked. Please select a different time."
    assert refusal.conflict == {"time_off_id": TIME_OFF, "starts_at": START, "ends_at": END}


def test_of_time_off_and_an_appointment_in_the_way_the_earlier_is_named() -> None:
    off = example_time_off(starts_at=START + minutes(15))
    held = example_appointment(appointment_id="held", patient_id="another", starts_at=START - minutes(15))
    refusal = the_refusal(decide(Known(of_doctor=[held], time_off_of_doctor=[off]), example_booking(), example_moment(), RULES))
    assert refusal.conflict is not None
    assert refusal.conflict["appointment_id"] == "held"


@pytest.mark.parametrize("actor", [doctor(), admin()])
def test_the_doctor_and_an_administrator_may(actor: Actor) -> None:
    assert the_time_off(decide(Known(), example_block(actor=actor), MOMENT, RULES))
    assert the_time_off(decide(Known(time_off=example_time_off()), example_unblock(actor=actor), MOMENT, RULES))


@pytest.mark.parametrize("actor", [doctor("another"), patient(), patient(DOCTOR), system(), Actor(role=Role.SYSTEM, id=DOCTOR)])
def test_nobody_else_may(actor: Actor) -> None:
    cases: list[tuple[Known, BookingCommand]] = [
        (Known(), example_block(actor=actor)),
        (Known(time_off=example_time_off()), example_unblock(actor=actor)),
    ]
    for known, command in cases:
        refusal = the_refusal(decide(known, command, MOMENT, RULES))
        assert (refusal.status_code, refusal.reason) == (403, TimeOffReason.NOT_A_PARTY)


@pytest.mark.parametrize("status", TimeOffStatus)
def test_an_id_is_used_once(status: TimeOffStatus) -> None:
    refusal = the_refusal(decide(Known(time_off=example_time_off(status=status)), example_block(), MOMENT, RULES))
    assert (refusal.status_code, refusal.reason) == (409, TimeOffReason.TIME_OFF_EXISTS)


@pytest.mark.parametrize("known", [Known(), Known(time_off=example_time_off(doctor_id="another"))], ids=["none", "another doctor's"])
def test_what_does_not_exist_is_not_freed(known: Known) -> None:
    refusal = the_refusal(decide(known, example_unblock(), MOMENT, RULES))
    assert (refusal.status_code, refusal.reason) == (404, TimeOffReason.TIME_OFF_NOT_FOUND)


def test_what_was_freed_stays_free_and_says_since_when() -> None:
    freed = example_time_off(status=TimeOffStatus.UNBLOCKED, updated_at=NOW - minutes(5))
    refusal = the_refusal(decide(Known(time_off=freed), example_unblock(), MOMENT, RULES))
    assert (refusal.status_code, refusal.reason) == (409, TimeOffReason.WRONG_STATUS)
    assert refusal.message == "The time off is unblocked since 2030-01-07 11:55:00 UTC, by booking.time_off.unblock.v1."
    assert refusal.conflict == {
        "time_off_id": TIME_OFF,
        "starts_at": START,
        "ends_at": END,
        "status": TimeOffStatus.UNBLOCKED,
        "since": NOW - minutes(5),
        "command": {"type": "booking.time_off.unblock.v1", "id": "earlier-command"},
    }


def test_the_first_refusal_in_order_is_given() -> None:
    held = example_appointment()
    in_order: list[tuple[TimeOffReason, BookingCommand, Known]] = [
        (TimeOffReason.NOT_A_PARTY, example_block(actor=patient()), Known(time_off=example_time_off(), of_doctor=[held])),
        (TimeOffReason.TIME_OFF_EXISTS, example_block(), Known(time_off=example_time_off(), of_doctor=[held])),
        (TimeOffReason.TIME_OFF_NOT_FOUND, example_unblock(actor=patient()), Known()),
        (TimeOffReason.NOT_A_PARTY, example_unblock(actor=patient()), Known(time_off=example_time_off(status=TimeOffStatus.UNBLOCKED))),
    ]
    for reason, command, known in in_order:
        assert the_refusal(decide(known, command, MOMENT, RULES)).reason is reason


def test_nothing_happens_to_it_before_it_was_blocked() -> None:
    blocked = example_time_off(updated_at=NOW)
    moment = example_moment(now=NOW - minutes(1), entity_id=TIME_OFF)
    assert the_time_off(decide(Known(time_off=blocked), example_unblock(), moment, RULES)).at == NOW
