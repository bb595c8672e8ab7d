"""What a notification is, what a decision may know, and what it can say."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from services.notify.domain.stale import Entity
from shared.messages.notify import (
    About,
    Channel,
    DeliveryStatus,
    NotifyEventType,
    ParameterValue,
    Priority,
    QuietHours,
    SuppressionReason,
    Template,
    UnsentReason,
)
from shared.messages.refusal import Refusal, RefusalReason

DeliveryReason = SuppressionReason | UnsentReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The settings that decisions depend on.

    Attributes:
        channels: those that a provider is set up for.
        max_attempts: how often a provider is asked to take a notification.
        retry_period: from the first to the last of these attempts.
    """

    channels: AbstractSet[Channel] = frozenset()
    max_attempts: int = 8
    retry_period: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """How a recipient wants to be told.

    Attributes:
        unwanted: the channels that they do not want.
        version: 0 before the recipient has said anything.
    """

    recipient_id: str
    unwanted: AbstractSet[Channel] = frozenset()
    quiet_hours: QuietHours | None = None
    updated_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What has become of a notification on one channel.

    Attributes:
        due_at: of a new one that waits: when the first attempt may be made.
        attempts: how often a provider was asked; 0 until it is recorded what came of it.
    """

    channel: Channel
    status: DeliveryStatus
    reason: DeliveryReason | None = None
    due_at: datetime | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One thing that one person is told, or is not.

    Attributes:
        accepted_at: the log time of its request.
        updated_at: the log time of its last change; nothing happens to it before.
        inbox_at: since when it lies in the recipient's inbox.
        read_at: when the recipient marked it as read there.
        version: 1, 2, 3 …, raised by each change of state.
    """

    notification_id: str
    recipient_id: str
    template: Template
    params: Mapping[str, ParameterValue]
    priority: Priority
    about: About
    deliveries: Mapping[Channel, Delivery] = field(default_factory=dict)
    accepted_at: datetime
    updated_at: datetime
    inbox_at: datetime | None = None
    read_at: datetime | None = None
    version: int = 1

    def with_delivery(self, delivery: Delivery, now: datetime) -> "Notification":
        """The notification after something has become of it on one channel."""
        deliveries = {**self.deliveries, delivery.channel: delivery}
        return replace(self, deliveries=deliveries, updated_at=now, version=self.version + 1)


class Known(NamedTuple):
    """What a decision may depend on.

    Attributes:
        notification: the one that the command names, if it exists.
        preferences: the recipient's.
        addresses: the channels for which an address of the recipient is known.
        entity: what is known of what the notification is about.
    """

    notification: Notification | None
    preferences: Preferences
    addresses: AbstractSet[Channel] = frozenset()
    entity: Entity | None = None


class Told(NamedTuple):
    """Something happened to a notification: on one channel, or on all."""

    type: NotifyEventType
    notification: Notification
    at: datetime
    channel: Channel | None = None
    reason: DeliveryReason | None = None


class Preferred(NamedTuple):
    """A recipient's preferences are now as they say."""

    preferences: Preferences
    at: datetime


class Refused(NamedTuple):
    """Nothing happened, and why."""

    refusal: Refusal


NotifyEvent = Told | Preferred | Refused


def refuse(reason: RefusalReason, message: str) -> Refused:
    """A refusal."""
    return Refused(Refusal(reason.status_code, reason, message))
