"""What an appointment is, what a decision may know, and what it can say."""

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus
from shared.messages.fields import Modality, Role
from shared.messages.refusal import Refusal

HOLDS_SLOT: Final = frozenset({AppointmentStatus.PENDING, AppointmentStatus.CONFIRMED, AppointmentStatus.RESCHEDULE_PROPOSED})
LONGEST_APPOINTMENT: Final = timedelta(minutes=480)


#: In order of precedence.
Reason = AppointmentReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The settings that decisions depend on."""

    pending_expiry: timedelta = timedelta(hours=24)
    expiry_warning: timedelta = timedelta(hours=2)
    max_pending_per_patient: int = 5
    max_ahead: timedelta = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """One appointment as it stands.

    Attributes:
        starts_at: UTC.
        ends_at: UTC; the first moment that is free again.
        user_timezone: how the patient sees the time; no rule depends on it.
        created_at: the log time of its ``book``.
        updated_at: the log time of its last change; nothing happens to it before.
        expires_at: until when somebody must answer; ``None`` when nobody need.
        warned_at: when the parties were warned of its expiry.
        changed_by_type: the type of the command that made its status what it is.
        changed_by_id: that command's id.
        version: 1, 2, 3 …, raised by each change of state.
    """

    appointment_id: str
    doctor_id: str
    patient_id: str
    starts_at: datetime
    ends_at: datetime
    modality: Modality
    user_timezone: str
    status: AppointmentStatus
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    warned_at: datetime | None = None
    cancelled_by: Role | None = None
    cancellation_reason: str | None = None
    changed_by_type: str
    changed_by_id: str
    version: int = 1

    @property
    def duration_minutes(self) -> int:
        """How long it takes, in minutes."""
        return int((self.ends_at - self.starts_at).total_seconds()) // 60

    def is_lapsed(self, now: datetime) -> bool:
        """Whether its deadline has passed: it holds nothing any more, although nobody swept yet."""
        return self.expires_at is not None and now > self.expires_at

    def holds_slot(self, now: datetime) -> bool:
        """Whether it holds its time."""
        return self.status in HOLDS_SLOT and not self.is_lapsed(now)

    def overlaps(self, starts_at: datetime, ends_at: datetime) -> bool:
        """Whether [start, end) shares a moment with it; intervals that only touch do not."""
        return self.starts_at < ends_at and starts_at < self.ends_at


class Known(NamedTuple):
    """What a decision may depend on.

    Attributes:
        appointment: the one that the command names, if it exists.
        of_doctor: open appointments of the doctor, at least all that overlap the time asked for.
        of_patient: the same of the patient, with any doctor.
        pending_of_patient: how many of the patient's appointments wait for an answer.
        booked_in_this_batch: the ids of those that were booked in the same batch.
    """

    appointment: Appointment | None = None
    of_doctor: Collection[Appointment] = ()
    of_patient: Collection[Appointment] = ()
    pending_of_patient: int = 0
    booked_in_this_batch: AbstractSet[str] = frozenset()


class Moment(NamedTuple):
    """When a command is decided, and which one it is.

    Attributes:
        now: its log time.
        asked_at: when its publisher says that it was made, if at all.
        command_id: the ``ce_id``.
        appointment_id: the one that it names, or the derived one.
    """

    now: datetime
    asked_at: datetime | None
    command_id: str
    appointment_id: str


class Changed(NamedTuple):
    """Something happened: the appointment is now as it says."""

    type: AppointmentEventType
    appointment: Appointment
    at: datetime


class Refused(NamedTuple):
    """Nothing happened, and why."""

    refusal: Refusal


BookingEvent = Changed | Refused


def refuse(reason: Reason, message: str, holder: Appointment | None = None) -> Refusal:
    """A refusal, with what stands in the way; never whose it is."""
    conflict = None
    if holder is not None:
        conflict = {"appointment_id": holder.appointment_id, "starts_at": holder.starts_at, "ends_at": holder.ends_at}
    return Refusal(reason.status_code, reason, message, conflict)
