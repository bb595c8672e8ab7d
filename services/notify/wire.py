"""How notifications and preferences look in an event, and what notify reads of the events of others."""

from collections.abc import Mapping
from typing import Final

from services.notify.domain.notification import Delivery, Preferences, Preferred, Told
from services.notify.domain.stale import Entity, EntityKind
from shared.messages.booking import AppointmentEventType
from shared.messages.calls import CallEventType, TextSessionEventType
from shared.messages.events import Event
from shared.messages.fields import EventData, Identifier
from shared.messages.notify import Channel, NotifyEventType


class HeardAppointment(EventData):
    """What notify needs of an appointment's event: a status that it does not know is no reason to stumble."""

    appointment_id: Identifier
    status: Identifier


class HeardCall(EventData):
    """The same of a call's event."""

    call_id: Identifier
    status: Identifier


class HeardTextSession(EventData):
    """The same of a text session's event."""

    session_id: Identifier
    status: Identifier


#: The events that notify hears, by service and type: all that carry a state.
HEARD_EVENTS: Final[Mapping[str, Mapping[str, type[EventData]]]] = {
    "booking": {type_: HeardAppointment for type_ in AppointmentEventType if type_ is not AppointmentEventType.REJECTED},
    "calls": {
        **{type_: HeardCall for type_ in CallEventType if type_ is not CallEventType.REJECTED},
        **{type_: HeardTextSession for type_ in TextSessionEventType if type_ is not TextSessionEventType.REJECTED},
    },
}


def entity_of(event: EventData) -> Entity:
    """The entity, as an event that was heard says.

    Raises:
        TypeError: it is none of those that notify hears.
    """
    match event:
        case HeardAppointment():
            return Entity(EntityKind.APPOINTMENT, event.appointment_id, event.status, event.version)
        case HeardCall():
            return Entity(EntityKind.CALL, event.call_id, event.status, event.version)
        case HeardTextSession():
            return Entity(EntityKind.TEXT_SESSION, event.session_id, event.status, event.version)
    message = f"notify does not hear {event.type}"
    raise TypeError(message)


def told(event: Told) -> Event:
    """The event of something that happened to a notification: it carries the whole state."""
    notification = event.notification
    return Event(
        type=event.type,
        key=notification.recipient_id,
        subject=notification.notification_id,
        time=event.at,
        version=notification.version,
        body={
            "notification_id": notification.notification_id,
            "recipient_id": notification.recipient_id,
            "template": notification.template,
            "priority": notification.priority,
            "about": notification.about.model_dump(),
            "channel": event.channel,
            "reason": event.reason,
            "deliveries": [_delivery(delivery) for delivery in notification.deliveries.values()],
            "accepted_at": notification.accepted_at,
            "read_at": notification.read_at,
        },
    )


def _delivery(delivery: Delivery) -> dict[str, object]:
    return {"channel": delivery.channel, "status": delivery.status, "reason": delivery.reason, "attempts": delivery.attempts}


def preferred(event: Preferred) -> Event:
    """The event of a recipient's preferences: it carries all of them."""
    preferences = event.preferences
    return Event(
        type=NotifyEventType.PREFERENCES_CHANGED,
        key=preferences.recipient_id,
        subject=preferences.recipient_id,
        time=event.at,
        version=preferences.version,
        body={
            "recipient_id": preferences.recipient_id,
            "channels": {str(channel): channel not in preferences.unwanted for channel in Channel},
            "quiet_hours": _quiet_hours(preferences),
        },
    )


def _quiet_hours(preferences: Preferences) -> dict[str, object] | None:
    return preferences.quiet_hours.model_dump() if preferences.quiet_hours is not None else None
