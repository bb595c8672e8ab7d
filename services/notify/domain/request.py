"""A request to tell somebody something: on which channels, when, or why not."""

from dataclasses import replace
from datetime import datetime

from services.notify.domain.notification import Delivery, Known, Notification, NotifyEvent, Preferences, Rules, Told, refuse
from services.notify.domain.quiet import quiet_until
from services.notify.domain.stale import is_stale
from shared.messages.notify import (
    Channel,
    DeliveryStatus,
    NotificationReason,
    NotifyEventType,
    Priority,
    SendNotification,
    SuppressionReason,
)


def send(known: Known, command: SendNotification, now: datetime, rules: Rules) -> tuple[NotifyEvent, ...]:
    """Take a request on, or say why nobody is told. The inbox is told at once, the other channels when they are due."""
    if known.notification is not None:
        return (refuse(NotificationReason.NOTIFICATION_EXISTS, "A notification with this id was requested before."),)
    reachable = {channel for channel in Channel if channel is Channel.IN_APP or channel in known.addresses & rules.channels}
    wanted = {channel for channel in Channel if channel not in known.preferences.unwanted}
    reason = _why_not(known, command, reachable & wanted, wanted)
    deliveries = {
        channel: _delivery(channel, command.priority, known.preferences, now, reason) for channel in Channel if channel in reachable
    }
    notification = Notification(
        notification_id=command.notification_id,
        recipient_id=command.recipient_id,
        template=command.template,
        params=command.params,
        priority=command.priority,
        about=command.about,
        deliveries=deliveries,
        accepted_at=now,
        updated_at=now,
    )
    if reason is not None:
        return (Told(NotifyEventType.SUPPRESSED, notification, now, reason=reason),)
    accepted = Told(NotifyEventType.ACCEPTED, notification, now)
    if Channel.IN_APP not in wanted:
        return (accepted,)
    sent = replace(deliveries[Channel.IN_APP], status=DeliveryStatus.SENT, due_at=None)
    in_inbox = replace(notification.with_delivery(sent, now), inbox_at=now)
    return (accepted, Told(NotifyEventType.SENT, in_inbox, now, Channel.IN_APP))


def _why_not(known: Known, command: SendNotification, usable: set[Channel], wanted: set[Channel]) -> SuppressionReason | None:
    if not wanted:
        return SuppressionReason.OPTED_OUT
    if is_stale(command.template, command.about, known.entity):
        return SuppressionReason.STALE
    if not usable:
        return SuppressionReason.NO_CHANNEL
    return None


def _delivery(channel: Channel, priority: Priority, preferences: Preferences, now: datetime, reason: SuppressionReason | None) -> Delivery:
    if channel in preferences.unwanted:
        reason = SuppressionReason.OPTED_OUT
    if reason is not None:
        return Delivery(channel=channel, status=DeliveryStatus.SUPPRESSED, reason=reason)
    return Delivery(channel=channel, status=DeliveryStatus.WAITING, due_at=due_at(channel, priority, preferences, now))


def due_at(channel: Channel, priority: Priority, preferences: Preferences, now: datetime) -> datetime:
    """When the next attempt may be made: now, or at the end of the recipient's quiet hours."""
    if channel is Channel.IN_APP or priority is Priority.CRITICAL or preferences.quiet_hours is None:
        return now
    return quiet_until(preferences.quiet_hours, now)
