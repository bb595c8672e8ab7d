"""Connections to PostgreSQL: one engine for each process, in the role of its service."""

import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import asyncpg
import orjson
from sqlalchemy import JSON, Table, TextClause, bindparam, make_url, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.types import TypeEngine

from shared.settings import Settings

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]
else:
    # Generic to the type checker only.
    Connection = asyncpg.Connection

#: Under the deadline of a batch, so that the server gives up on us before we give up on ourselves.
_IDLE_IN_TRANSACTION_SECONDS: Final = 15
_STATEMENT_SECONDS: Final = 30

#: The lock table holds about this times (connections + prepared transactions); a batch takes about three locks a command.
MINIMUM_LOCKS_PER_TRANSACTION: Final = 1024

_LOOKUPS_ONLY: Final = {
    # Each statement of the path finds rows by key. A plan made while a table was empty must not scan it when it is full.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    # The plans are the same whatever the values; making one anew for each batch took longer than running it.
    "plan_cache_mode": "force_generic_plan",
}


_MAX_APPLICATION_NAME: Final = 63
#: Lock first, then read: each statement must see what the last holder wrote, whatever a server's default is.
BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
#: Up to so many rows the round trip counts for more than the rows.
_FEW_ROWS: Final = 50


class DatabaseUnfitError(Exception):
    """The database is set up in a way that the mesh's guarantees do not hold on."""


def role_of(service: str) -> str:
    """The role that a service works in: it reaches its own schema and nothing else."""
    return f"caremesh_{service}"


@cache
def process_name() -> str:
    """This process as others can find it: ``process id@host``."""
    return f"{os.getpid()}@{socket.gethostname()}"


def create_engine(settings: Settings, service: str | None = None, *, connections: int = 4) -> AsyncEngine:
    """Make an engine.

    Args:
        settings: say where the database is.
        service: whose role and schema to work in; ``None``: those of the URL, for migrations.
        connections: how many at the most.
    """
    url = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+asyncpg")
    server_settings = {
        # Whoever looks for the holder of a lock finds the process. PostgreSQL keeps so many bytes of a name.
        "application_name": f"caremesh-{service or 'admin'} {process_name()}"[:_MAX_APPLICATION_NAME],
        "idle_in_transaction_session_timeout": f"{_IDLE_IN_TRANSACTION_SECONDS}s",
        "statement_timeout": f"{_STATEMENT_SECONDS}s",
        # A worker whose machine vanished must not keep its locks for the two hours that TCP waits by default.
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
        "timezone": "UTC",
    }
    if service is not None:
        server_settings |= _LOOKUPS_ONLY | {"role": role_of(service), "search_path": service}
    return create_async_engine(
        url,
        # Lock first, then read: each statement must see what the last holder of the lock wrote.
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=False,
        # What a command carries does not belong into logs, where an error's words end up.
        hide_parameters=True,
        connect_args={"server_settings": server_settings, "timeout": 10, "command_timeout": _STATEMENT_SECONDS + 5},
    )


@asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[Connection]:
    """A connection for the hot path, the driver's own: half the processor time of one through SQLAlchemy.

    Pool, tables, statements and types stay SQLAlchemy's; only what runs for every batch goes around its execution.
    """
    pooled = await engine.raw_connection()
    driver = pooled.driver_connection
    assert isinstance(driver, asyncpg.Connection)
    try:
        yield driver
    except asyncpg.InternalClientError:
        # The server ended it at a moment at which the driver does not understand that: it would fail for ever.
        driver.terminate()
        raise
    finally:
        if driver.is_closed():
            # The pool learns of a lost connection from its own errors only.
            pooled.invalidate()
        pooled.close()


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[Connection]:
    """A transaction of the hot path, on a connection of its own."""
    async with connected(engine) as connection, ended_in_order(connection):
        await connection.execute(BEGIN)
        yield connection


@asynccontextmanager
async def ended_in_order(connection: Connection) -> AsyncIterator[None]:
    """Commit at the end what is begun in the block; undo it if the block fails.

    Whoever begins it so can send more along with ``BEGIN``: each turn that is spared counts where a few records are a batch.
    """
    try:
        yield
    except BaseException:
        if not connection.is_closed() and connection.is_in_transaction():
            await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")


@cache
def _compiled(statement: TextClause) -> tuple[str, Sequence[str]]:
    compiled = statement.compile(dialect=PGDialect_asyncpg())  # type: ignore[no-untyped-call]
    return str(compiled), tuple(compiled.positiontup or ())


async def fetch(connection: Connection, statement: TextClause, parameters: Mapping[str, object]) -> list[asyncpg.Record]:
    """Run a statement of the hot path.

    Args:
        connection: in a transaction.
        statement: with the types of its parameters.
        parameters: by name.
    """
    query, names = _compiled(statement)
    return await connection.fetch(query, *[parameters[name] for name in names])


