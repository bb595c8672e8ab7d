"""Which failures pass, which belong to one record, and which end the process."""

import asyncio
from enum import Enum
from typing import Final

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from shared.database import sqlstate_of

#: What a database that is away or starting up raises. The driver's own errors are among them: SQLAlchemy does not wrap those of connecting.
DATABASE_ERRORS: Final = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class Failure(Enum):
    """What to do about a failed batch."""

    #: The database or the network; try the same batch again, for as long as it takes.
    TRANSIENT = "transient"
    #: Too much for one transaction; smaller ones will pass.
    TOO_LARGE = "too_large"
    #: Somebody else was first, behind the locks' back; asked again, the database shows what they wrote.
    OVERTAKEN = "overtaken"
    #: One of the records; cut the batch until it stands alone.
    RECORD = "record"
    #: The set-up: no batch can pass before somebody mends it.
    FATAL = "fatal"


class FatalError(Exception):
    """The process cannot go on; the message says what is wrong and what to do."""


#: Beginnings of PostgreSQL's error codes, the more special before the more general.
_BY_STATE: Final = (
    (("53200",), Failure.TOO_LARGE),  # out of shared memory: the lock table is full
    (("23505",), Failure.OVERTAKEN),  # unique violation
    (("08", "40", "53", "55", "57", "58", "XX"), Failure.TRANSIENT),
    (("28", "3D", "3F", "42"), Failure.FATAL),
)


def classify(error: BaseException) -> Failure:
    """Say what to do about a batch that failed with this error."""
    state = sqlstate_of(error)
    if state is None:
        return Failure.TRANSIENT if _is_lost_connection(error) else Failure.RECORD
    return next((failure for beginnings, failure in _BY_STATE if state.startswith(beginnings)), Failure.RECORD)


def _is_lost_connection(error: BaseException) -> bool:
    origin = getattr(error, "orig", None) or error
    cause = getattr(origin, "__cause__", None)
    kinds = (OSError, asyncio.TimeoutError, EOFError)
    if isinstance(origin, kinds) or isinstance(cause, kinds):
        return True
    if getattr(error, "connection_invalidated", False):
        return True
    interface_error = next((e for e in (origin, cause) if isinstance(e, asyncpg.InterfaceError | asyncpg.InternalClientError)), None)
    # The driver says so only in words; a value that it cannot encode is a DataError, which is an InterfaceError too.
    return interface_error is not None and not isinstance(interface_error, asyncpg.DataError | ValueError)


def describe(error: BaseException) -> str:
    """An error in one line, without the statement and its parameters: they may hold what was in a record."""
    origin = getattr(error, "orig", None) or error
    lines = str(origin).splitlines() or [""]
    return f"{type(origin).__name__}: {lines[0][:200]}"
