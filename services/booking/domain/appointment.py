"""What an appointment is, and the rules that one is decided by."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from shared.messages.booking import Absent, AppointmentStatus
from shared.messages.fields import Modality, Role

HOLDS_SLOT: Final = frozenset({AppointmentStatus.PENDING, AppointmentStatus.CONFIRMED, AppointmentStatus.RESCHEDULE_PROPOSED})
LONGEST_APPOINTMENT: Final = timedelta(minutes=480)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The settings that decisions depend on.

    Attributes:
        pending_expiry: how long an appointment waits for its doctor.
        expiry_warning: how long before that both are warned.
        max_pending_per_patient: how many of a patient's appointments may wait at once.
        max_ahead: how far ahead one can book.
        no_show_after: how long after its start the system may say that somebody did not come; zero: never.
    """

    pending_expiry: timedelta = timedelta(hours=24)
    expiry_warning: timedelta = timedelta(hours=2)
    max_pending_per_patient: int = 5
    max_ahead: timedelta = timedelta(days=365)
    no_show_after: timedelta = timedelta(minutes=10)


class Interval(NamedTuple):
    """A time that somebody holds: from a moment until the first that is free again."""

    starts_at: datetime
    ends_at: datetime

    def overlaps(self, other: "Interval") -> bool:
        """Whether they share a moment; intervals that only touch do not."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


class Appointment(NamedTuple):
    """One appointment as it stands. A tuple: one is made for each booking, and a frozen dataclass takes twice as long to make.

    Attributes:
        starts_at: UTC.
        ends_at: UTC; the first moment that is free again.
        user_timezone: how the patient sees the time; no rule depends on it.
        created_at: the log time of its ``book``; of an imported one, when it was booked elsewhere.
        updated_at: the log time of its last change; nothing happens to it before.
        expires_at: until when somebody must answer; ``None`` when nobody need.
        warned_at: when the parties were warned of its expiry.
        held_since: the log time of the command that took its time, if that is not ``created_at``: it was moved there, or imported.
        proposed_starts_at: when it is to start if the patient accepts; there exactly while a reschedule is proposed.
        status_before_proposal: what it is again if the patient rejects; there exactly while a reschedule is proposed.
        absent: who did not come, when it is a no-show.
        changed_by_id: the id of the command that made its status what it is.
        changed_by_type: that command's type.
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
    changed_by_id: str
    changed_by_type: str
    expires_at: datetime | None = None
    warned_at: datetime | None = None
    cancelled_by: Role | None = None
    cancellation_reason: str | None = None
    held_since: datetime | None = None
    proposed_starts_at: datetime | None = None
    status_before_proposal: AppointmentStatus | None = None
    absent: Absent | None = None
    version: int = 1

    @property
    def duration_minutes(self) -> int:
        """How long it takes, in minutes."""
        return int((self.ends_at - self.starts_at).total_seconds()) // 60

    @property
    def duration(self) -> timedelta:
        """How long it takes."""
        return self.ends_at - self.starts_at

    @property
    def interval(self) -> Interval:
        """The time that it takes."""
        return Interval(self.starts_at, self.ends_at)

    @property
    def proposed_interval(self) -> Interval | None:
        """The time that it is to take instead, if the patient accepts."""
        if self.proposed_starts_at is None:
            return None
        return Interval(self.proposed_starts_at, self.proposed_starts_at + self.duration)

    def is_lapsed(self, now: datetime) -> bool:
        """Whether its deadline has passed: it holds nothing any more, although nobody swept yet."""
        return self.expires_at is not None and now > self.expires_at

    def holds_slot(self, now: datetime) -> bool:
        """Whether it holds its time."""
        return self.status in HOLDS_SLOT and not self.is_lapsed(now)

    def in_the_way_of(self, asked: Interval) -> Interval | None:
        """The first of its times that shares a moment with another."""
        own = self.interval if self.starts_at < asked.ends_at and asked.starts_at < self.ends_at else None
        proposed = self.proposed_interval
        if proposed is None or not proposed.overlaps(asked):
            return own
        return proposed if own is None else min(own, proposed)

    def taken_at(self, starts_at: datetime) -> datetime:
        """When the command was appended that took this one of its times."""
        if starts_at == self.proposed_starts_at and starts_at != self.starts_at:
            # Nothing has changed since: every answer to a proposal settles it.
            return self.updated_at
        return self.held_since or self.created_at
