"""What a batch leaves behind: what it heard, what it changed, and what is new."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from services.notify.domain.notification import Delivery, Notification, Preferences
from services.notify.domain.stale import Entity
from services.notify.store.rows import params_column
from services.notify.store.tables import TIME, deliveries, notifications, preferences
from services.notify.working_set import Notifications, Requested, watched
from shared.database import Connection, NewRows, fetch, joined
from shared.messages.notify import Channel, DeliveryStatus

# A version never goes back, whoever heard of it first.
_HEAR: Final = text(
    """
    INSERT INTO entities (kind, entity_id, status, version)
    SELECT * FROM unnest(string_to_array(:kinds, chr(10)), string_to_array(:ids, chr(10)), string_to_array(:statuses, chr(10)), :versions)
    ON CONFLICT (kind, entity_id) DO UPDATE SET status = excluded.status, version = excluded.version
    WHERE entities.version < excluded.version
    """,
).bindparams(
    bindparam("kinds", type_=Text),
    bindparam("ids", type_=Text),
    bindparam("statuses", type_=Text),
    bindparam("versions", type_=ARRAY(BigInteger)),
)

_UPDATE: Final = text(
    """
    UPDATE notifications SET updated_at = changed.updated_at, read_at = changed.read_at, version = changed.version
    FROM unnest(string_to_array(:ids, chr(10)), :updated_at, :read_at, :versions) AS changed (id, updated_at, read_at, version)
    WHERE notification_id = changed.id
    """,
).bindparams(
    bindparam("ids", type_=Text),
    bindparam("updated_at", type_=ARRAY(TIME)),
    bindparam("read_at", type_=ARRAY(TIME)),
    bindparam("versions", type_=ARRAY(Integer)),
)

# Nothing is to be done any more for a delivery whose end is recorded.
_CLOSE: Final = text(
    """
    UPDATE deliveries SET status = closed.status, reason = closed.reason, attempts = closed.attempts, due_at = NULL
    FROM unnest(string_to_array(:ids, chr(10)), :channels, :statuses, :reasons, :attempts)
         AS closed (id, channel, status, reason, attempts)
    WHERE notification_id = closed.id AND deliveries.channel = closed.channel
    """,
).bindparams(
    bindparam("ids", type_=Text),
    bindparam("channels", type_=ARRAY(Text)),
    bindparam("statuses", type_=ARRAY(Text)),
    bindparam("reasons", type_=ARRAY(Text)),
    bindparam("attempts", type_=ARRAY(Integer)),
)

_PREFERENCE_COLUMNS: Final[dict[str, TypeEngine[Any]]] = {column.name: column.type for column in preferences.columns}
_PREFER: Final = text(
    f"""
    INSERT INTO preferences ({", ".join(_PREFERENCE_COLUMNS)})
    SELECT * FROM unnest({", ".join(f":{name}" for name in _PREFERENCE_COLUMNS)})
    ON CONFLICT (recipient_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _PREFERENCE_COLUMNS)}
    """,
).bindparams(*(bindparam(name, type_=ARRAY(type_)) for name, type_ in _PREFERENCE_COLUMNS.items()))


async def record(connection: Connection, state: Notifications) -> Sequence[NewRows]:
    """Write what a batch heard and changed. Say what is new."""
    # Each sorted, so that two batches never wait for each other's rows in a circle.
    if heard := sorted(state.heard):
        await fetch(connection, _HEAR, _columns_of_entities(heard))
    if changed := sorted(state.changed, key=lambda notification: notification.notification_id):
        await _update(connection, changed)
    if preferred := sorted(state.preferred, key=lambda one: one.recipient_id):
        columns = zip(*map(_preference_values, preferred), strict=True)
        await fetch(connection, _PREFER, {name: list(values) for name, values in zip(_PREFERENCE_COLUMNS, columns, strict=True)})
    new = state.requested
    return [
        NewRows(notifications, [_values(requested) for requested in new]),
        NewRows(deliveries, [values for notification, _ in new for values in _delivery_values(notification)]),
    ]


def _columns_of_entities(heard: Sequence[Entity]) -> dict[str, object]:
    return {
        "kinds": joined(entity.kind for entity in heard),
        "ids": joined(entity.entity_id for entity in heard),
        "statuses": joined(entity.status for entity in heard),
        "versions": [entity.version for entity in heard],
    }


async def _update(connection: Connection, changed: Sequence[Notification]) -> None:
    columns = {
        "ids": joined(notification.notification_id for notification in changed),
        "updated_at": [notification.updated_at for notification in changed],
        "read_at": [notification.read_at for notification in changed],
        "versions": [notification.version for notification in changed],
    }
    await fetch(connection, _UPDATE, columns)
    closed = [
        (one.notification_id, delivery) for one in changed for delivery in _in_order(one) if delivery.status is not DeliveryStatus.WAITING
    ]
    closing = {
        "ids": joined(identifier for identifier, _ in closed),
        "channels": [delivery.channel for _, delivery in closed],
        "statuses": [delivery.status for _, delivery in closed],
        "reasons": [delivery.reason for _, delivery in closed],
        "attempts": [delivery.attempts for _, delivery in closed],
    }
    await fetch(connection, _CLOSE, closing)


def _in_order(notification: Notification) -> Iterable[Delivery]:
    return (notification.deliveries[channel] for channel in sorted(notification.deliveries))


def _values(requested: Requested) -> tuple[object, ...]:
    notification, request = requested
    key = watched(notification)
    return (
        notification.notification_id,
        notification.recipient_id,
        notification.template,
        params_column(notification.params),
        notification.priority,
        notification.about.entity,
        notification.about.entity_id,
        notification.about.version,
        key[0] if key is not None else None,
        notification.accepted_at,
        notification.updated_at,
        notification.inbox_at,
        notification.read_at,
        notification.version,
        request.id,
        request.correlation_id,
        request.traceparent,
    )


def _delivery_values(notification: Notification) -> Iterable[tuple[object, ...]]:
    for delivery in notification.deliveries.values():
        yield (
            notification.notification_id,
            delivery.channel,
            delivery.status,
            delivery.reason,
            delivery.attempts,
            delivery.due_at,
            None,
            None,
            None,
        )


def _preference_values(one: Preferences) -> tuple[object, ...]:
    quiet = one.quiet_hours
    return (
        one.recipient_id,
        *(channel not in one.unwanted for channel in Channel),
        quiet.start if quiet is not None else None,
        quiet.end if quiet is not None else None,
        quiet.timezone if quiet is not None else None,
        one.updated_at,
        one.version,
    )
