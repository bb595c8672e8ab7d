"""Billing's schema, and what the database itself refuses, whatever the code does."""

import asyncio
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.billing.store import tables
from shared.messages.calls import CallEventType
from shared.migrations import migrate
from shared.settings import Settings
from tests.conftest import REPOSITORY
from tests.examples import NOW
from tests.examples_of_billing import PERIOD, call_news, example_activation, example_deduct, example_reversal
from tests.integration.billing.books import Books, Log
from tests.integration.worker import Worker

MIGRATIONS = REPOSITORY / "services" / "billing" / "migrations"


async def test_the_head_of_the_migrations_is_what_the_code_describes(rescuer: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[Any]:
        def ours(name: str | None, kind: str, _: Any) -> bool:
            return name == "billing" if kind == "schema" else name != "alembic_version"

        options = {"include_schemas": True, "include_name": ours, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata))

    async with rescuer.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_indexes_and_checks_are_what_the_code_describes_to_the_word(rescuer: AsyncEngine) -> None:
    definitions = text(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'billing' AND indexname NOT LIKE 'alembic_version%'"
        " UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'billing'::regnamespace AND conname NOT LIKE 'alembic_version%' ORDER BY 1, 2"
    )
    async with rescuer.begin() as connection:
        migrated = (await connection.execute(definitions)).all()
        await connection.execute(text("DROP SCHEMA billing CASCADE"))
        await connection.execute(text("CREATE SCHEMA billing"))
        await connection.run_sync(tables.metadata.create_all)
        described = (await connection.execute(definitions)).all()
    assert [tuple(row) for row in migrated] == [tuple(row) for row in described]
    assert any("UNIQUE INDEX ledger_takes_a_unit_once" in definition for _, definition in migrated)


async def test_migrations_of_an_empty_database_by_several_at_once(database_settings: Settings, connection: Any) -> None:
    await connection.execute("DROP SCHEMA billing CASCADE")
    await asyncio.gather(*(migrate(database_settings, "billing", MIGRATIONS) for _ in range(4)))
    assert await connection.fetchval("SELECT count(*) FROM billing.alembic_version") == 1
    assert await connection.fetchval("SELECT count(*) FROM billing.ledger") == 0


@pytest.fixture
async def charged(worker: Worker, log: Log) -> None:
    """A patient has nine voice units left of ten, and one was taken and given back."""
    await worker.handle(
        log.append(example_activation(units={"voice": 10})),
        log.tell(call_news(CallEventType.CONNECTED, 2, connected_at=NOW)),
        log.append(example_deduct(unit=2), at=NOW + 2 * PERIOD),
        log.append(example_reversal(), at=NOW + 2 * PERIOD),
    )


@pytest.mark.usefixtures("charged")
@pytest.mark.parametrize(
    "statement",
    ["UPDATE ledger SET after = 7", "DELETE FROM ledger", "TRUNCATE ledger"],
)
async def test_billing_itself_cannot_change_what_was_entered(engine: AsyncEngine, statement: str) -> None:
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(text(statement))


#: A further entry, all of whose columns are as they should be.
ENTRY = {
    "patient_id": "'patient-1'",
    "modality": "'voice'",
    "sequence": "5",
    "kind": "'deducted'",
    "at": "now()",
    "before": "9",
    "after": "8",
    "subscription_id": "'sub-1'",
    "deduction_id": "'session-1:3'",
    "session_id": "'session-1'",
    "unit": "3",
    "doctor_id": "'doctor-1'",
    "due_at": "now()",
    "amount_minor": "400000",
    "currency": "'MWK'",
    "cause_source": "'/x'",
    "cause_id": "'x'",
    "cause_type": "'x'",
}


async def enter(connection: Any, **changes: str) -> None:
    row = ENTRY | changes
    await connection.execute(f"INSERT INTO ledger ({', '.join(row)}) VALUES ({', '.join(row.values())})")


@pytest.mark.usefixtures("charged")
async def test_a_sound_entry_is_entered(connection: Any) -> None:
    await enter(connection)


@pytest.mark.usefixtures("charged")
@pytest.mark.parametrize(
    "changes, wall",
    [
        ({"unit": "1", "deduction_id": "'other'"}, "ledger_takes_a_unit_once"),
        ({"unit": "1", "deduction_id": "'other'", "kind": "'reversed'", "after": "10"}, "ledger_takes_a_unit_once"),
        ({"deduction_id": "'session-1:1'"}, "ledger_deductions"),
        ({"sequence": "4"}, "ledger_pkey"),
        ({"sequence": "0"}, "ledger_counts_from_1"),
        ({"before": "0", "after": "-1"}, "ledger_balances_are_never_negative"),
        ({"after": "7"}, "ledger_kinds_say_which_way_units_go"),
        ({"after": "10"}, "ledger_kinds_say_which_way_units_go"),
        ({"kind": "'reversed'"}, "ledger_kinds_say_which_way_units_go"),
        ({"kind": "'given'"}, "ledger_kinds_say_which_way_units_go"),
        ({"amount_minor": "NULL"}, "ledger_units_and_money_go_together"),
        ({"doctor_id": "NULL"}, "ledger_units_and_money_go_together"),
        ({"amount_minor": "-1"}, "ledger_amounts_are_not_negative"),
    ],
)
async def test_the_database_itself_refuses_an_entry_that_cannot_be(changes: dict[str, str], wall: str, connection: Any) -> None:
    with pytest.raises((asyncpg.UniqueViolationError, asyncpg.CheckViolationError), match=wall):
        await enter(connection, **changes)


@pytest.mark.usefixtures("charged")
@pytest.mark.parametrize(
    "statement, wall",
    [
        ("UPDATE balances SET remaining = -1", "balances_are_never_negative"),
        ("UPDATE subscriptions SET remaining_voice = -1", "subscriptions_are_never_overdrawn"),
        ("UPDATE subscriptions SET remaining_text = remaining_text - 1", "subscriptions_are_never_overdrawn"),
        ("UPDATE subscriptions SET ends_at = starts_at", "subscriptions_take_time"),
        ("UPDATE subscriptions SET status = 'paused'", "subscriptions_have_a_known_status"),
    ],
)
async def test_the_database_itself_lets_nothing_go_below_zero(statement: str, wall: str, connection: Any) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match=wall):
        await connection.execute(statement)


@pytest.mark.usefixtures("charged")
async def test_the_books_balance(books: Books) -> None:
    assert await books.remaining() == {"voice": 9}
    assert await books.earned() == {"MWK": 400_000}
