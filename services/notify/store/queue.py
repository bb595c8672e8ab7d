"""The delay queue: deliveries that are due are taken by one worker each, and come back when nobody says what came of them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from asyncpg import Record
from sqlalchemy import Boolean, Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.notify.domain.attempt import Conclude, Standing
from services.notify.domain.notification import Preferences
from services.notify.domain.stale import Entity, EntityKind
from services.notify.store.rows import about_of, params_of, preferences_of, reason_of
from services.notify.store.tables import ADDRESSED, TIME
from shared.database import Connection, fetch, joined
from shared.messages.notify import Channel, DeliveryStatus, ParameterValue, Priority, Template

DeliveryKey = tuple[str, Channel]


class Taken(NamedTuple):
    """A delivery that is due, and that is this worker's until the transaction ends.

    Attributes:
        address: where the channel reaches the recipient, as far as that is known. Personal.
        result: what has become of it, when that is only to be told again.
        taken_at: the database's clock.
    """

    notification_id: str
    recipient_id: str
    standing: Standing
    params: Mapping[str, ParameterValue]
    address: str | None
    language: str | None
    timezone: str | None
    cause_id: str
    correlation_id: str
    traceparent: str | None
    result: Conclude | None
    taken_at: datetime

    @property
    def key(self) -> DeliveryKey:
        """Which delivery it is."""
        return self.notification_id, self.standing.channel


class Step(NamedTuple):
    """What is next for a delivery.

    Attributes:
        known_attempts: how many had begun, as far as this worker knows.
        attempts: how many have begun now.
        due_at: when it comes back, unless somebody says before what came of it.
        result: what has become of it, if anything has.
    """

    key: DeliveryKey
    known_attempts: int
    attempts: int
    due_at: datetime
    first_attempt_at: datetime | None
    result: Conclude | None = None


# The clock of the transaction's beginning, which an index can be asked by. What another worker has taken at this moment is
# passed over; what it took a moment ago is not due any more.
_TAKE: Final = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT taken.*
        FROM unnest(:channels, :counts) AS asked (of_channel, at_most)
        CROSS JOIN LATERAL (
            SELECT * FROM deliveries
            WHERE channel = asked.of_channel AND due_at <= now()
            ORDER BY channel, due_at LIMIT asked.at_most
            FOR UPDATE SKIP LOCKED
        ) AS taken
    )
    SELECT due.notification_id, due.channel AS by_channel, due.attempts, due.first_attempt_at, due.result, due.result_reason,
           told.recipient_id, told.template, told.params, told.priority, told.about_entity, told.about_entity_id, told.about_version,
           told.watched_kind, told.cause_id, told.correlation_id, told.traceparent,
           {", ".join(f"found.{channel} AS {channel}_address" for channel in ADDRESSED)}, found.language, found.timezone,
           {", ".join(f"wishes.{channel}" for channel in Channel)},
           wishes.quiet_from, wishes.quiet_until, wishes.quiet_timezone, wishes.updated_at, wishes.version,
           known.status AS entity_status, known.version AS entity_version, now() AS taken_at
    FROM due
    JOIN notifications AS told USING (notification_id)
    LEFT JOIN recipients AS found USING (recipient_id)
    LEFT JOIN preferences AS wishes USING (recipient_id)
    LEFT JOIN entities AS known ON known.kind = told.watched_kind AND known.entity_id = told.about_entity_id
    """,
).bindparams(bindparam("channels", type_=ARRAY(Text)), bindparam("counts", type_=ARRAY(Integer)))


async def take(connection: Connection, room: Mapping[Channel, int]) -> list[Taken]:
    """Take deliveries that are due, so many of each channel at the most, those that have been due for longest first."""
    asked = {channel: count for channel, count in room.items() if count > 0}
    rows = await fetch(connection, _TAKE, {"channels": list(asked), "counts": list(asked.values())}) if asked else []
    return [_taken(row) for row in rows]


