"""What becomes of notifications and preferences."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.messages.fields import EventData, Identifier, Published, UtcTime
from shared.messages.notify.fields import PublishedAbout, PublishedChoices, PublishedQuietHours
from shared.messages.notify.vocabulary import (
    Channel,
    DeliveryStatus,
    NotificationReason,
    NotifyEventType,
    PreferencesReason,
    Priority,
    SuppressionReason,
    Template,
    UnsentReason,
)
from shared.messages.refusal import DataReason, Rejected


class DeliveryState(Published):
    """What has become of a notification on one channel so far."""

    channel: Channel
    """Which channel."""
    status: DeliveryStatus
    """What has become of it."""
    reason: SuppressionReason | UnsentReason | None
    """Why it is unsent or suppressed; else null."""
    attempts: int
    """How often a provider was asked; 0 until it is known what came of it."""


class NotificationEvent(EventData):
    """What every event of a notification carries, a refusal apart: the whole state."""

    key_field: ClassVar[str] = "recipient_id"

    notification_id: Identifier
    """Which notification."""
    recipient_id: Identifier
    """Who is told; the record's key."""
    template: Template
    """What they are told."""
    priority: Priority
    """Whether it passes quiet hours."""
    about: PublishedAbout
    """What it is about."""
    channel: Channel | None
    """The channel that the event is about; null when it is about all of them."""
    reason: SuppressionReason | UnsentReason | None
    """Why it was suppressed or stays unsent; else null."""
    deliveries: list[DeliveryState]
    """One for each channel that could reach the recipient when the request came."""
    accepted_at: UtcTime
    """When it was requested."""
    read_at: UtcTime | None
    """When the recipient marked it as read in the inbox."""


class NotificationAccepted(NotificationEvent):
    """The request is taken on: the inbox is told at once, the other channels when quiet hours and providers allow."""

    type: Literal[NotifyEventType.ACCEPTED]


class NotificationSuppressed(NotificationEvent):
    """Nobody is told: by no channel, if `channel` is null; else not by this one, for a reason that came up after the request."""

    type: Literal[NotifyEventType.SUPPRESSED]
    reason: SuppressionReason


class NotificationSent(NotificationEvent):
    """The recipient is told on this channel: its provider has taken it on, or it lies in the inbox."""

    type: Literal[NotifyEventType.SENT]
    channel: Channel


class NotificationUnsent(NotificationEvent):
    """The recipient is not told on this channel, after all attempts."""

    type: Literal[NotifyEventType.UNSENT]
    channel: Channel
    reason: UnsentReason


class NotificationRead(NotificationEvent):
    """The recipient has read it in the inbox."""

    type: Literal[NotifyEventType.READ]


class NotificationRejected(Rejected):
    """A command about a notification was refused, and nothing has changed."""

    key_field: ClassVar[str] = "recipient_id"

    type: Literal[NotifyEventType.REJECTED]
    reason: Annotated[DataReason | NotificationReason | Identifier, Field(union_mode="left_to_right")]
    """Why, for programs: the first that holds, in the order of the table of reasons. There may be more of them one day: go by the code then."""
    notification_id: Identifier | None = None
    """The command's, if it is valid."""
    recipient_id: Identifier | None = None
    """The command's, if it is valid."""


class PreferencesChanged(EventData):
    """A recipient's preferences as they are now; the version is the same as before when nothing is different."""

    key_field: ClassVar[str] = "recipient_id"

    type: Literal[NotifyEventType.PREFERENCES_CHANGED]
    recipient_id: Identifier
    """Whose; the record's key."""
    channels: PublishedChoices
    """Which channels they want."""
    quiet_hours: PublishedQuietHours | None
    """When normal notifications wait; null: never."""


class PreferencesRejected(Rejected):
    """A command about preferences was refused, and nothing has changed."""

    key_field: ClassVar[str] = "recipient_id"

    type: Literal[NotifyEventType.PREFERENCES_REJECTED]
    reason: Annotated[DataReason | PreferencesReason | Identifier, Field(union_mode="left_to_right")]
    """Why, for programs: the first that holds, in the order of the table of reasons. There may be more of them one day: go by the code then."""
    recipient_id: Identifier | None = None
    """The command's, if it is valid."""
