"""What a subscription is: units of each modality that a patient has paid for, from a start until an end."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from services.billing.domain.ledger import Cause
from shared.messages.billing import SubscriptionStatus
from shared.messages.fields import Modality, Role


class UnitCounts(NamedTuple):
    """How many units of each modality."""

    text: int = 0
    voice: int = 0
    video: int = 0

    def of(self, modality: Modality) -> int:
        """How many of this modality."""
        match modality:
            case Modality.TEXT:
                return self.text
            case Modality.VOICE:
                return self.voice
            case Modality.VIDEO:
                return self.video

    def plus(self, modality: Modality, units: int) -> "UnitCounts":
        """The counts after so many more of this modality; fewer if negative."""
        return self._replace(**{modality.value: self.of(modality) + units})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One subscription as it stands.

    Attributes:
        granted: what it began with.
        remaining: what is left of it; nothing, once it is not active any more.
        currency: of what doctors earn for its units.
        starts_at: the first moment at which it gives units.
        ends_at: the first moment at which it gives none any more.
        created_at: the log time of its ``activate`` or ``import``.
        updated_at: the log time of what made its status what it is.
        changed_by: the command that did.
        version: raised by each change of status; how its units go is told by the balance's sequence.
    """

    subscription_id: str
    patient_id: str
    granted: UnitCounts
    remaining: UnitCounts
    currency: str
    starts_at: datetime
    ends_at: datetime
    status: SubscriptionStatus = SubscriptionStatus.ACTIVE
    created_at: datetime
    updated_at: datetime
    cancelled_by: Role | None = None
    cancellation_reason: str | None = None
    changed_by: Cause
    version: int = 1

    @property
    def age(self) -> tuple[datetime, datetime, str]:
        """What the oldest is told by: the lowest comes first."""
        return (self.starts_at, self.created_at, self.subscription_id)

    @property
    def is_active(self) -> bool:
        """Whether nobody has noted its end."""
        return self.status is SubscriptionStatus.ACTIVE

    def gives(self, modality: Modality, due_at: datetime, now: datetime) -> bool:
        """Whether it has a unit for what fell due at one moment and is decided at a later one.

        It must give units at some moment of the two and between them: whoever decides late takes nothing from a subscription
        that had ended before the unit fell due, and all else that could have paid for it still can.
        """
        return self.remaining.of(modality) > 0 and self.starts_at <= now and due_at < self.ends_at
