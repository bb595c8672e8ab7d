"""What a batch records: one row state for each thing that changed, and the ledger's new entries."""

from collections.abc import Sequence
from functools import cache, partial

from sqlalchemy import Table, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.billing.domain.rules import Rules
from services.billing.store.rows import balance_row, entry_row, session_row, subscription_row
from services.billing.store.tables import balances, ledger, sessions, subscriptions
from services.billing.working_set import Accounts
from shared.database import Connection, NewRows, fetch


async def record(connection: Connection, state: Accounts, rules: Rules) -> Sequence[NewRows]:
    """Write what a batch changed, and say what is new."""
    row_of_session = partial(session_row, rules=rules)
    await _update(connection, subscriptions, [subscription_row(held) for held in state.subscriptions.changed])
    await _update(connection, balances, [balance_row(held) for held in state.balances.changed])
    await _update(connection, sessions, [row_of_session(session) for session in state.sessions.changed])
    return (
        NewRows(subscriptions, [subscription_row(held) for held in state.subscriptions.new]),
        NewRows(balances, [balance_row(held) for held in state.balances.new]),
        NewRows(sessions, [row_of_session(session) for session in state.sessions.new]),
        NewRows(ledger, [entry_row(entry) for entry in state.entries]),
    )


async def _update(connection: Connection, table: Table, rows: Sequence[Sequence[object]]) -> None:
    if rows:
        columns = zip(table.columns, zip(*rows, strict=True), strict=True)
        await fetch(connection, _update_of(table), {column.name: list(cells) for column, cells in columns})


@cache
def _update_of(table: Table) -> TextClause:
    """The update of rows by their primary key; the locks see to it that no two batches change the same row."""
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in keys]
    return text(
        f"""
        UPDATE {table.name} AS held SET {", ".join(f"{name} = changed.{name}" for name in others)}
        FROM unnest({", ".join(f":{column.name}" for column in table.columns)})
             AS changed ({", ".join(column.name for column in table.columns)})
        WHERE {" AND ".join(f"held.{name} = changed.{name}" for name in keys)}
        """,
    ).bindparams(*(bindparam(column.name, type_=ARRAY(column.type)) for column in table.columns))
