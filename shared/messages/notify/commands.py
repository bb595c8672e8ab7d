"""What notify can be asked: to tell somebody something, and how they want to be told."""

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from shared.messages.fields import Actor, Command, EventModel, Identifier
from shared.messages.notify.events import (
    NotificationAccepted,
    NotificationRead,
    NotificationRejected,
    NotificationSent,
    NotificationSuppressed,
    NotificationUnsent,
    PreferencesChanged,
    PreferencesRejected,
)
from shared.messages.notify.fields import About, ChannelChoices, ParameterValue, QuietHours
from shared.messages.notify.vocabulary import Channel, DeliveryStatus, Priority, SuppressionReason, Template, UnsentReason


class NotificationCommand(Command):
    """A command about one notification of one recipient."""

    entity: ClassVar[str] = "notification"
    key_field: ClassVar[str] = "recipient_id"
    id_field: ClassVar[str] = "notification_id"
    rejection: ClassVar[EventModel] = NotificationRejected

    notification_id: Identifier
    """Derived from the causing event, the recipient and the template: one cause, one notification."""
    recipient_id: Identifier
    """Who is told; the record's key."""


class SendNotification(NotificationCommand):
    """Tell one recipient about one cause, through the channels that they allow."""

    type: ClassVar[str] = "notify.notification.send.v1"
    outcomes: ClassVar = (NotificationAccepted, NotificationSuppressed)
    also_causes: ClassVar = (NotificationSent,)

    template: Template
    """What to tell."""
    params: Annotated[dict[Identifier, ParameterValue], Field(max_length=32)]
    """What the text can use: ids, times, amounts, nothing personal. Where one is missing the text says less; others are ignored."""
    priority: Priority
    """Whether it passes quiet hours."""
    about: About
    """What it is about: its state can make the notification stale."""


class RecordDelivery(NotificationCommand):
    """Notify's own, for no other publisher: note what became of a notification on one channel."""

    type: ClassVar[str] = "notify.notification.record_delivery.v1"
    from_sweep: ClassVar[bool] = True
    outcomes: ClassVar = (NotificationSent, NotificationUnsent, NotificationSuppressed)

    channel: Channel
    """On which channel."""
    status: DeliveryStatus
    """What became of it: not `waiting`."""
    reason: SuppressionReason | UnsentReason | None = None
    """Why it is unsent or suppressed."""
    attempts: Annotated[int, Field(ge=0, le=1_000_000)]
    """How often a provider was asked."""

    @model_validator(mode="after")
    def _is_final(self) -> "RecordDelivery":
        if self.status is DeliveryStatus.WAITING or (self.reason is None) != (self.status is DeliveryStatus.SENT):
            message = "status is sent, or unsent or suppressed with a reason"
            raise ValueError(message)
        return self


class MarkRead(NotificationCommand):
    """The recipient has read it in the inbox."""

    type: ClassVar[str] = "notify.notification.mark_read.v1"
    outcomes: ClassVar = (NotificationRead,)

    actor: Actor
    """The recipient, or an administrator."""


class SetPreferences(Command):
    """A recipient says how they want to be told, and says all of it: a channel that is not named is wanted, and quiet hours end."""

    type: ClassVar[str] = "notify.preferences.set.v1"
    entity: ClassVar[str] = "preferences"
    key_field: ClassVar[str] = "recipient_id"
    id_field: ClassVar[str] = "recipient_id"
    outcomes: ClassVar = (PreferencesChanged,)
    rejection: ClassVar[EventModel] = PreferencesRejected

    recipient_id: Identifier
    """Whose preferences; the record's key."""
    channels: ChannelChoices
    """Which channels they want."""
    quiet_hours: QuietHours | None = None
    """When normal notifications wait; without: never."""
    actor: Actor
    """The recipient, or an administrator."""
