"""The schema, the role that works in it, and what must be true of a database before anything is decided on it."""

import asyncio
from collections.abc import Iterable
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.booking.store.tables import metadata
from shared import database
from shared.database import DatabaseUnfitError, check_fitness, create_engine, sqlstate_of, transaction
from shared.migrations import migrate
from shared.settings import Settings
from tests.conftest import REPOSITORY
from tests.examples import example_booking
from tests.integration.worker import Log, Worker

_INSUFFICIENT_PRIVILEGE = "42501"
BOOKING_MIGRATIONS = REPOSITORY / "services" / "booking" / "migrations"


async def test_the_head_of_the_migrations_is_what_the_code_describes(rescuer: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[Any]:
        def ours(name: str | None, kind: str, _: Any) -> bool:
            return name == "booking" if kind == "schema" else name != "alembic_version"

        options = {"include_schemas": True, "include_name": ours, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with rescuer.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_indexes_and_checks_are_what_the_code_describes_to_the_word(rescuer: AsyncEngine) -> None:
    # compare_metadata looks at neither the conditions of indexes nor at checks.
    definitions = text(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'booking' AND indexname NOT LIKE 'alembic_version%'"
        " UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'booking'::regnamespace AND conname NOT LIKE 'alembic_version%' ORDER BY 1, 2"
    )
    async with rescuer.begin() as connection:
        migrated = (await connection.execute(definitions)).all()
        await connection.execute(text("DROP SCHEMA booking CASCADE"))
        await connection.execute(text("CREATE SCHEMA booking"))
        await connection.run_sync(metadata.create_all)
        described = (await connection.execute(definitions)).all()
    assert [tuple(row) for row in migrated] == [tuple(row) for row in described]
    assert any("UNIQUE INDEX appointments_hold_a_slot_once" in definition for _, definition in migrated)


async def test_migrations_run_again_change_nothing(database_settings: Settings, worker: Worker, connection: Any) -> None:
    await worker.handle(Log().append(example_booking()))
    await migrate(database_settings, "booking", BOOKING_MIGRATIONS)
    await migrate(database_settings, "booking", BOOKING_MIGRATIONS)
    assert await connection.fetchval("SELECT count(*) FROM appointments") == 1


async def test_migrations_of_an_empty_database_by_several_at_once(database_settings: Settings, connection: Any) -> None:
    await connection.execute("DROP SCHEMA booking CASCADE")
    await asyncio.gather(*(migrate(database_settings, "booking", BOOKING_MIGRATIONS) for _ in range(4)))
    assert await connection.fetchval("SELECT count(*) FROM booking.alembic_version") == 1
    assert await connection.fetchval("SELECT count(*) FROM booking.appointments") == 0


async def refused(engine: AsyncEngine, statements: Iterable[str]) -> list[str | None]:
    states = []
    for statement in statements:
        async with engine.connect() as connection:
            try:
                await connection.execute(text(statement))
            except DBAPIError as error:
                states.append(sqlstate_of(error))
            else:
                states.append(None)
    return states


async def test_bookings_role_reaches_its_own_tables_and_nothing_else(engine: AsyncEngine, connection: Any) -> None:
    await connection.execute("CREATE SCHEMA anothers")
    await connection.execute("CREATE TABLE anothers.secrets (id text)")
    await connection.execute("CREATE TABLE public.secrets (id text)")
    forbidden = [
        "SELECT * FROM anothers.secrets",
        "INSERT INTO anothers.secrets VALUES ('x')",
        "SELECT * FROM public.secrets",
        "CREATE TABLE booking.more (id text)",
        "CREATE TABLE public.more (id text)",
        "DROP TABLE booking.appointments",
        "TRUNCATE booking.appointments",
        "CREATE SCHEMA more",
        "SELECT * FROM pg_authid",
    ]
    assert await refused(engine, forbidden) == [_INSUFFICIENT_PRIVILEGE] * len(forbidden)
    allowed = ["SELECT * FROM appointments", "SELECT * FROM decisions", "SELECT * FROM positions", "DELETE FROM decisions"]
    assert await refused(engine, allowed) == [None] * len(allowed)


async def test_a_session_is_set_up_as_the_guarantees_need_it(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        settings = {
            name: (await connection.execute(text(f"SHOW {name}"))).scalar_one()
            for name in (
                "role",
                "search_path",
                "transaction_isolation",
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "timezone",
            )
        }
    assert settings == {
        "role": "caremesh_booking",
        "search_path": "booking",
        "transaction_isolation": "read committed",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "15s",
        "timezone": "UTC",
    }


async def test_a_sound_database_is_fit(engine: AsyncEngine) -> None:
    await check_fitness(engine)


@pytest.mark.parametrize("value", ["off", "local"])
async def test_a_database_that_may_forget_a_commit_is_unfit(value: str, database_settings: Settings, connection: Any) -> None:
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = {value}")
    engine = create_engine(database_settings, "booking")
    with pytest.raises(DatabaseUnfitError, match=f"synchronous_commit={value}"):
        await check_fitness(engine)
    await engine.dispose()


async def test_a_database_with_a_small_lock_table_is_unfit(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine.connect() as connection:
        here = int((await connection.execute(text("SHOW max_locks_per_transaction"))).scalar_one())
    monkeypatch.setattr(database, "MINIMUM_LOCKS_PER_TRANSACTION", here + 1)
    with pytest.raises(DatabaseUnfitError, match=f"max_locks_per_transaction={here}.*Set it to {here + 1} or more"):
        await check_fitness(engine)
    monkeypatch.setattr(database, "MINIMUM_LOCKS_PER_TRANSACTION", here)
    await check_fitness(engine)


INSERT = """
INSERT INTO booking.appointments (appointment_id, doctor_id, patient_id, starts_at, ends_at, modality, user_timezone, status,
    created_at, updated_at, changed_by_type, changed_by_id, version, proposed_starts_at, status_before_proposal)
VALUES ($1, 'doctor-1', 'patient-1', '2030-01-08T14:00Z', '2030-01-08T14:30Z', 'video', 'UTC', $2, now(), now(), 'x', 'x', $3,
    CASE $2 WHEN 'reschedule_proposed' THEN '2030-01-09T14:00Z'::timestamptz END, CASE $2 WHEN 'reschedule_proposed' THEN 'pending' END)
"""
MOVE = "UPDATE booking.appointments SET starts_at = '2030-01-08T16:00Z', ends_at = '2030-01-08T16:30Z' WHERE appointment_id = $1"


@pytest.mark.parametrize("first", ["pending", "confirmed", "reschedule_proposed"])
@pytest.mark.parametrize("second", ["pending", "confirmed", "reschedule_proposed", "cancelled", "completed", "no_show"])
async def test_the_database_itself_sells_a_slot_once(first: str, second: str, connection: Any) -> None:
    await connection.execute(INSERT, "first", first, 1)
    if second in {"cancelled", "completed", "no_show"}:
        await connection.execute(INSERT, "second", second, 1)
    else:
        with pytest.raises(asyncpg.UniqueViolationError, match="appointments_hold_a_slot_once"):
            await connection.execute(INSERT, "second", second, 1)


async def test_the_database_itself_lets_a_doctor_propose_a_slot_once(connection: Any) -> None:
    await connection.execute(INSERT, "first", "reschedule_proposed", 1)
    await connection.execute(MOVE, "first")
    with pytest.raises(asyncpg.UniqueViolationError, match="appointments_propose_a_slot_once"):
        await connection.execute(INSERT, "second", "reschedule_proposed", 1)


@pytest.mark.parametrize(
    "change",
    [
        "proposed_starts_at = NULL",
        "status_before_proposal = NULL",
        "status = 'confirmed'",
        "status = 'confirmed', proposed_starts_at = NULL",
        "status = 'cancelled', status_before_proposal = NULL",
    ],
)
async def test_the_database_itself_knows_that_proposals_alone_have_a_proposed_time(change: str, connection: Any) -> None:
    await connection.execute(INSERT, "first", "reschedule_proposed", 1)
    with pytest.raises(asyncpg.CheckViolationError, match="appointments_propose_a_time_or_not"):
        await connection.execute(f"UPDATE booking.appointments SET {change}")


@pytest.mark.parametrize(
    "status, ends_at", [("blocked", "2030-01-08T14:00Z"), ("blocked", "2030-01-08T13:00Z"), ("free", "2030-01-08T15:00Z")]
)
async def test_the_database_itself_refuses_time_off_that_cannot_be(status: str, ends_at: str, connection: Any) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(
            f"""INSERT INTO booking.time_off VALUES
            ('off', 'doctor-1', '2030-01-08T14:00Z', '{ends_at}', '{status}', now(), now(), 'x', 'x', 1)"""
        )


@pytest.mark.parametrize("status, version", [("booked", 1), ("", 1), ("pending", 0), ("pending", -1)])
async def test_the_database_itself_refuses_what_cannot_be(status: str, version: int, connection: Any) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(INSERT, "first", status, version)


async def test_a_batch_reads_what_the_last_holder_wrote_whatever_the_servers_default_isolation_is(
    engine: AsyncEngine, connection: Any
) -> None:
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    async with transaction(engine) as ours:
        assert await ours.fetchval("SHOW default_transaction_isolation") == "repeatable read"
        assert await ours.fetchval("SHOW transaction_isolation") == "read committed"


async def test_a_services_role_logs_in_with_its_password_and_reaches_its_own_schema_alone(
    database_settings: Settings, connection: Any, rescuer: AsyncEngine
) -> None:
    password = SecretStr('it\'s "quoted" \\ and long')
    await migrate(database_settings.model_copy(update={"database_passwords": {"booking": password}}), "booking", BOOKING_MIGRATIONS)
    await connection.execute("CREATE SCHEMA neighbour CREATE TABLE secrets (secret text)")
    url = make_url(database_settings.database_url.get_secret_value()).set(username="caremesh_booking", password=password.get_secret_value())
    own = database_settings.model_copy(update={"database_url": SecretStr(url.render_as_string(hide_password=False))})
    engine = create_engine(own, "booking")
    try:
        await check_fitness(engine)
        async with engine.connect() as booking:
            assert (await booking.execute(text("SELECT count(*) FROM appointments"))).scalar() == 0
            with pytest.raises(DBAPIError) as refusal:
                await booking.execute(text("SELECT * FROM neighbour.secrets"))
            assert sqlstate_of(refusal.value) == _INSUFFICIENT_PRIVILEGE
    finally:
        await engine.dispose()
        # Roles are the whole server's.
        async with rescuer.begin() as owner:
            await owner.execute(text("ALTER ROLE caremesh_booking NOLOGIN PASSWORD NULL"))


async def test_a_connection_that_the_driver_is_confused_about_is_not_used_again(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        before = connection.get_server_pid()

    async def confused() -> None:
        async with transaction(engine) as connection:
            assert connection.get_server_pid() == before
            raise asyncpg.InternalClientError

    with pytest.raises(asyncpg.InternalClientError):
        await confused()
    async with transaction(engine) as connection:
        assert connection.get_server_pid() != before
        assert await connection.fetchval("SELECT 1") == 1
