"""Advisory locks: the safety argument of the mesh, whoever owns a partition.

They last until the end of the transaction, write nothing, and are taken in one order everywhere: first the ordered ones,
then the shared ones, each sorted. So no two batches wait for each other in a circle.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import structlog
from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import Connection, fetch
from shared.path.errors import DATABASE_ERRORS

#: How long a lock is waited for before anybody asks who holds it.
PATIENCE_SECONDS: Final = 5.0
#: A transaction that holds our lock for longer than this, and waits for no lock itself, belongs to a stopped process.
STUCK_AFTER_SECONDS: Final = 10.0
_LOOK_AGAIN_SECONDS: Final = 1.0

_log = structlog.get_logger()

# One statement, in an order that its parts depend on: wait for the ordered locks, try the shared ones, read the clock.
_ACQUIRE = text(
    """
    WITH waited AS MATERIALIZED (
        SELECT count(pg_advisory_xact_lock(key)) AS locks FROM unnest(:wait_for) AS key
    ), tried AS MATERIALIZED (
        SELECT array(
            SELECT key FROM unnest(:try_for) AS key WHERE waited.locks >= 0 AND NOT pg_try_advisory_xact_lock(key)
        ) AS busy
        FROM waited
    )
    SELECT clock_timestamp(), busy FROM tried
    """,
).bindparams(bindparam("wait_for", type_=ARRAY(BigInteger)), bindparam("try_for", type_=ARRAY(BigInteger)))

# statement_timeout and its kin do not reach a backend that waits for the client in the middle of a COPY.
_TERMINATE = text(
    """
    SELECT activity.pid, pg_terminate_backend(activity.pid)
    FROM pg_stat_activity AS activity
    WHERE activity.pid = ANY (pg_blocking_pids(:waiter))
      AND activity.application_name LIKE 'caremesh-%'
      AND activity.xact_start < clock_timestamp() - make_interval(secs => :stuck_after_seconds)
      AND activity.wait_event_type IS DISTINCT FROM 'Lock'
    """,
)


@lru_cache(maxsize=32_768)
def lock_key(service: str, name: str) -> int:
    """The key of a lock: 64 bits of a hash that is the same in every process, as Python's own is not."""
    return int.from_bytes(blake2b(f"{service}:{name}".encode(), digest_size=8).digest(), signed=True)


async def acquire(
    connection: Connection, *, wait_for: Sequence[int], try_for: Sequence[int], rescuer: AsyncEngine
) -> tuple[datetime, frozenset[int]]:
    """Take locks until the end of the transaction.

    A process that was stopped in the middle of a transaction would hold up all others for as long as it stays stopped;
    after a while its connection is ended, so that it rolls back.

    Args:
        connection: in a transaction.
        wait_for: the keys of locks to wait for, in the order in which everybody takes them.
        try_for: the keys of locks to take if nobody holds them.
        rescuer: an engine in the role of the URL, which may end our own other connections.

    Returns:
        The database's clock, read after all locks were taken, and the keys of the tried locks that somebody else holds.
    """
    async with _ending_stuck_holders(rescuer, connection.get_server_pid()):
        [(clock, busy)] = await fetch(connection, _ACQUIRE, {"wait_for": wait_for, "try_for": try_for})
    return clock, frozenset(busy)


@asynccontextmanager
async def _ending_stuck_holders(rescuer: AsyncEngine, waiter: int) -> AsyncIterator[None]:
    """Look for those who keep locks from the waiter, if the block takes long."""
    over = asyncio.Event()
    looking: list[asyncio.Task[None]] = []
    timer = asyncio.get_running_loop().call_later(
        PATIENCE_SECONDS, lambda: looking.append(asyncio.create_task(_end_stuck_holders_until(over, rescuer, waiter)))
    )
    try:
        yield
    finally:
        timer.cancel()
        over.set()
        # A look that has begun goes on to its end: it may be what freed the locks, and says so.
        for task in looking:
            await task


async def _end_stuck_holders_until(over: asyncio.Event, rescuer: AsyncEngine, waiter: int) -> None:
    while not over.is_set():
        with suppress(*DATABASE_ERRORS):
            await _end_stuck_holders(rescuer, waiter)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                await over.wait()


async def _end_stuck_holders(rescuer: AsyncEngine, waiter: int) -> None:
    async with rescuer.connect() as connection:
        rows = await connection.execute(_TERMINATE, {"waiter": waiter, "stuck_after_seconds": STUCK_AFTER_SECONDS})
        for pid, ended in rows:
            _log.warning("Connection of a stopped process ended: it held locks that others wait for", backend_pid=pid, ended=ended)
