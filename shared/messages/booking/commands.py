"""What booking can be asked to do with appointments and with doctors' time off."""

from datetime import datetime, timedelta
from functools import cached_property
from typing import ClassVar, Self

from pydantic import model_validator

from shared.messages.booking.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentConfirmed,
    AppointmentDeclined,
    AppointmentExpired,
    AppointmentExpiring,
    AppointmentImported,
    AppointmentNoShow,
    AppointmentRejected,
    AppointmentRescheduled,
    AppointmentRescheduleProposed,
    AppointmentRescheduleRejected,
    AppointmentRescheduleWithdrawn,
    TimeOffBlocked,
    TimeOffRejected,
    TimeOffUnblocked,
)
from shared.messages.booking.vocabulary import Absent, AppointmentStatus
from shared.messages.fields import Actor, Command, DurationMinutes, EventModel, Identifier, Modality, TimeZoneName, UtcTime


class AppointmentCommand(Command):
    """A command about one appointment of one doctor."""

    entity: ClassVar[str] = "appointment"
    id_field: ClassVar[str] = "appointment_id"
    rejection: ClassVar[EventModel] = AppointmentRejected

    doctor_id: Identifier
    """Whose time it is about; the record's key."""


class NewAppointment(AppointmentCommand):
    """A command that makes an appointment. Without an ``appointment_id`` one is derived from the command's source and id."""

    appointment_id: Identifier | None = None
    """The id that it is to have; without one it is `apt_` and a UUIDv5 of the command's source and id."""
    patient_id: Identifier
    """Whose appointment it is."""
    starts_at: UtcTime
    """When it starts. To be booked: not in the past, and at most 365 days ahead (a setting)."""
    duration_minutes: DurationMinutes = 30
    """How long it takes, in minutes."""
    modality: Modality
    """How doctor and patient meet."""
    user_timezone: TimeZoneName = "UTC"
    """How the patient sees the time, an IANA name; no rule depends on it."""
    actor: Actor
    """Who asks: an administrator, or, to book, that patient."""

    @cached_property
    def ends_at(self) -> datetime:
        """The first moment that is free again."""
        return self.starts_at + timedelta(minutes=self.duration_minutes)


class BookAppointment(NewAppointment):
    """Ask for a slot."""

    type: ClassVar[str] = "booking.appointment.book.v1"
    outcomes: ClassVar = (AppointmentBooked,)
    also_causes: ClassVar = (AppointmentExpired,)


class ImportAppointment(NewAppointment):
    """Take in an appointment that was made elsewhere, for those who move in. Nobody is told.

    Its time may have passed. What holds a slot must find it free.
    """

    type: ClassVar[str] = "booking.appointment.import.v1"
    outcomes: ClassVar = (AppointmentImported,)
    also_causes: ClassVar = (AppointmentExpired,)

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
    outcomes: ClassVar = (AppointmentConfirmed,)

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor
    """Its doctor."""


class DeclineAppointment(AppointmentCommand):
    """The doctor turns a pending appointment down."""

    type: ClassVar[str] = "booking.appointment.decline.v1"
    outcomes: ClassVar = (AppointmentDeclined,)

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor
    """Its doctor."""
    reason_code: Identifier | None = None
    """Why, as a code of the platform's own: no free text."""


class CancelAppointment(AppointmentCommand):
    """A party calls an open appointment off."""

    type: ClassVar[str] = "booking.appointment.cancel.v1"
    outcomes: ClassVar = (AppointmentCancelled,)

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor
    """Its patient, its doctor, or an administrator."""
    reason_code: Identifier | None = None
    """Why, as a code of the platform's own: no free text."""


class ProposeReschedule(AppointmentCommand):
    """The doctor asks the patient to come at another time. Both times are held until the patient answers."""

    type: ClassVar[str] = "booking.appointment.propose_reschedule.v1"
    outcomes: ClassVar = (AppointmentRescheduleProposed,)
    also_causes: ClassVar = (AppointmentExpired,)

    appointment_id: Identifier
    """Which appointment."""
    starts_at: UtcTime
    """When it is to start; it takes as long as before."""
    actor: Actor
    """Its doctor."""


class AcceptReschedule(AppointmentCommand):
    """The patient takes the proposed time: the appointment is confirmed there, and the old time is free."""

    type: ClassVar[str] = "booking.appointment.accept_reschedule.v1"
    outcomes: ClassVar = (AppointmentRescheduled,)

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor
    """Its patient."""


class RejectReschedule(AppointmentCommand):
    """The patient does not take the proposed time: the appointment is as it was before, and the proposed time is free."""

    type: ClassVar[str] = "booking.appointment.reject_reschedule.v1"
    outcomes: ClassVar = (AppointmentRescheduleRejected,)

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor
    """Its patient."""


class WithdrawReschedule(AppointmentCommand):
    """The doctor takes the proposal back: the appointment is as it was before, and the proposed time is free."""

    type: ClassVar[str] = "booking.appointment.withdraw_reschedule.v1"
    outcomes: ClassVar = (AppointmentRescheduleWithdrawn,)

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor
    """Its doctor."""


class CompleteAppointment(AppointmentCommand):
    """It took place: the doctor says so, or the system when a session for it ends."""

    type: ClassVar[str] = "booking.appointment.complete.v1"
    outcomes: ClassVar = (AppointmentCompleted,)

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor
    """Its doctor, from its start on; or the system, at any time."""


class MarkNoShow(AppointmentCommand):
    """It did not take place: the doctor says so, or the system when nobody came."""

    type: ClassVar[str] = "booking.appointment.mark_no_show.v1"
    outcomes: ClassVar = (AppointmentNoShow,)

    appointment_id: Identifier
    """Which appointment."""
    absent: Absent
    """Who did not come."""
    actor: Actor
    """Its doctor, from its start on; or the system, some time after (10 minutes by default)."""


class ExpireAppointment(AppointmentCommand):
    """The sweep closes an appointment whose deadline has passed."""

    type: ClassVar[str] = "booking.appointment.expire.v1"
    outcomes: ClassVar = (AppointmentExpired,)
    from_sweep: ClassVar[bool] = True

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor | None = None
    """The system, if anybody is named."""


class WarnAppointmentExpiry(AppointmentCommand):
    """The sweep announces that a pending appointment will soon expire."""

    type: ClassVar[str] = "booking.appointment.warn_expiry.v1"
    outcomes: ClassVar = (AppointmentExpiring,)
    from_sweep: ClassVar[bool] = True

    appointment_id: Identifier
    """Which appointment."""
    actor: Actor | None = None
    """The system, if anybody is named."""


class TimeOffCommand(Command):
    """A command about one time off of one doctor."""

    entity: ClassVar[str] = "time_off"
    id_field: ClassVar[str] = "time_off_id"
    rejection: ClassVar[EventModel] = TimeOffRejected

    time_off_id: Identifier
    """Which time off."""
    doctor_id: Identifier
    """Whose; the record's key."""
    actor: Actor
    """That doctor, or an administrator."""


class BlockTimeOff(TimeOffCommand):
    """Hold an interval in which the doctor sees nobody. No appointment may hold a part of it."""

    type: ClassVar[str] = "booking.time_off.block.v1"
    outcomes: ClassVar = (TimeOffBlocked,)

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
    outcomes: ClassVar = (TimeOffUnblocked,)
