"""The booking service's commands and events: appointments, and doctors' time off."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import model_validator

from shared.messages.fields import Actor, Command, DurationMinutes, EventData, Identifier, Modality, Role, TimeZoneName, UtcTime


class AppointmentStatus(StrEnum):
    """Where an appointment stands. The first three hold the slot."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    RESCHEDULE_PROPOSED = "reschedule_proposed"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    NO_SHOW = "no_show"


class Absent(StrEnum):
    """Who did not come to an appointment."""

    PATIENT = "patient"
    DOCTOR = "doctor"
    BOTH = "both"


class TimeOffStatus(StrEnum):
    """Where a time off stands. Only a blocked one holds the doctor's time."""

    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"


class AppointmentEventType(StrEnum):
    """The types of event about an appointment."""

    BOOKED = "booking.appointment.booked.v1"
    CONFIRMED = "booking.appointment.confirmed.v1"
    DECLINED = "booking.appointment.declined.v1"
    CANCELLED = "booking.appointment.cancelled.v1"
    RESCHEDULE_PROPOSED = "booking.appointment.reschedule_proposed.v1"
    RESCHEDULED = "booking.appointment.rescheduled.v1"
    RESCHEDULE_REJECTED = "booking.appointment.reschedule_rejected.v1"
    RESCHEDULE_WITHDRAWN = "booking.appointment.reschedule_withdrawn.v1"
    COMPLETED = "booking.appointment.completed.v1"
    NO_SHOW = "booking.appointment.no_show.v1"
    IMPORTED = "booking.appointment.imported.v1"
    EXPIRED = "booking.appointment.expired.v1"
    EXPIRING = "booking.appointment.expiring.v1"
    REJECTED = "booking.appointment.rejected.v1"


class TimeOffEventType(StrEnum):
    """The types of event about a time off."""

    BLOCKED = "booking.time_off.blocked.v1"
    UNBLOCKED = "booking.time_off.unblocked.v1"
    REJECTED = "booking.time_off.rejected.v1"


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
    proposed_starts_at: UtcTime | None = None
    """When it is to start if the patient accepts; null unless a reschedule is proposed. It is held beside `starts_at`, for as long."""
    status_before_proposal: AppointmentStatus | None = None
    """What it is again if the patient rejects; null unless a reschedule is proposed."""
    absent: Absent | None = None
    """Who did not come; null unless it is a no-show."""


class TimeOffEvent(EventData):
    """What every event of a time off carries, a refusal apart: the whole state."""

    time_off_id: Identifier
    """Which time off."""
    doctor_id: Identifier
    """Whose; the record's key."""
    starts_at: UtcTime
    """When it starts."""
    ends_at: UtcTime
    """The first moment that is free again."""
    status: TimeOffStatus
    """Where it stands after this event."""
    created_at: UtcTime
    """When it was blocked."""


class AppointmentCommand(Command):
    """A command about one appointment of one doctor."""

    entity: ClassVar[str] = "appointment"
    id_field: ClassVar[str] = "appointment_id"

    doctor_id: Identifier


class NewAppointment(AppointmentCommand):
    """A command that makes an appointment. Without an ``appointment_id`` one is derived from the command's source and id."""

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


class BookAppointment(NewAppointment):
    """Ask for a slot."""

    type: ClassVar[str] = "booking.appointment.book.v1"


class ImportAppointment(NewAppointment):
    """Take in an appointment that was made elsewhere, for those who move in. Nobody is told.

    Its time may have passed. What holds a slot must find it free.
    """

    type: ClassVar[str] = "booking.appointment.import.v1"

    status: AppointmentStatus
    """Where it stands."""
    created_at: UtcTime
    """When it was booked; a pending one waits for its answer since then."""
    proposed_starts_at: UtcTime | None = None
    """With `reschedule_proposed`: when it is to start if the patient accepts; without it: as it is, so nothing else is held."""

    @model_validator(mode="after")
    def _only_a_proposal_has_a_proposed_start(self) -> Self:
        if self.proposed_starts_at is not None and self.status is not AppointmentStatus.RESCHEDULE_PROPOSED:
            message = "only an appointment with the status reschedule_proposed has a proposed_starts_at"
            raise ValueError(message)
        return self


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


class ProposeReschedule(AppointmentCommand):
    """The doctor asks the patient to come at another time. Both times are held until the patient answers."""

    type: ClassVar[str] = "booking.appointment.propose_reschedule.v1"

    appointment_id: Identifier
    """Which appointment."""
    starts_at: UtcTime
    """When it is to start; it takes as long as before."""
    actor: Actor
    """Its doctor."""


class AcceptReschedule(AppointmentCommand):
    """The patient takes the proposed time: the appointment is confirmed there, and the old time is free."""

    type: ClassVar[str] = "booking.appointment.accept_reschedule.v1"

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor
    """Its patient."""


class RejectReschedule(AppointmentCommand):
    """The patient does not take the proposed time: the appointment is as it was before, and the proposed time is free."""

    type: ClassVar[str] = "booking.appointment.reject_reschedule.v1"

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor
    """Its patient."""


class WithdrawReschedule(AppointmentCommand):
    """The doctor takes the proposal back: the appointment is as it was before, and the proposed time is free."""

    type: ClassVar[str] = "booking.appointment.withdraw_reschedule.v1"

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor
    """Its doctor."""


class CompleteAppointment(AppointmentCommand):
    """It took place: the doctor says so, or the system when a session for it ends."""

    type: ClassVar[str] = "booking.appointment.complete.v1"

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor
    """Its doctor, from its start on; or the system, at any time."""


class MarkNoShow(AppointmentCommand):
    """It did not take place: the doctor says so, or the system when nobody came."""

    type: ClassVar[str] = "booking.appointment.mark_no_show.v1"

    appointment_id: Identifier
    """Which appointment."""
    absent: Absent
    """Who did not come."""
    actor: Actor
    """Its doctor, from its start on; or the system, some time after (10 minutes by default)."""


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


class TimeOffCommand(Command):
    """A command about one time off of one doctor."""

    entity: ClassVar[str] = "time_off"
    id_field: ClassVar[str] = "time_off_id"

    time_off_id: Identifier
    """Which time off."""
    doctor_id: Identifier
    """Whose; the record's key."""
    actor: Actor
    """That doctor, or an administrator."""


class BlockTimeOff(TimeOffCommand):
    """Hold an interval in which the doctor sees nobody. No appointment may hold a part of it."""

    type: ClassVar[str] = "booking.time_off.block.v1"

    starts_at: UtcTime
    """When it starts."""
    ends_at: UtcTime
    """The first moment that is free again."""

    @model_validator(mode="after")
    def _takes_time(self) -> Self:
        if self.ends_at <= self.starts_at:
            message = "ends_at lies after starts_at"
            raise ValueError(message)
        return self


class UnblockTimeOff(TimeOffCommand):
    """Free the interval again."""

    type: ClassVar[str] = "booking.time_off.unblock.v1"


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
