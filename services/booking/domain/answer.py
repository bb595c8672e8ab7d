"""What the parties do with an appointment: the doctor confirms or declines, either calls it off."""

from typing import Final

from services.booking.domain.appointment import HOLDS_SLOT, Appointment
from services.booking.domain.change import change, find
from services.booking.domain.decision import BookingEvent, Changed, Known, Moment, Refused
from shared.messages.booking import (
    AppointmentEventType,
    AppointmentStatus,
    CancelAppointment,
    ConfirmAppointment,
    DeclineAppointment,
)
from shared.messages.fields import Role
from shared.messages.refusal import Refusal

_DOCTOR: Final = frozenset({Role.DOCTOR})
_PARTIES_AND_ADMIN: Final = frozenset({Role.PATIENT, Role.DOCTOR, Role.ADMIN})
_PENDING: Final = frozenset({AppointmentStatus.PENDING})


def confirm(known: Known, command: ConfirmAppointment, moment: Moment) -> tuple[BookingEvent, ...]:
    """The doctor takes it: nothing is left to expire."""
    found = find(known, command, moment, by=_DOCTOR, in_status=_PENDING)
    if isinstance(found, Refusal):
        return (Refused(found),)
    confirmed = change(found, command.type, moment, status=AppointmentStatus.CONFIRMED)
    return (Changed(AppointmentEventType.CONFIRMED, confirmed, moment.now),)


def decline(known: Known, command: DeclineAppointment, moment: Moment) -> tuple[BookingEvent, ...]:
    """The doctor turns it down: the slot is free at once."""
    found = find(known, command, moment, by=_DOCTOR, in_status=_PENDING)
    if isinstance(found, Refusal):
        return (Refused(found),)
    return (Changed(AppointmentEventType.DECLINED, _cancelled(found, command, moment), moment.now),)


def cancel(known: Known, command: CancelAppointment, moment: Moment) -> tuple[BookingEvent, ...]:
    """Somebody calls it off: the slot is free at once."""
    found = find(known, command, moment, by=_PARTIES_AND_ADMIN, in_status=HOLDS_SLOT)
    if isinstance(found, Refusal):
        return (Refused(found),)
    return (Changed(AppointmentEventType.CANCELLED, _cancelled(found, command, moment), moment.now),)


def _cancelled(appointment: Appointment, command: DeclineAppointment | CancelAppointment, moment: Moment) -> Appointment:
    return change(appointment, command.type, moment, status=AppointmentStatus.CANCELLED)._replace(
        cancelled_by=command.actor.role,
        cancellation_reason=command.reason_code,
    )
