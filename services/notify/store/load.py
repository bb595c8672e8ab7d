"""What a batch needs: the notifications that it names, and all that decides how a new one is delivered."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from asyncpg import Record
from sqlalchemy import Text, bindparam, text

from services.notify.domain.notification import Delivery, Notification, Preferences, Rules
from services.notify.domain.stale import Entity, EntityKind
from services.notify.store.rows import about_of, params_of, preferences_of, reason_of
from services.notify.store.tables import ADDRESSED
from services.notify.working_set import EntityKey, Notifications, watched
from shared.codec.decode import Malformed, Received
from shared.database import Connection, fetch, joined
from shared.messages.fields import EventData
from shared.messages.notify import Channel, DeliveryStatus, NotificationCommand, Priority, SendNotification, SetPreferences, Template


async def parties(_: Connection, __: Collection[str]) -> Mapping[str, Any]:
    """Nothing here is between two parties: a command's key says whose notification it is."""
    return {}


_NOTIFICATIONS: Final = text(
    """
    SELECT found.*
    FROM unnest(string_to_array(:ids, chr(10))) AS named (id) JOIN notifications AS found ON found.notification_id = named.id
    """,
).bindparams(bindparam("ids", type_=Text))

_DELIVERIES: Final = text(
    """
    SELECT notification_id, channel, status, reason, attempts
    FROM unnest(string_to_array(:ids, chr(10))) AS named (id) JOIN deliveries AS found ON found.notification_id = named.id
    """,
).bindparams(bindparam("ids", type_=Text))

_PREFERENCES: Final = text(
    """
    SELECT found.*
    FROM unnest(string_to_array(:ids, chr(10))) AS named (id) JOIN preferences AS found ON found.recipient_id = named.id
    """,
).bindparams(bindparam("ids", type_=Text))

_ADDRESSES: Final = text(
    f"""
    SELECT found.recipient_id, {", ".join(f"found.{channel} IS NOT NULL AS {channel}" for channel in ADDRESSED)}
    FROM unnest(string_to_array(:ids, chr(10))) AS named (id) JOIN recipients AS found ON found.recipient_id = named.id
    """,
).bindparams(bindparam("ids", type_=Text))

_ENTITIES: Final = text(
    """
    SELECT found.kind, found.entity_id, status, version
    FROM unnest(string_to_array(:kinds, chr(10)), string_to_array(:ids, chr(10))) AS named (kind, id)
    JOIN entities AS found ON found.kind = named.kind AND found.entity_id = named.id
    """,
).bindparams(bindparam("kinds", type_=Text), bindparam("ids", type_=Text))


class _Needs:
    """What the commands of a batch need, by id."""

    def __init__(self, batch: Iterable[Received]) -> None:
        self.notifications: set[str] = set()
        self.preferences: set[str] = set()
        self.addresses: set[str] = set()
        self.entities: set[EntityKey] = set()
        for received in batch:
            match received.content:
                case SendNotification() as command:
                    self.notifications.add(command.notification_id)
                    self.preferences.add(command.recipient_id)
                    self.addresses.add(command.recipient_id)
                    if (key := watched(command)) is not None:
                        self.entities.add(key)
                case NotificationCommand(notification_id=notification_id):
                    self.notifications.add(notification_id)
                case SetPreferences(recipient_id=recipient_id):
                    self.preferences.add(recipient_id)
                case Malformed() as malformed if issubclass(malformed.command_type, SetPreferences):
                    self.preferences.add(malformed.key)
                case Malformed(entity_id=str(notification_id)):
                    self.notifications.add(notification_id)


async def load(connection: Connection, batch: Sequence[Received], rules: Rules) -> Notifications:
    """What these commands need: the notifications that they name, and all that decides how a new one is delivered."""
    needs = _Needs(batch)
    notifications = Notifications(
        rules,
        notifications=await _load_notifications(connection, needs.notifications),
        preferences=await _load_preferences(connection, needs.preferences),
        addresses=await _load_addresses(connection, needs.addresses),
        entities=await _load_entities(connection, needs.entities),
    )
    # Topics have no order among each other: what is here is heard before anything is told by it.
    for received in batch:
        if isinstance(received.content, EventData):
            notifications.hear(received.content)
    return notifications


async def _load_notifications(connection: Connection, ids: Collection[str]) -> list[Notification]:
    rows = await fetch(connection, _NOTIFICATIONS, {"ids": joined(ids)}) if ids else []
    if not rows:
        return []
    by_id: dict[str, dict[Channel, Delivery]] = {row["notification_id"]: {} for row in rows}
    for row in await fetch(connection, _DELIVERIES, {"ids": joined(by_id)}):
        delivery = _delivery(row)
        by_id[row["notification_id"]][delivery.channel] = delivery
    return [_notification(row, by_id[row["notification_id"]]) for row in rows]


def _notification(row: Record, of_channels: Mapping[Channel, Delivery]) -> Notification:
    return Notification(
        notification_id=row["notification_id"],
        recipient_id=row["recipient_id"],
        template=Template(row["template"]),
        params=params_of(row["params"]),
        priority=Priority(row["priority"]),
        about=about_of(row),
        # In the order of the channels, as when it was made: an event says the same whoever loads it.
        deliveries={channel: of_channels[channel] for channel in Channel if channel in of_channels},
        accepted_at=row["accepted_at"],
        updated_at=row["updated_at"],
        inbox_at=row["inbox_at"],
        read_at=row["read_at"],
        version=row["version"],
    )


def _delivery(row: Record) -> Delivery:
    status = DeliveryStatus(row["status"])
    # While it waits, its attempts are nothing that was published.
    attempts = 0 if status is DeliveryStatus.WAITING else row["attempts"]
    return Delivery(channel=Channel(row["channel"]), status=status, reason=reason_of(status, row["reason"]), attempts=attempts)


async def _load_preferences(connection: Connection, ids: Collection[str]) -> list[Preferences]:
    rows = await fetch(connection, _PREFERENCES, {"ids": joined(ids)}) if ids else []
    return [preferences_of(row) for row in rows]


async def _load_addresses(connection: Connection, ids: Collection[str]) -> dict[str, frozenset[Channel]]:
    rows = await fetch(connection, _ADDRESSES, {"ids": joined(ids)}) if ids else []
    return {row["recipient_id"]: frozenset(channel for channel in ADDRESSED if row[channel]) for row in rows}


async def _load_entities(connection: Connection, keys: Collection[EntityKey]) -> list[Entity]:
    if not keys:
        return []
    parameters = {"kinds": joined(kind for kind, _ in keys), "ids": joined(entity_id for _, entity_id in keys)}
    rows = await fetch(connection, _ENTITIES, parameters)
    return [Entity(EntityKind(kind), entity_id, status, version) for kind, entity_id, status, version in rows]
