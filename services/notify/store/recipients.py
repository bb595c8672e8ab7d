"""Addresses, and what a recipient sees: for the command line. Addresses reach no other part than these tables and the providers."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Boolean, Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.notify.domain.notification import Preferences
from services.notify.store.rows import about_of, params_of, preferences_of
from shared.database import Connection, fetch, joined
from shared.messages.notify import About, ParameterValue, Priority, Template

#: What can be known of a recipient, beside the preferences.
FIELDS: Final = ("email", "push", "sms", "chat", "language", "timezone")
#: So many entries of an inbox are shown at the most.
SHOWN: Final = 100

#: Recipient → field → its new value; ``None`` erases it, and a field that is not named stays as it is.
Changes = Mapping[str, Mapping[str, str | None]]


class Entry(NamedTuple):
    """A notification in an inbox."""

    notification_id: str
    template: Template
    params: Mapping[str, ParameterValue]
    priority: Priority
    about: About
    inbox_at: datetime
    read_at: datetime | None


_CHANGE: Final = text(
    f"""
    INSERT INTO recipients (recipient_id, {", ".join(FIELDS)}, updated_at)
    SELECT id, {", ".join(f"new_{name}" for name in FIELDS)}, now()
    FROM unnest(string_to_array(:ids, chr(10)), {", ".join(f":{name}" for name in FIELDS)})
         AS changed (id, {", ".join(f"new_{name}" for name in FIELDS)})
    ON CONFLICT (recipient_id) DO UPDATE SET updated_at = excluded.updated_at,
        {", ".join(f"{name} = CASE WHEN :names_{name} THEN excluded.{name} ELSE recipients.{name} END" for name in FIELDS)}
    """,
).bindparams(
    bindparam("ids", type_=Text),
    *(bindparam(name, type_=ARRAY(Text)) for name in FIELDS),
    *(bindparam(f"names_{name}", type_=Boolean) for name in FIELDS),
)


async def change(connection: Connection, changes: Changes) -> None:
    """Note addresses, languages and time zones."""
    # Those that name the same fields together: one statement for a whole file, as a rule.
    by_named: dict[frozenset[str], list[str]] = {}
    for recipient_id, values in changes.items():
        by_named.setdefault(frozenset(values), []).append(recipient_id)
    for named, recipient_ids in by_named.items():
        ids = sorted(recipient_ids)
        columns = {name: [changes[identifier].get(name) for identifier in ids] for name in FIELDS}
        names = {f"names_{name}": name in named for name in FIELDS}
        await fetch(connection, _CHANGE, {"ids": joined(ids), **columns, **names})


_FORGET: Final = text("DELETE FROM recipients WHERE recipient_id = :id RETURNING recipient_id").bindparams(bindparam("id", type_=Text))


async def forget(connection: Connection, recipient_id: str) -> bool:
    """Erase all that is personal of a recipient; whether there was anything."""
    return bool(await fetch(connection, _FORGET, {"id": recipient_id}))


_RECIPIENT: Final = text(f"SELECT {', '.join(FIELDS)} FROM recipients WHERE recipient_id = :id").bindparams(bindparam("id", type_=Text))


async def addresses(connection: Connection, recipient_id: str) -> dict[str, str | None]:
    """What is known of a recipient: addresses, language and time zone. Empty when nothing is."""
    rows = await fetch(connection, _RECIPIENT, {"id": recipient_id})
    return dict(rows[0]) if rows else {}


_PREFERENCES: Final = text(
    """
    SELECT found.*
    FROM unnest(string_to_array(:ids, chr(10))) AS named (id) JOIN preferences AS found ON found.recipient_id = named.id
    """,
).bindparams(bindparam("ids", type_=Text))


async def preferences(connection: Connection, recipient_ids: Collection[str]) -> dict[str, Preferences]:
    """The preferences of those who have said any."""
    rows = await fetch(connection, _PREFERENCES, {"ids": joined(recipient_ids)})
    return {row["recipient_id"]: preferences_of(row) for row in rows}


_UNREAD: Final = text(
    "SELECT count(*) FROM notifications WHERE recipient_id = :id AND inbox_at IS NOT NULL AND read_at IS NULL",
).bindparams(bindparam("id", type_=Text))


async def unread(connection: Connection, recipient_id: str) -> int:
    """How many entries of an inbox are not read."""
    [(count,)] = await fetch(connection, _UNREAD, {"id": recipient_id})
    return int(count)


_INBOX: Final = text(
    """
    SELECT notification_id, template, params, priority, about_entity, about_entity_id, about_version, inbox_at, read_at
    FROM notifications
    WHERE recipient_id = :id AND inbox_at IS NOT NULL AND (read_at IS NULL OR NOT :unread_only)
    ORDER BY recipient_id DESC, inbox_at DESC, notification_id DESC
    LIMIT :at_most
    """,
).bindparams(bindparam("id", type_=Text), bindparam("unread_only", type_=Boolean), bindparam("at_most", type_=Integer))


async def inbox(connection: Connection, recipient_id: str, *, unread_only: bool, at_most: int = SHOWN) -> list[Entry]:
    """The latest entries of an inbox, the newest first."""
    rows = await fetch(connection, _INBOX, {"id": recipient_id, "unread_only": unread_only, "at_most": at_most})
    return [
        Entry(
            notification_id=row["notification_id"],
            template=Template(row["template"]),
            params=params_of(row["params"]),
            priority=Priority(row["priority"]),
            about=about_of(row),
            inbox_at=row["inbox_at"],
            read_at=row["read_at"],
        )
        for row in rows
    ]


_NOTIFICATION: Final = text("SELECT * FROM notifications WHERE notification_id = :id").bindparams(bindparam("id", type_=Text))
_DELIVERIES: Final = text(
    """
    SELECT channel, status, reason, attempts, due_at, result, result_reason FROM deliveries
    WHERE notification_id = :id
    ORDER BY channel
    """,
).bindparams(bindparam("id", type_=Text))


async def notification(connection: Connection, notification_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """A notification and its deliveries, column by column."""
    rows = await fetch(connection, _NOTIFICATION, {"id": notification_id})
    if not rows:
        return None
    return dict(rows[0]), [dict(row) for row in await fetch(connection, _DELIVERIES, {"id": notification_id})]


def merged(changes: Iterable[tuple[str, Mapping[str, str | None]]]) -> dict[str, dict[str, str | None]]:
    """Changes one after the other as one for each recipient: the later ones stand."""
    result: dict[str, dict[str, str | None]] = {}
    for recipient_id, values in changes:
        result.setdefault(recipient_id, {}).update(values)
    return result
