"""The booking service's commands and events: appointments."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from shared.messages.fields import Actor, Command, DurationMinutes, EventData, Identifier, Modality, Role, TimeZoneName, UtcTime


class AppointmentStatus(StrEnum):
    """Where an appointment stands. The first three hold the slot."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    RESCHEDULE_PROPOSED = "reschedule_proposed"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    NO_SHOW = "no_show"


class AppointmentEventType(StrEnum):
    """The types of event about an appointment."""

    BOOKED = "booking.appointment.booked.v1"
    CONFIRMED = "booking.appointment.confirmed.v1"
    DECLINED = "booking.appointment.declined.v1"
    CANCELLED = "booking.appointment.cancelled.v1"
    EXPIRED = "booking.appointment.expired.v1"
    EXPIRING = "booking.appointment.expiring.v1"
    REJECTED = "booking.appointment.rejected.v1"


class AppointmentEvent(EventData):
    """What every event of an appointment carries, a refusal apart: the whole state."""

    appointment_id: Identifier
    doctor_id: Identifier
    patient_id: Identifier
    starts_at: UtcTime
    duration_minutes: DurationMinutes
    modality: Modality
    user_timezone: str
    status: AppointmentStatus
    created_at: UtcTime
    expires_at: UtcTime | None
    cancelled_by: Role | None
    cancellation_reason: str | None


class AppointmentCommand(Command):
    """A command about one appointment of one doctor."""

    entity: ClassVar[str] = "appointment"
    id_field: ClassVar[str] = "appointment_id"

    doctor_id: Identifier


class BookAppointment(AppointmentCommand):
    """Ask for a slot. Without an ``appointment_id`` one is derived from the command's source and id."""

    type: ClassVar[str] = "booking.appointment.book.v1"

    appointment_id: Identifier | None = None
    patient_id: Identifier
    starts_at: UtcTime
    duration_minutes: DurationMinutes = 30
    modality: Modality
    user_timezone: TimeZoneName = "UTC"
    actor: Actor

    @property
    def ends_at(self) -> datetime:
        """The first moment that is free again."""
        return self.starts_at + timedelta(minutes=self.duration_minutes)


class ConfirmAppointment(AppointmentCommand):
    """The doctor takes a pending appointment."""

    type: ClassVar[str] = "booking.appointment.confirm.v1"

    appointment_id: Identifier
    actor: Actor


class DeclineAppointment(AppointmentCommand):
    """The doctor turns a pending appointment down."""

    type: ClassVar[str] = "booking.appointment.decline.v1"

    appointment_id: Identifier
    actor: Actor
    reason_code: Identifier | None = None


class CancelAppointment(AppointmentCommand):
    """A party calls an open appointment off."""

    type: ClassVar[str] = "booking.appointment.cancel.v1"

    appointment_id: Identifier
    actor: Actor
    reason_code: Identifier | None = None


class ExpireAppointment(AppointmentCommand):
    """The sweep closes an appointment whose deadline has passed."""

    type: ClassVar[str] = "booking.appointment.expire.v1"
    from_sweep: ClassVar[bool] = True

    appointment_id: Identifier
    actor: Actor | None = None


class WarnAppointmentExpiry(AppointmentCommand):
    """The sweep announces that a pending appointment will soon expire."""

    type: ClassVar[str] = "booking.appointment.warn_expiry.v1"
    from_sweep: ClassVar[bool] = True

    appointment_id: Identifier
    actor: Actor | None = None


BookingCommand = BookAppointment | ConfirmAppointment | DeclineAppointment | CancelAppointment | ExpireAppointment | WarnAppointmentExpiry

#: The commands that the booking service decides, by type.
BOOKING_COMMANDS: dict[str, type[Command]] = {
    command.type: command
    for command in (
        BookAppointment,
        ConfirmAppointment,
        DeclineAppointment,
        CancelAppointment,
        ExpireAppointment,
        WarnAppointmentExpiry,
    )
}
