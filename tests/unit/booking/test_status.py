"""Which command in which status: the table of the rules, and what a loser is told about the winner."""

from datetime import datetime

import pytest

from services.booking.domain import decide
from services.booking.domain.decision import Known
from shared.messages.booking import (
    BOOKING_COMMANDS,
    AppointmentEventType,
    AppointmentReason,
    AppointmentStatus,
    BookingCommand,
    ExpireAppointment,
    MarkNoShow,
    NewAppointment,
    TimeOffCommand,
    WarnAppointmentExpiry,
)
from tests.examples import (
    MILLISECOND,
    NOW,
    RULES,
    START,
    example_acceptance,
    example_appointment,
    example_cancel,
    example_completion,
    example_confirm,
    example_decline,
    example_expire,
    example_moment,
    example_no_show,
    example_proposal,
    example_rejection,
    example_warning,
    example_withdrawal,
    hours,
    minutes,
    system,
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
    (example_proposal(), {PENDING, CONFIRMED}, AppointmentEventType.RESCHEDULE_PROPOSED),
    (example_acceptance(), {PROPOSED}, AppointmentEventType.RESCHEDULED),
    (example_rejection(), {PROPOSED}, AppointmentEventType.RESCHEDULE_REJECTED),
    (example_withdrawal(), {PROPOSED}, AppointmentEventType.RESCHEDULE_WITHDRAWN),
    (example_completion(actor=system()), {CONFIRMED}, AppointmentEventType.COMPLETED),
    (example_no_show(), {CONFIRMED}, AppointmentEventType.NO_SHOW),
    (example_expire(), {PENDING, PROPOSED}, AppointmentEventType.EXPIRED),
    (example_warning(), {PENDING}, AppointmentEventType.EXPIRING),
]
COMMANDS = [command for command, _, _ in TABLE]
CELLS = [
    pytest.param(command, status, event if status in allowed else None, id=f"{command.type.split('.')[2]} when {status}")
    for command, allowed, event in TABLE
    for status in AppointmentStatus
]
#: When each command may come; the others at any time before the deadline.
WHEN: dict[type[BookingCommand], datetime] = {
    MarkNoShow: START,
    WarnAppointmentExpiry: START - minutes(1),
    ExpireAppointment: START + MILLISECOND,
}


@pytest.mark.parametrize("command, status, event", CELLS)
def test_each_command_succeeds_in_its_statuses_alone(
    command: BookingCommand, status: AppointmentStatus, event: AppointmentEventType | None
) -> None:
    appointment = example_appointment(status=status, expires_at=START if status in {PENDING, PROPOSED} else None)
    events = decide(Known(appointment), command, example_moment(now=WHEN.get(type(command), NOW)), RULES)
    if event is not None:
        assert the_change(events).type is event
    else:
        refusal = the_refusal(events)
        assert (refusal.status_code, refusal.reason) == (409, AppointmentReason.WRONG_STATUS)


def test_no_command_about_an_appointment_is_missing_in_the_table() -> None:
    about_one = {command for command in BOOKING_COMMANDS.values() if not issubclass(command, NewAppointment | TimeOffCommand)}
    assert {type(command) for command in COMMANDS} == about_one


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.type)
def test_the_loser_learns_the_status_and_what_made_it_so(command: BookingCommand) -> None:
    closed = example_appointment(status=CANCELLED, patient_id="patient-1", updated_at=NOW - hours(1))
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
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.type)
def test_a_closed_appointment_stays_closed(command: BookingCommand, status: AppointmentStatus) -> None:
    for now in (NOW, START, START + hours(23)):
        closed = example_appointment(status=status)
        moment = example_moment(now=now)
        assert the_refusal(decide(Known(closed), command, moment, RULES)).reason is AppointmentReason.WRONG_STATUS
