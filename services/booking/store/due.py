"""What falls due: appointments that somebody must answer, by their deadlines."""

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.sweeps import PAGE


class Waiting(NamedTuple):
    """An appointment that waits for an answer, as a sweep needs it."""

    appointment_id: str
    doctor_id: str
    version: int
    expires_at: datetime


def _find(condition: str) -> Any:
    return text(
        f"""
        SELECT appointment_id, doctor_id, version, expires_at
        FROM appointments
        WHERE {condition} AND expires_at <= :until AND (expires_at, appointment_id) > (:after_deadline, :after_id)
        ORDER BY expires_at, appointment_id
        LIMIT {PAGE}
        """,
    )


# What waits has a deadline, and what has a deadline and no proposed time is pending. The status is not asked for: it would make
# the indexes of what holds a slot look as good as those of the deadlines, as long as there is little in them.
_FIND_WAITING: Final = _find("expires_at IS NOT NULL")
_FIND_UNWARNED: Final = _find("expires_at IS NOT NULL AND warned_at IS NULL AND proposed_starts_at IS NULL")
_BEFORE_ALL: Final = (datetime(1970, 1, 1, tzinfo=UTC), "")


async def find_waiting(connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None) -> list[Waiting]:
    """A page of appointments that wait for an answer, by deadline: those up to this moment, after that place."""
    return await _page(connection, _FIND_WAITING, until, after)


async def find_unwarned(connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None) -> list[Waiting]:
    """A page of pending appointments that nobody was warned of, by deadline: those up to this moment, after that place."""
    return await _page(connection, _FIND_UNWARNED, until, after)


async def _page(connection: AsyncConnection, statement: Any, until: datetime, after: tuple[datetime, str] | None) -> list[Waiting]:
    after_deadline, after_id = after or _BEFORE_ALL
    rows = await connection.execute(statement, {"until": until, "after_deadline": after_deadline, "after_id": after_id})
    return [Waiting(*row) for row in rows]
