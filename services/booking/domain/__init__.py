"""The whole truth about a doctor's appointments and time off: states, rules, and what each command comes to. No IO.

A command is decided from what is known, at its log time, by its rules in order: the first that forbids it names the
refusal. The order is that of :class:`~shared.messages.booking.AppointmentReason` and of
:class:`~shared.messages.booking.TimeOffReason`.
"""

from typing import assert_never

from services.booking.domain.answer import cancel, confirm, decline
from services.booking.domain.appointment import Rules
from services.booking.domain.attendance import complete, mark_no_show
from services.booking.domain.block import block, unblock
from services.booking.domain.book import book
from services.booking.domain.deadline import expire, warn
from services.booking.domain.decision import BookingEvent, Known, Moment
from services.booking.domain.reschedule import accept, propose, reject, withdraw
from services.booking.domain.take_in import take_in
from shared.messages.booking import (
    AcceptReschedule,
    BlockTimeOff,
    BookAppointment,
    BookingCommand,
    CancelAppointment,
    CompleteAppointment,
    ConfirmAppointment,
    DeclineAppointment,
    ExpireAppointment,
    ImportAppointment,
    MarkNoShow,
    ProposeReschedule,
    RejectReschedule,
    UnblockTimeOff,
    WarnAppointmentExpiry,
    WithdrawReschedule,
)


def decide(known: Known, command: BookingCommand, moment: Moment, rules: Rules) -> tuple[BookingEvent, ...]:  # noqa: C901, PLR0911, PLR0912 - one line for each command
    """Decide one command.

    Returns:
        The outcome first; then what else it caused.
    """
    moment = _after_what_happened(known, moment)
    match command:
        case BookAppointment():
            return book(known, command, moment, rules)
        case ImportAppointment():
            return take_in(known, command, moment, rules)
        case ConfirmAppointment():
            return confirm(known, command, moment)
        case DeclineAppointment():
            return decline(known, command, moment)
        case CancelAppointment():
            return cancel(known, command, moment)
        case ProposeReschedule():
            return propose(known, command, moment, rules)
        case AcceptReschedule():
            return accept(known, command, moment)
        case RejectReschedule():
            return reject(known, command, moment, rules)
        case WithdrawReschedule():
            return withdraw(known, command, moment, rules)
        case CompleteAppointment():
            return complete(known, command, moment)
        case MarkNoShow():
            return mark_no_show(known, command, moment, rules)
        case ExpireAppointment():
            return expire(known, command, moment, rules)
        case WarnAppointmentExpiry():
            return warn(known, command, moment, rules)
        case BlockTimeOff():
            return block(known, command, moment)
        case UnblockTimeOff():
            return unblock(known, command, moment)
        case _:
            assert_never(command)


def _after_what_happened(known: Known, moment: Moment) -> Moment:
    """Nothing happens to an entity before what happened to it last, whatever the brokers' clocks say."""
    entity = known.appointment or known.time_off
    if entity is not None and entity.updated_at > moment.now:
        return moment._replace(now=entity.updated_at)
    return moment
