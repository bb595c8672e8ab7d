"""When each sweep last ran, and who runs it: for people alone, no decision depends on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.path.locks import lock_key


def define_table(metadata: MetaData) -> Table:
    """The table ``sweep_runs`` of a service, in its own schema."""
    time = DateTime(timezone=True)
    return Table(
        "sweep_runs",
        metadata,
        Column("sweep", Text, primary_key=True),
        Column("ran_at", time, nullable=False, comment="when its last noted look ended, by the database's clock"),
        Column("ran_by", Text, nullable=False, comment="the process, as process id@host"),
        Column("published_at", time, comment="when it last found something due"),
        Column("published", Integer, nullable=False, comment="for how many it published a command then"),
        comment="When each sweep last ran: for people alone.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRun:
    """The last run of a sweep that was noted.

    Attributes:
        ran_at: when its look ended; a leader looks every second, and notes it every few seconds.
        ran_by: the process, as ``process id@host``.
        published_at: when it last found something due.
        published: for how many it published a command then.
    """

    ran_at: datetime
    ran_by: str
    published_at: datetime | None
    published: int


_NOTE = text(
    """
    INSERT INTO sweep_runs AS known (sweep, ran_at, ran_by, published_at, published)
    VALUES (:sweep, statement_timestamp(), :ran_by, CASE WHEN :published > 0 THEN statement_timestamp() END, :published)
    ON CONFLICT (sweep) DO UPDATE SET
        ran_at = excluded.ran_at,
        ran_by = excluded.ran_by,
        published_at = coalesce(excluded.published_at, known.published_at),
        published = CASE WHEN excluded.published > 0 THEN excluded.published ELSE known.published END
    """,
)


async def note(connection: AsyncConnection, sweep: str, *, ran_by: str, published: int) -> None:
    """Note that a sweep has looked.

    Args:
        connection: in the service's role.
        sweep: its name.
        ran_by: the process.
        published: for how many it published a command.
    """
    await connection.execute(_NOTE, {"sweep": sweep, "ran_by": ran_by, "published": published})


async def last_runs(connection: AsyncConnection) -> Mapping[str, SweepRun]:
    """The last noted run of each of a service's sweeps, by name; one that never ran is missing."""
    rows = await connection.execute(text("SELECT sweep, ran_at, ran_by, published_at, published FROM sweep_runs"))
    return {
        sweep: SweepRun(ran_at=ran_at, ran_by=ran_by, published_at=published_at, published=published)
        for sweep, ran_at, ran_by, published_at, published in rows
    }


def leader_lock(service: str, sweep: str) -> int:
    """The key of the lock that whoever runs a sweep holds."""
    return lock_key(service, f"sweep:{sweep}")


# PostgreSQL shows a key of 64 bits as two halves without a sign.
_HOLDER = text(
    """
    SELECT activity.application_name
    FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
    WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
      AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (held.classid::bigint << 32) | held.objid::bigint = :key
    """,
)


async def leader(connection: AsyncConnection, service: str, sweep: str) -> str | None:
    """Who runs a sweep now, as its connection calls itself; ``None`` when nobody does."""
    holder = (await connection.execute(_HOLDER, {"key": leader_lock(service, sweep)})).scalar()
    return None if holder is None else str(holder)