def joined(identifiers: Iterable[str]) -> str:
    """Identifiers as one parameter, which ``string_to_array(…, chr(10))`` takes apart.

    The driver looks at each element of an array as if it might be an array itself; a text costs next to nothing. No
    identifier and no URI holds a line feed.
    """
    return "\n".join(identifiers)


class NewRows(NamedTuple):
    """Rows to insert.

    Attributes:
        table: all of whose columns the rows hold, in their order.
        rows: what to insert.
    """

    table: Table
    rows: Sequence[Sequence[object]]


class Concluding(NamedTuple):
    """The statement that ends a batch: ``WITH`` a part that writes, a query that looks.

    Attributes:
        writing: a common table expression, with its name.
        looking: the query; it sees the rows as they were before.
        types: of its parameters.
    """

    writing: str
    looking: str
    types: tuple[tuple[str, TypeEngine[Any]], ...]


async def conclude(
    connection: Connection, news: Iterable[NewRows], concluding: Concluding, parameters: Mapping[str, object]
) -> list[asyncpg.Record]:
    """Insert rows and run a statement: a few rows together with it, in one round trip; many by COPY, at half the price for each row.

    Args:
        connection: in a transaction.
        news: what to insert.
        concluding: what to run with it.
        parameters: of the statement, by name.
    """
    few: list[NewRows] = []
    for new in news:
        if len(new.rows) > _FEW_ROWS:
            await connection.copy_records_to_table(
                new.table.name, schema_name=new.table.schema, columns=_names(new.table), records=new.rows
            )
        elif new.rows:
            few.append(new)
    values = dict(parameters)
    for table, rows in few:
        values[_rows_of(table)] = _as_json(_names(table), rows)
    return await fetch(connection, _together(tuple(table for table, _ in few), concluding), values)


@cache
def _together(tables: tuple[Table, ...], concluding: Concluding) -> TextClause:
    parts = [f"new_{table.name} AS ({_insert(table)})" for table in tables]
    statement = text(f"WITH {', '.join([*parts, concluding.writing])} {concluding.looking}")
    rows = [bindparam(_rows_of(table), type_=JSON) for table in tables]
    return statement.bindparams(*rows, *(bindparam(name, type_=type_) for name, type_ in concluding.types))


def _insert(table: Table) -> str:
    preparer = PGDialect_asyncpg().identifier_preparer  # type: ignore[no-untyped-call]
    name = preparer.format_table(table)
    columns = ", ".join(preparer.format_column(column) for column in table.columns)
    rows = f"json_populate_recordset(NULL::{name}, :{_rows_of(table)})"
    return f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {rows}"  # noqa: S608 - names only


def _rows_of(table: Table) -> str:
    return f"{table.name}_rows"


@cache
def _names(table: Table) -> tuple[str, ...]:
    # Plain strings: the driver and JSON take no others.
    return tuple(str(column.name) for column in table.columns)


def _as_json(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as one parameter: an array for each column would cost the driver a look at every value, and three times as long."""
    return orjson.dumps([dict(zip(names, row, strict=True)) for row in rows], default=_bytes_as_text).decode()


def _bytes_as_text(value: object) -> str:
    """What JSON has no form for, as PostgreSQL reads it.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError


async def check_answers(engine: AsyncEngine) -> None:
    """Return when the database answers.

    Raises:
        SQLAlchemyError, asyncpg.PostgresError, OSError: it does not.
    """
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


async def check_fitness(engine: AsyncEngine) -> None:
    """Check what the mesh's guarantees rest on.

    Raises:
        DatabaseUnfitError: a setting is other than it must be; the message says which, and how to change it.
    """
    async with engine.connect() as connection:
        row = (
            await connection.execute(
                text(
                    "SELECT current_setting('synchronous_commit'), current_setting('fsync'),"
                    " current_setting('max_locks_per_transaction')::integer",
                ),
            )
        ).one()
    synchronous_commit, fsync, locks = row
    if synchronous_commit not in {"on", "remote_apply", "remote_write"} or fsync != "on":
        message = (
            f"PostgreSQL runs with synchronous_commit={synchronous_commit} and fsync={fsync}: a commit could be lost after its "
            "events were published. Set both to on."
        )
        raise DatabaseUnfitError(message)
    if locks < MINIMUM_LOCKS_PER_TRANSACTION:
        message = (
            f"PostgreSQL runs with max_locks_per_transaction={locks}: a batch could find the lock table full. "
            f"Set it to {MINIMUM_LOCKS_PER_TRANSACTION} or more and restart PostgreSQL."
        )
        raise DatabaseUnfitError(message)


def sqlstate_of(error: BaseException) -> str | None:
    """PostgreSQL's five-character code of an error, if it is one of the database's."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(origin, "sqlstate", None)
    return state if isinstance(state, str) else None
