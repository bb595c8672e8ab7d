"""Advisory locks: the safety argument of the mesh, whoever owns a partition.

They last until the end of the transaction, write nothing, and are waited for in one order everywhere: first the ordered ones,
then the shared ones, each sorted. So no two batches wait for each other in a circle.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import BEGIN, Connection, ended_in_order
from shared.path.errors import DATABASE_ERRORS

#: How long a lock is waited for before anybody asks who holds it.
PATIENCE_SECONDS: Final = 5.0
#: A transaction that holds our lock for longer than this, and waits for no lock itself, belongs to a stopped process.
STUCK_AFTER_SECONDS: Final = 10.0
_LOOK_AGAIN_SECONDS: Final = 1.0

_log = structlog.get_logger()

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


@asynccontextmanager
async def holding(connection: Connection, keys: Sequence[int], *, rescuer: AsyncEngine) -> AsyncIterator[None]:
    """Hold locks for the length of a transaction, which begins in the same turn and ends with the block.

    A process that was stopped in the middle of a transaction would hold up all others for as long as it stays stopped;
    after a while its connection is ended, so that it rolls back.

    Args:
        connection: not in a transaction.
        keys: the keys of locks to wait for, in the order in which everybody takes them.
        rescuer: an engine in the role of the URL, which may end our own other connections.
    """
    # Only a statement without parameters can follow another in one turn; of what it holds, all is whole numbers.
    wait = f"SELECT count(pg_advisory_xact_lock(key)) FROM unnest('{{{','.join(map(str, keys))}}}'::bigint[]) AS key"  # noqa: S608
    async with ended_in_order(connection):
        async with _ending_stuck_holders(rescuer, connection.get_server_pid()):
            await connection.execute(f"{BEGIN}; {wait}")
        yield


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
