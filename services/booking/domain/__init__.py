"""The whole truth about a doctor's appointments: states, rules, and what each command comes to. No IO.

A command is decided from what is known, at its log time, by its rules in order: the first that forbids it names the
refusal. The order is that of :class:`~shared.messages.booking.AppointmentReason`.
"""

from typing import assert_never

from services.booking.domain.answer import cancel, confirm, decline
from services.booking.domain.appointment import BookingEvent, Known, Moment, Rules
from services.booking.domain.book import book
from services.booking.domain.deadline import expire, warn
from shared.messages.booking import (
    BookAppointment,
    BookingCommand,
    CancelAppointment,
    ConfirmAppointment,
    DeclineAppointment,
    ExpireAppointment,
    WarnAppointmentExpiry,
)


def decide(known: Known, command: BookingCommand, moment: Moment, rules: Rules) -> tuple[BookingEvent, ...]:
    """Decide one command.

    Returns:
        The outcome first; then what else it caused.
    """
    # Nothing happens to an appointment before what happened to it last, whatever the brokers' clocks say.
    if known.appointment is not None and known.appointment.updated_at > moment.now:
        moment = moment._replace(now=known.appointment.updated_at)
    match command:
        case BookAppointment():
            return book(known, command, moment, rules)
        case ConfirmAppointment():
            return confirm(known, command, moment)
        case DeclineAppointment():
            return decline(known, command, moment)
        case CancelAppointment():
            return cancel(known, command, moment)
        case ExpireAppointment():
            return expire(known, command, moment, rules)
        case WarnAppointmentExpiry():
            return warn(known, command, moment, rules)
        case _:
            assert_never(command)
