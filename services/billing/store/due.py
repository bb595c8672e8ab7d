"""What falls due in billing: units of sessions, and the ends of subscriptions."""

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messages.fields import Modality
from shared.sweeps import PAGE

_BEFORE_ALL: Final = (datetime(1970, 1, 1, tzinfo=UTC), "")


class DueUnit(NamedTuple):
    """The next unit of a session, as the sweep needs it."""

    session_id: str
    doctor_id: str
    patient_id: str
    modality: Modality
    unit: int
    due_at: datetime


class EndingSubscription(NamedTuple):
    """An active subscription, as the sweep needs it."""

    subscription_id: str
    patient_id: str
    version: int
    ends_at: datetime


_FIND_UNITS: Final = text(
    f"""
    SELECT session_id, doctor_id, patient_id, modality, units_taken + 1, next_tick_at
    FROM sessions
    WHERE next_tick_at IS NOT NULL AND next_tick_at <= :until AND (next_tick_at, session_id) > (:after_moment, :after_id)
    ORDER BY next_tick_at, session_id
    LIMIT {PAGE}
    """,
)

_FIND_ENDING: Final = text(
    f"""
    SELECT subscription_id, patient_id, version, ends_at
    FROM subscriptions
    WHERE status = 'active' AND ends_at <= :until AND (ends_at, subscription_id) > (:after_moment, :after_id)
    ORDER BY ends_at, subscription_id
    LIMIT {PAGE}
    """,
)


async def find_units(connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None) -> list[DueUnit]:
    """A page of units by when they fall due, those up to this moment, after that place."""
    rows = await connection.execute(_FIND_UNITS, _page(until, after))
    return [
        DueUnit(session_id, doctor_id, patient_id, Modality(modality), unit, due_at)
        for session_id, doctor_id, patient_id, modality, unit, due_at in rows
    ]


async def find_ending(connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None) -> list[EndingSubscription]:
    """A page of active subscriptions by their ends, those up to this moment, after that place."""
    rows = await connection.execute(_FIND_ENDING, _page(until, after))
    return [EndingSubscription(*row) for row in rows]


def _page(until: datetime, after: tuple[datetime, str] | None) -> dict[str, Any]:
    after_moment, after_id = after or _BEFORE_ALL
    return {"until": until, "after_moment": after_moment, "after_id": after_id}
