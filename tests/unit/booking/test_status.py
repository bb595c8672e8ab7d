"""Which command in which status: the table of the rules, and what a loser is told about the winner."""

import pytest

from services.booking.domain import decide
from services.booking.domain.decision import Known
from shared.messages.booking import (
    AppointmentCommand,
    AppointmentEventType,
    AppointmentReason,
    AppointmentStatus,
    BookingCommand,
)
from tests.examples import (
    MILLISECOND,
    NOW,
    RULES,
    START,
    example_appointment,
    example_cancel,
    example_confirm,
    example_decline,
    example_expire,
    example_moment,
    example_warning,
    hours,
    the_change,
    the_refusal,
)

PENDING = AppointmentStatus.PENDING
CONFIRMED = AppointmentStatus.CONFIRMED
PROPOSED = AppointmentStatus.RESCHEDULE_PROPOSED
CANCELLED = AppointmentStatus.CANCELLED
COMPLETED = AppointmentStatus.COMPLETED
NO_SHOW = AppointmentStatus.NO_SHOW

#: Command → the statuses in which it succeeds, and the event. All else is 409 wrong_status.
TABLE: list[tuple[BookingCommand, set[AppointmentStatus], AppointmentEventType]] = [
    (example_confirm(), {PENDING}, AppointmentEventType.CONFIRMED),
    (example_decline(), {PENDING}, AppointmentEventType.DECLINED),
    (example_cancel(), {PENDING, CONFIRMED, PROPOSED}, AppointmentEventType.CANCELLED),
    (example_warning(), {PENDING}, AppointmentEventType.EXPIRING),
]
CELLS = [
    pytest.param(command, status, event if status in allowed else None, id=f"{command.type.split('.')[2]} when {status}")
    for command, allowed, event in TABLE
    for status in AppointmentStatus
]


@pytest.mark.parametrize("command, status, event", CELLS)
def test_each_command_succeeds_in_its_statuses_alone(
    command: BookingCommand, status: AppointmentStatus, event: AppointmentEventType | None
) -> None:
    deadline = NOW + hours(1) if status is PENDING else None
    appointment = example_appointment(status=status, expires_at=deadline)
    events = decide(Known(appointment), command, example_moment(), RULES)
    if event is not None:
        assert the_change(events).type is event
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.WRONG_STATUS)


@pytest.mark.parametrize("status", [CONFIRMED, CANCELLED, COMPLETED, NO_SHOW])
def test_what_is_answered_or_closed_does_not_expire(status: AppointmentStatus) -> None:
    events = decide(Known(example_appointment(status=status)), example_expire(), example_moment(now=START + hours(1)), RULES)
    assert the_refusal(events).reason is AppointmentReason.WRONG_STATUS


def test_what_is_pending_expires() -> None:
    events = decide(Known(example_appointment(expires_at=NOW)), example_expire(), example_moment(now=NOW + MILLISECOND), RULES)
    assert the_change(events).type is AppointmentEventType.EXPIRED


@pytest.mark.parametrize("command", [example_confirm(), example_decline(), example_cancel(), example_expire(), example_warning()])
def test_the_loser_learns_the_status_and_what_made_it_so(command: AppointmentCommand) -> None:
    closed = example_appointment(status=CANCELLED, patient_id="patient-1", updated_at=NOW - hours(1))
    assert isinstance(command, BookingCommand)
    refusal = the_refusal(decide(Known(closed), command, example_moment(), RULES))
    assert refusal.message == "The appointment is cancelled since 2030-01-07 11:00:00 UTC, by booking.appointment.cancel.v1."
    assert refusal.conflict == {
        "appointment_id": closed.appointment_id,
        "starts_at": closed.starts_at,
        "ends_at": closed.ends_at,
        "status": CANCELLED,
        "since": NOW - hours(1),
        "command": {"type": "booking.appointment.cancel.v1", "id": "earlier-command"},
    }


def test_a_proposed_one_is_named_in_plain_words() -> None:
    proposed = example_appointment(status=PROPOSED)
    refusal = the_refusal(decide(Known(proposed), example_confirm(), example_moment(), RULES))
    assert refusal.message.startswith("The appointment is reschedule proposed since ")


@pytest.mark.parametrize("status", [CANCELLED, COMPLETED, NO_SHOW])
@pytest.mark.parametrize("command", [example_confirm(), example_decline(), example_cancel(), example_expire(), example_warning()])
def test_a_closed_appointment_stays_closed(command: BookingCommand, status: AppointmentStatus) -> None:
    for now in (NOW, START, START + hours(48)):
        closed = example_appointment(status=status)
        assert the_refusal(decide(Known(closed), command, example_moment(now=now), RULES)).reason is AppointmentReason.WRONG_STATUS
