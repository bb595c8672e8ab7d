"""The notify service's commands and events: what people are to be told, how they want to be told, and what became of it."""

from typing import Final

from shared.messages.fields import Command, EventData, by_type
from shared.messages.notify.commands import MarkRead, NotificationCommand, RecordDelivery, SendNotification, SetPreferences
from shared.messages.notify.events import (
    DeliveryState,
    NotificationAccepted,
    NotificationEvent,
    NotificationRead,
    NotificationRejected,
    NotificationSent,
    NotificationSuppressed,
    NotificationUnsent,
    PreferencesChanged,
    PreferencesRejected,
)
from shared.messages.notify.fields import About, ChannelChoices, ClockTime, ParameterValue, QuietHours
from shared.messages.notify.vocabulary import (
    PARAMETERS,
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

__all__ = [
    "NOTIFY_COMMANDS",
    "NOTIFY_EVENTS",
    "PARAMETERS",
    "About",
    "Channel",
    "ChannelChoices",
    "ClockTime",
    "DeliveryState",
    "DeliveryStatus",
    "MarkRead",
    "NotificationAccepted",
    "NotificationCommand",
    "NotificationEvent",
    "NotificationRead",
    "NotificationReason",
    "NotificationRejected",
    "NotificationSent",
    "NotificationSuppressed",
    "NotificationUnsent",
    "NotifyCommand",
    "NotifyEventType",
    "ParameterValue",
    "PreferencesChanged",
    "PreferencesReason",
    "PreferencesRejected",
    "Priority",
    "QuietHours",
    "RecordDelivery",
    "SendNotification",
    "SetPreferences",
    "SuppressionReason",
    "Template",
    "UnsentReason",
]

NotifyCommand = SendNotification | RecordDelivery | MarkRead | SetPreferences

#: The commands that the notify service decides, by type.
NOTIFY_COMMANDS: Final[dict[str, type[Command]]] = by_type(SendNotification, RecordDelivery, MarkRead, SetPreferences)

#: The events that it publishes, by type.
NOTIFY_EVENTS: Final[dict[str, type[EventData]]] = by_type(
    NotificationAccepted,
    NotificationSuppressed,
    NotificationSent,
    NotificationUnsent,
    NotificationRead,
    NotificationRejected,
    PreferencesChanged,
    PreferencesRejected,
)