def _taken(row: Record) -> Taken:
    channel = Channel(row["by_channel"])
    address = row[f"{channel}_address"]
    result = None
    if row["result"] is not None:
        status = DeliveryStatus(row["result"])
        result = Conclude(status, reason_of(status, row["result_reason"]))
    standing = Standing(
        template=Template(row["template"]),
        priority=Priority(row["priority"]),
        about=about_of(row),
        channel=channel,
        preferences=preferences_of(row) if row["version"] is not None else Preferences(recipient_id=row["recipient_id"]),
        entity=_entity(row),
        has_address=address is not None,
        attempts=row["attempts"],
        first_attempt_at=row["first_attempt_at"],
    )
    return Taken(
        notification_id=row["notification_id"],
        recipient_id=row["recipient_id"],
        standing=standing,
        params=params_of(row["params"]),
        address=address,
        language=row["language"],
        timezone=row["timezone"],
        cause_id=row["cause_id"],
        correlation_id=row["correlation_id"],
        traceparent=row["traceparent"],
        result=result,
        taken_at=row["taken_at"],
    )


def _entity(row: Record) -> Entity | None:
    if row["entity_version"] is None:
        return None
    return Entity(EntityKind(row["watched_kind"]), row["about_entity_id"], row["entity_status"], row["entity_version"])


# Whoever was away for so long that another has taken over has nothing to say any more, but that it was sent.
_ADVANCE: Final = text(
    """
    UPDATE deliveries
    SET attempts = greatest(deliveries.attempts, next.attempts), due_at = next.due_at, first_attempt_at = next.first_attempt_at,
        result = next.result, result_reason = next.reason
    FROM unnest(string_to_array(:ids, chr(10)), :channels, :known_attempts, :attempts, :due_at, :first_attempt_at, :results, :reasons)
         AS next (id, of_channel, known_attempts, attempts, due_at, first_attempt_at, result, reason)
    WHERE notification_id = next.id AND channel = next.of_channel AND status = 'waiting'
      AND (:is_taken OR deliveries.result IS NULL AND (deliveries.attempts = next.known_attempts OR next.result = 'sent'))
    RETURNING notification_id, channel, deliveries.attempts
    """,
).bindparams(
    bindparam("ids", type_=Text),
    bindparam("channels", type_=ARRAY(Text)),
    bindparam("known_attempts", type_=ARRAY(Integer)),
    bindparam("attempts", type_=ARRAY(Integer)),
    bindparam("due_at", type_=ARRAY(TIME)),
    bindparam("first_attempt_at", type_=ARRAY(TIME)),
    bindparam("results", type_=ARRAY(Text)),
    bindparam("reasons", type_=ARRAY(Text)),
    bindparam("is_taken", type_=Boolean),
)


async def advance(connection: Connection, steps: Iterable[Step], *, is_taken: bool) -> dict[DeliveryKey, int]:
    """Note what is next for deliveries.

    Args:
        connection: in a transaction.
        steps: one for each delivery.
        is_taken: whether they were taken in this transaction; else others may have had a hand in them meanwhile.

    Returns:
        Those of which it was this worker's to say, with how many attempts have begun.
    """
    # Sorted, so that nobody waits for another's rows in a circle.
    steps = sorted(steps, key=lambda step: step.key)
    if not steps:
        return {}
    columns = {
        "ids": joined(step.key[0] for step in steps),
        "channels": [step.key[1] for step in steps],
        "known_attempts": [step.known_attempts for step in steps],
        "attempts": [step.attempts for step in steps],
        "due_at": [step.due_at for step in steps],
        "first_attempt_at": [step.first_attempt_at for step in steps],
        "results": [step.result.status if step.result is not None else None for step in steps],
        "reasons": [step.result.reason if step.result is not None else None for step in steps],
        "is_taken": is_taken,
    }
    rows = await fetch(connection, _ADVANCE, columns)
    return {(identifier, Channel(channel)): attempts for identifier, channel, attempts in rows}
