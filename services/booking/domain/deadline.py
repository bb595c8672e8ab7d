"""What time does to an appointment that nobody answers."""

from typing import Final

from services.booking.domain.appointment import Appointment, Rules
from services.booking.domain.change import change, find
from services.booking.domain.decision import BookingEvent, Changed, Known, Moment, Refused, refuse
from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus, ExpireAppointment, WarnAppointmentExpiry
from shared.messages.fields import Role
from shared.messages.refusal import Refusal
from shared.messages.wording import describe_duration

_SYSTEM: Final = frozenset({Role.SYSTEM})
_PENDING: Final = frozenset({AppointmentStatus.PENDING})
_WAITING: Final = frozenset({AppointmentStatus.PENDING, AppointmentStatus.RESCHEDULE_PROPOSED})


def expire(known: Known, command: ExpireAppointment, moment: Moment, rules: Rules) -> tuple[BookingEvent, ...]:
    """Close an appointment whose deadline has passed."""
    found = find(known, command, moment, by=_SYSTEM, in_status=_WAITING)
    if isinstance(found, Refusal):
        return (Refused(found),)
    if not found.is_lapsed(moment.now):
        return (Refused(refuse(AppointmentReason.NOT_DUE, "The appointment has not expired yet.")),)
    return (expired(found, command.type, moment, rules),)


def warn(known: Known, command: WarnAppointmentExpiry, moment: Moment, rules: Rules) -> tuple[BookingEvent, ...]:
    """Announce, once, that an appointment will soon expire. Its state, and so its version, stays as it is."""
    found = find(known, command, moment, by=_SYSTEM, in_status=_PENDING)
    if isinstance(found, Refusal):
        return (Refused(found),)
    if found.warned_at is not None:
        return (Refused(refuse(AppointmentReason.ALREADY_WARNED, "The parties were warned before.")),)
    if found.is_lapsed(moment.now):
        return (Refused(refuse(AppointmentReason.EXPIRED, "The appointment's deadline has passed.")),)
    if found.expires_at is None or moment.now < found.expires_at - rules.expiry_warning:
        return (Refused(refuse(AppointmentReason.NOT_DUE, "It is too early for a warning.")),)
    return (Changed(AppointmentEventType.EXPIRING, found._replace(warned_at=moment.now), moment.now),)


def expired(appointment: Appointment, command_type: str, moment: Moment, rules: Rules) -> Changed:
    """The appointment, closed by the system. It happened at its deadline, whenever somebody came to note it."""
    assert appointment.expires_at is not None
    # Nothing but a time that passes ends a proposal; a pending one waits for so long at the most.
    if moment.now > appointment.starts_at or appointment.proposed_starts_at is not None:
        reason = "Automatically expired - Appointment time has passed"
    else:
        reason = f"Automatically expired - No doctor response within {describe_duration(rules.pending_expiry)}"
    closed = change(appointment, command_type, moment, status=AppointmentStatus.CANCELLED)._replace(
        updated_at=appointment.expires_at,
        cancelled_by=Role.SYSTEM,
        cancellation_reason=reason,
    )
    return Changed(AppointmentEventType.EXPIRED, closed, appointment.expires_at)
