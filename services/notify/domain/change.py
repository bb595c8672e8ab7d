"""What happens to a notification after it was taken on, and to a recipient's preferences."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from services.notify.domain.notification import (
    Delivery,
    Known,
    Notification,
    NotifyEvent,
    Preferences,
    Preferred,
    Refused,
    Told,
    refuse,
)
from shared.messages.fields import Actor, Role
from shared.messages.notify import (
    Channel,
    DeliveryStatus,
    MarkRead,
    NotificationCommand,
    NotificationReason,
    NotifyEventType,
    PreferencesReason,
    RecordDelivery,
    SetPreferences,
)

_EVENT_TYPES = {
    DeliveryStatus.SENT: NotifyEventType.SENT,
    DeliveryStatus.UNSENT: NotifyEventType.UNSENT,
    DeliveryStatus.SUPPRESSED: NotifyEventType.SUPPRESSED,
}


def record_delivery(known: Known, command: RecordDelivery, now: datetime) -> tuple[NotifyEvent, ...]:
    """Note what became of it on one channel: once."""
    found = _find(known, command)
    if isinstance(found, Refused):
        return (found,)
    delivery = found.deliveries.get(command.channel)
    if delivery is None or delivery.status is not DeliveryStatus.WAITING:
        return (
            refuse(NotificationReason.NOT_WAITING, f"The notification does not wait to be sent by {command.channel.replace('_', '-')}."),
        )
    recorded = Delivery(channel=command.channel, status=command.status, reason=command.reason, attempts=command.attempts)
    after = found.with_delivery(recorded, now)
    return (Told(_EVENT_TYPES[command.status], after, now, command.channel, command.reason),)


def mark_read(known: Known, command: MarkRead, now: datetime) -> tuple[NotifyEvent, ...]:
    """The recipient has read it in the inbox. Once read, it stays as it is."""
    found = _find(known, command)
    if isinstance(found, Refused):
        return (found,)
    if not _speaks_for(command.actor, command.recipient_id):
        return (refuse(NotificationReason.NOT_A_PARTY, "Only the recipient or an administrator can do that."),)
    if found.inbox_at is None:
        return (refuse(NotificationReason.NOT_IN_INBOX, "The notification is not in the recipient's inbox."),)
    if found.read_at is None:
        found = replace(found, read_at=now, updated_at=now, version=found.version + 1)
    return (Told(NotifyEventType.READ, found, now, Channel.IN_APP),)


def set_preferences(known: Known, command: SetPreferences, now: datetime) -> tuple[NotifyEvent, ...]:
    """The recipient's preferences are what the command says; the version tells whether anything is different."""
    if not _speaks_for(command.actor, command.recipient_id):
        return (refuse(PreferencesReason.NOT_A_PARTY, "Only the recipient or an administrator can do that."),)
    before = known.preferences
    wanted = command.channels
    after = Preferences(
        recipient_id=command.recipient_id,
        unwanted=frozenset(channel for channel in Channel if not wanted.wants(channel)),
        quiet_hours=command.quiet_hours,
        updated_at=before.updated_at,
        version=before.version,
    )
    if after != before or before.version == 0:
        after = replace(after, updated_at=now, version=before.version + 1)
    return (Preferred(after, now),)


def _find(known: Known, command: NotificationCommand) -> Notification | Refused:
    notification = known.notification
    if notification is None or notification.recipient_id != command.recipient_id:
        return refuse(NotificationReason.NOTIFICATION_NOT_FOUND, "The recipient has no notification with this id.")
    return notification


def _speaks_for(actor: Actor, recipient_id: str) -> bool:
    match actor.role:
        case Role.PATIENT | Role.DOCTOR:
            return actor.id == recipient_id
        case Role.ADMIN | Role.SYSTEM:
            return True
        case _:
            assert_never(actor.role)
