"""The vocabulary of notify's tests: a valid example of everything, of which a test states only what it is about."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import orjson

from services.notify.domain.notification import Delivery, Known, Notification, Preferences, Rules
from services.notify.domain.stale import Entity, EntityKind
from shared.codec.encode import encode_command, event_id
from shared.codec.record import StoredRecord
from shared.messages.fields import Actor, Command, Role
from shared.messages.notify import (
    About,
    Channel,
    DeliveryStatus,
    MarkRead,
    ParameterValue,
    Priority,
    QuietHours,
    RecordDelivery,
    SendNotification,
    SetPreferences,
    Template,
)
from tests.examples import NOW, milliseconds

AnyCommand = TypeVar("AnyCommand", bound=Command)

RECIPIENT: Final = "patient-1"
NOTIFICATION: Final = "ntf-1"
APPOINTMENT: Final = "apt-1"
COMMANDS_TOPIC: Final = "test.notify.commands.v1"
ALL: Final = frozenset(Channel) - {Channel.IN_APP}
EMAIL: Final = frozenset({Channel.EMAIL})
#: Every channel is set up.
RULES: Final = Rules(channels=ALL)
#: A clock without changes; ten at night is eight in the evening for everybody else.
QUIET: Final = {"start": "22:00", "end": "07:00", "timezone": "Africa/Blantyre"}


def recipient(identifier: str = RECIPIENT) -> Actor:
    return Actor(role=Role.PATIENT, id=identifier)


def example_send(
    *,
    notification_id: str = NOTIFICATION,
    recipient_id: str = RECIPIENT,
    template: Template = Template.APPOINTMENT_CONFIRMED,
    params: Mapping[str, ParameterValue] | None = None,
    priority: Priority = Priority.NORMAL,
    entity: str = "appointment",
    entity_id: str = APPOINTMENT,
    version: int | None = None,
) -> SendNotification:
    """A patient is to be told that an appointment is confirmed."""
    body = {
        "notification_id": notification_id,
        "recipient_id": recipient_id,
        "template": template,
        "params": {"appointment_id": entity_id, "starts_at": "2030-01-08T14:00:00Z"} if params is None else params,
        "priority": priority,
        "about": {"entity": entity, "entity_id": entity_id} | ({} if version is None else {"version": version}),
    }
    return _as_published(SendNotification, body)


def example_record_delivery(
    *,
    notification_id: str = NOTIFICATION,
    recipient_id: str = RECIPIENT,
    channel: Channel = Channel.EMAIL,
    status: DeliveryStatus = DeliveryStatus.SENT,
    reason: str | None = None,
    attempts: int = 1,
) -> RecordDelivery:
    body = {
        "notification_id": notification_id,
        "recipient_id": recipient_id,
        "channel": channel,
        "status": status,
        "reason": reason,
        "attempts": attempts,
    }
    return _as_published(RecordDelivery, body)


def example_mark_read(*, notification_id: str = NOTIFICATION, recipient_id: str = RECIPIENT, actor: Actor | None = None) -> MarkRead:
    body = {"notification_id": notification_id, "recipient_id": recipient_id, "actor": actor or recipient(recipient_id)}
    return _as_published(MarkRead, body)


def example_preferences(
    *,
    recipient_id: str = RECIPIENT,
    unwanted: frozenset[Channel] = frozenset(),
    quiet_hours: Mapping[str, str] | None = None,
    actor: Actor | None = None,
) -> SetPreferences:
    body = {
        "recipient_id": recipient_id,
        "channels": {str(channel): channel not in unwanted for channel in Channel},
        "quiet_hours": quiet_hours,
        "actor": actor or recipient(recipient_id),
    }
    return _as_published(SetPreferences, body)


def preferences(
    *, unwanted: frozenset[Channel] = frozenset(), quiet_hours: Mapping[str, str] | None = None, version: int = 1
) -> Preferences:
    """What a recipient has said before."""
    quiet = QuietHours.model_validate(quiet_hours) if quiet_hours is not None else None
    return Preferences(recipient_id=RECIPIENT, unwanted=unwanted, quiet_hours=quiet, updated_at=NOW - timedelta(days=1), version=version)


def appointment(status: str, version: int = 2, entity_id: str = APPOINTMENT) -> Entity:
    """What is known of an appointment."""
    return Entity(EntityKind.APPOINTMENT, entity_id, status, version)


def known(
    *,
    notification: Notification | None = None,
    preferences: Preferences | None = None,
    addresses: frozenset[Channel] = EMAIL,
    entity: Entity | None = None,
) -> Known:
    """A recipient who can be reached by e-mail, and has said nothing of preferences."""
    return Known(notification, preferences or Preferences(recipient_id=RECIPIENT), addresses, entity)


def example_notification(
    *, statuses: Mapping[Channel, DeliveryStatus] | None = None, inbox_at: datetime | None = NOW, version: int = 2
) -> Notification:
    """A notification that lies in the inbox and waits to be sent by e-mail."""
    statuses = {Channel.EMAIL: DeliveryStatus.WAITING, Channel.IN_APP: DeliveryStatus.SENT} if statuses is None else statuses
    return Notification(
        notification_id=NOTIFICATION,
        recipient_id=RECIPIENT,
        template=Template.APPOINTMENT_CONFIRMED,
        params={},
        priority=Priority.NORMAL,
        about=About(entity="appointment", entity_id=APPOINTMENT),
        deliveries={channel: Delivery(channel=channel, status=status) for channel, status in statuses.items()},
        accepted_at=NOW,
        updated_at=NOW,
        inbox_at=inbox_at,
        version=version,
    )


def example_record(
    command: Command, *, identifier: str = "command-1", source: str = "/tests", at: datetime = NOW, partition: int = 0, offset: int = 0
) -> StoredRecord:
    """A command as it lies in notify's topic."""
    message = encode_command(command, topic=COMMANDS_TOPIC, source=source, identifier=identifier)
    return StoredRecord(COMMANDS_TOPIC, partition, offset, milliseconds(at), message.key, message.value, message.headers)


