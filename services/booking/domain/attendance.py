"""How a confirmed appointment went: it took place, or somebody did not come."""

from datetime import timedelta
from typing import Final

from services.booking.domain.appointment import Appointment, Rules
from services.booking.domain.change import change, find
from services.booking.domain.decision import BookingEvent, Changed, Known, Moment, Refused, refuse
from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus, CompleteAppointment, MarkNoShow
from shared.messages.fields import Role
from shared.messages.refusal import Refusal
from shared.messages.wording import describe_duration

_DOCTOR_AND_SYSTEM: Final = frozenset({Role.DOCTOR, Role.SYSTEM})
_CONFIRMED: Final = frozenset({AppointmentStatus.CONFIRMED})


def complete(known: Known, command: CompleteAppointment, moment: Moment) -> tuple[BookingEvent, ...]:
    """It took place. The system, which saw the session, says so at any time; the doctor not before the start."""
    found = find(known, command, moment, by=_DOCTOR_AND_SYSTEM, in_status=_CONFIRMED)
    if isinstance(found, Refusal):
        return (Refused(found),)
    if command.actor.role is Role.DOCTOR and moment.now < found.starts_at:
        return (Refused(_not_started()),)
    completed = change(found, command.type, moment, status=AppointmentStatus.COMPLETED)
    return (Changed(AppointmentEventType.COMPLETED, completed, moment.now),)


def mark_no_show(known: Known, command: MarkNoShow, moment: Moment, rules: Rules) -> tuple[BookingEvent, ...]:
    """Somebody did not come. Whether a session took place is not known here: who knows of one does not send this."""
    found = find(known, command, moment, by=_DOCTOR_AND_SYSTEM, in_status=_CONFIRMED)
    if isinstance(found, Refusal):
        return (Refused(found),)
    if (refusal := _too_early(found, command, moment, rules)) is not None:
        return (Refused(refusal),)
    missed = change(found, command.type, moment, status=AppointmentStatus.NO_SHOW)._replace(absent=command.absent)
    return (Changed(AppointmentEventType.NO_SHOW, missed, moment.now),)


def _too_early(appointment: Appointment, command: MarkNoShow, moment: Moment, rules: Rules) -> Refusal | None:
    if command.actor.role is Role.DOCTOR:
        return _not_started() if moment.now < appointment.starts_at else None
    if rules.no_show_after == timedelta():
        return refuse(AppointmentReason.NOT_DUE, "The system is set to mark no appointment as missed.")
    if moment.now < appointment.starts_at + rules.no_show_after:
        message = f"The system marks an appointment as missed {describe_duration(rules.no_show_after)} after its start, not before."
        return refuse(AppointmentReason.NOT_DUE, message)
    return None


def _not_started() -> Refusal:
    return refuse(AppointmentReason.NOT_DUE, "The appointment has not started yet.")
