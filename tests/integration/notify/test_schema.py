"""Notify's schema: what the migrations make is what the code describes, and what the database itself refuses."""

from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.notify.store.tables import metadata


async def test_the_head_of_the_migrations_is_what_the_code_describes(rescuer: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[Any]:
        def ours(name: str | None, kind: str, _: Any) -> bool:
            return name == "notify" if kind == "schema" else name != "alembic_version"

        options = {"include_schemas": True, "include_name": ours, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with rescuer.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_indexes_and_checks_are_what_the_code_describes_to_the_word(rescuer: AsyncEngine) -> None:
    definitions = text(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'notify' AND indexname NOT LIKE 'alembic_version%'"
        " UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'notify'::regnamespace AND conname NOT LIKE 'alembic_version%' ORDER BY 1, 2"
    )
    async with rescuer.begin() as connection:
        migrated = (await connection.execute(definitions)).all()
        await connection.execute(text("DROP SCHEMA notify CASCADE"))
        await connection.execute(text("CREATE SCHEMA notify"))
        await connection.run_sync(metadata.create_all)
        described = (await connection.execute(definitions)).all()
    assert [tuple(row) for row in migrated] == [tuple(row) for row in described]
    assert any("INDEX deliveries_due" in definition for _, definition in migrated)


async def test_notifys_role_reaches_its_own_tables_and_nothing_else(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM recipients"))).scalar() == 0
    async with engine.connect() as connection:
        with pytest.raises(Exception, match="permission denied"):
            await connection.execute(text("SELECT count(*) FROM booking.appointments"))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO deliveries (notification_id, channel, status, attempts) VALUES ('n', 'fax', 'waiting', 0)",
        "INSERT INTO deliveries (notification_id, channel, status, attempts) VALUES ('n', 'email', 'perhaps', 0)",
        "INSERT INTO deliveries (notification_id, channel, status, attempts) VALUES ('n', 'email', 'waiting', -1)",
        "INSERT INTO deliveries (notification_id, channel, status, attempts, due_at) VALUES ('n', 'email', 'sent', 1, now())",
        "INSERT INTO preferences VALUES ('r', true, true, true, true, true, '22:00', NULL, NULL, now(), 1)",
        "INSERT INTO preferences VALUES ('r', true, true, true, true, true, NULL, NULL, NULL, now(), 0)",
    ],
)
async def test_the_database_itself_refuses_what_cannot_be(connection: Any, statement: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(statement)


async def test_taking_what_is_due_looks_at_what_is_due_alone(connection: Any) -> None:
    await connection.execute(
        "INSERT INTO deliveries (notification_id, channel, status, attempts, due_at)"
        " SELECT 'n-' || n, 'email', 'waiting', 0, now() + interval '1 hour' FROM generate_series(1, 20000) n"
    )
    await connection.execute("ANALYZE deliveries")
    await connection.execute("SET enable_seqscan = off")
    plan = await connection.fetch(
        "EXPLAIN (ANALYZE, BUFFERS OFF, FORMAT TEXT) SELECT * FROM deliveries WHERE channel = 'email' AND due_at <= now()"
        " ORDER BY channel, due_at LIMIT 16 FOR UPDATE SKIP LOCKED"
    )
    lines = "\n".join(row[0] for row in plan)
    assert "deliveries_due" in lines
    assert "Rows Removed by Filter" not in lines