def heard_appointment(
    status: str, version: int, *, appointment_id: str = APPOINTMENT, word: str = "confirmed", at: datetime = NOW, offset: int = 0
) -> StoredRecord:
    """An event of booking's, with as much of it as notify reads and something more."""
    topic = "test.booking.events.v1"
    identifier = event_id("booking", "/tests", f"{appointment_id}-{version}-{word}", 0)
    value = {
        "type": f"booking.appointment.{word}.v1",
        "id": identifier,
        "time": "2030-01-07T12:00:00Z",
        "appointment_id": appointment_id,
        "doctor_id": "doctor-1",
        "status": status,
        "version": version,
        "decision": decision(),
    }
    headers = [("ce_id", identifier.encode()), ("ce_source", b"/caremesh/booking"), ("ce_type", str(value["type"]).encode())]
    return StoredRecord(topic, 0, offset, milliseconds(at), b"doctor-1", orjson.dumps(value), headers)


def decision() -> dict[str, Any]:
    """Who decided an event."""
    command = {"source": "/tests", "id": "c", "type": "booking.appointment.confirm.v1"}
    where = {"topic": "test.booking.commands.v1", "partition": 0, "offset": 0}
    return {"decided_at": "2030-01-07T12:00:00Z", "index": 0, "command": command, **where}


def _as_published(command: type[AnyCommand], body: Mapping[str, object]) -> AnyCommand:
    present = {name: value.model_dump() if isinstance(value, Actor) else value for name, value in body.items() if value is not None}
    return command.model_validate_json(orjson.dumps(present, option=orjson.OPT_UTC_Z, default=_plain))


def _plain(value: Any) -> Any:
    return value.model_dump()
