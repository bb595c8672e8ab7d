"""What a batch needs: the notifications that it names, and all that decides how a new one is delivered."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from asyncpg import Record
from sqlalchemy import Text, bindparam, text

from services.notify.domain.notification import Delivery, Notification, Preferences, Rules
from services.notify.domain.stale import Entity, EntityKind
from services.notify.store.rows import about_of, params_of, preferences_of, reason_of
from services.notify.store.tables import ADDRESSED
from services.notify.working_set import Notifications, watched
from shared.codec.decode import Malformed, Received
from shared.database import Connection, fetch, joined
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


async def load(connection: Connection, batch: Sequence[Received], rules: Rules) -> Notifications:
    """What these commands need: the notifications that they name, and all that decides how a new one is delivered."""
    named: set[str] = set()
    choosing: set[str] = set()
    told: set[str] = set()
    about: set[tuple[EntityKind, str]] = set()
    for received in batch:
        content = received.content
        if isinstance(content, Malformed):
            if issubclass(content.command_type, SetPreferences):
                choosing.add(content.key)
            elif content.entity_id is not None:
                named.add(content.entity_id)
        elif isinstance(content, NotificationCommand):
            named.add(content.notification_id)
            if isinstance(content, SendNotification):
                told.add(content.recipient_id)
                if (key := watched(content)) is not None:
                    about.add(key)
        elif isinstance(content, SetPreferences):
            choosing.add(content.recipient_id)
    return Notifications(
        rules,
        notifications=await _load_notifications(connection, named),
        preferences=await _load_preferences(connection, choosing | told),
        addresses=await _load_addresses(connection, told),
        entities=await _load_entities(connection, about),
    )


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


async def _load_entities(connection: Connection, keys: Collection[tuple[EntityKind, str]]) -> list[Entity]:
    if not keys:
        return []
    parameters = {"kinds": joined(kind for kind, _ in keys), "ids": joined(entity_id for _, entity_id in keys)}
    rows = await fetch(connection, _ENTITIES, parameters)
    return [Entity(EntityKind(kind), entity_id, status, version) for kind, entity_id, status, version in rows]
