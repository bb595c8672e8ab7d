"""What a doctor's time off is."""

from dataclasses import dataclass
from datetime import datetime

from services.booking.domain.appointment import Interval
from shared.messages.booking import TimeOffStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOff:
    """One time off as it stands.

    Attributes:
        starts_at: UTC.
        ends_at: UTC; the first moment that is free again.
        created_at: the log time of its ``block``.
        updated_at: the log time of its last change; nothing happens to it before.
        changed_by_id: the id of the command that made its status what it is.
        changed_by_type: that command's type.
        version: 1, and 2 once it is unblocked.
    """

    time_off_id: str
    doctor_id: str
    starts_at: datetime
    ends_at: datetime
    status: TimeOffStatus
    created_at: datetime
    updated_at: datetime
    changed_by_id: str
    changed_by_type: str
    version: int = 1

    @property
    def interval(self) -> Interval:
        """The time that it takes."""
        return Interval(self.starts_at, self.ends_at)
