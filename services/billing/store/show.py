"""What stands, and the entries that made it so: for the command line, and for the topic of balances."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

from asyncpg import Record
from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.billing.domain.account import Balance
from services.billing.domain.ledger import Cause, Deduction, Entry, EntryKind
from services.billing.domain.session import Session
from services.billing.domain.subscription import Subscription
from services.billing.store.rows import balance_of, session_of, subscription_of
from services.billing.store.tables import balances, ledger, sessions, subscriptions
from shared.database import Connection, fetch
from shared.messages.billing import Money
from shared.messages.fields import Modality

#: So many entries are shown at the most: the newest.
SHOWN: Final = 500


class ShownEntry(NamedTuple):
    """An entry, and where the message lies that led to it, as long as that is known: ``topic/partition/offset``."""

    entry: Entry
    place: str | None


def _of(column: str) -> str:
    # One part of the union for each index, whatever kind of id it is.
    return f"(SELECT * FROM ledger WHERE {column} ORDER BY at DESC, sequence DESC LIMIT {SHOWN})"


_ENTRIES: Final = text(
    f"""
    SELECT {", ".join(f"entry.{column.name}" for column in ledger.columns)},
           decided.topic || '/' || decided.partition || '/' || decided.offset AS place
    FROM (
        {_of("patient_id = :id")}
        UNION {_of("doctor_id = :id")}
        UNION {_of("session_id = :id")}
        UNION {_of("deduction_id = :id")}
        UNION {_of("patient_id = (SELECT patient_id FROM subscriptions WHERE subscription_id = :id) AND subscription_id = :id")}
    ) AS entry
    LEFT JOIN decisions AS decided ON decided.source = entry.cause_source AND decided.id = entry.cause_id
    ORDER BY entry.at DESC, entry.patient_id, entry.modality, entry.sequence DESC
    LIMIT {SHOWN}
    """,
).bindparams(bindparam("id", type_=Text))

_SUBSCRIPTION: Final = text(
    f"SELECT {', '.join(column.name for column in subscriptions.columns)} FROM subscriptions WHERE subscription_id = :id"
).bindparams(bindparam("id", type_=Text))

_SUBSCRIPTIONS_OF: Final = text(
    f"""
    SELECT {", ".join(column.name for column in subscriptions.columns)}
    FROM subscriptions WHERE patient_id = :id AND status = 'active' ORDER BY starts_at, created_at, subscription_id
    """
).bindparams(bindparam("id", type_=Text))

_BALANCES_OF: Final = text(
    f"SELECT {', '.join(column.name for column in balances.columns)} FROM balances WHERE patient_id = :id ORDER BY modality"
).bindparams(bindparam("id", type_=Text))

#: With when it last changed.
_STANDING: Final = text(
    """
    SELECT held.patient_id, held.modality, held.remaining, held.sequence, held.told_low, entry.at AS changed_at
    FROM unnest(:patients, :modalities) AS asked (patient_id, modality)
    JOIN balances AS held USING (patient_id, modality)
    JOIN ledger AS entry USING (patient_id, modality, sequence)
    """
).bindparams(bindparam("patients", type_=ARRAY(Text)), bindparam("modalities", type_=ARRAY(Text)))

_SESSION: Final = text(f"SELECT {', '.join(column.name for column in sessions.columns)} FROM sessions WHERE session_id = :id").bindparams(
    bindparam("id", type_=Text)
)

_EARNED: Final = text(
    """
    SELECT currency, sum(CASE kind WHEN 'deducted' THEN amount_minor ELSE -amount_minor END)::bigint AS amount_minor
    FROM ledger WHERE doctor_id = :id GROUP BY currency ORDER BY currency
    """
).bindparams(bindparam("id", type_=Text))


async def entries_of(connection: Connection, identifier: str) -> list[ShownEntry]:
    """The newest entries of a patient, doctor, subscription, session or deduction, the newest first."""
    return [ShownEntry(_entry(row), row["place"]) for row in await fetch(connection, _ENTRIES, {"id": identifier})]


async def subscription(connection: Connection, subscription_id: str) -> Subscription | None:
    """One subscription as it stands."""
    rows = await fetch(connection, _SUBSCRIPTION, {"id": subscription_id})
    return subscription_of(rows[0]) if rows else None


async def subscriptions_of(connection: Connection, patient_id: str) -> list[Subscription]:
    """A patient's active subscriptions, the oldest first."""
    return [subscription_of(row) for row in await fetch(connection, _SUBSCRIPTIONS_OF, {"id": patient_id})]


async def balances_of(connection: Connection, patient_id: str) -> list[Balance]:
    """A patient's balances."""
    return [balance_of(row) for row in await fetch(connection, _BALANCES_OF, {"id": patient_id})]


async def standing(connection: Connection, asked: Collection[tuple[str, Modality]]) -> list[tuple[Balance, datetime]]:
    """These balances of patients and modalities, and when each last changed."""
    patients, modalities = [patient_id for patient_id, _ in asked], [modality for _, modality in asked]
    rows = await fetch(connection, _STANDING, {"patients": patients, "modalities": modalities})
    return [(balance_of(row), row["changed_at"]) for row in rows]


async def session(connection: Connection, session_id: str) -> Session | None:
    """One session as billing knows it."""
    rows = await fetch(connection, _SESSION, {"id": session_id})
    return session_of(rows[0]) if rows else None


async def earned(connection: Connection, doctor_id: str) -> list[Money]:
    """What a doctor has earned in all, reversals taken off, by currency."""
    return [Money(**row) for row in await fetch(connection, _EARNED, {"id": doctor_id})]


def _entry(row: Record) -> Entry:
    deduction = None
    if row["deduction_id"] is not None:
        deduction = Deduction(
            deduction_id=row["deduction_id"],
            session_id=row["session_id"],
            unit=row["unit"],
            doctor_id=row["doctor_id"],
            patient_id=row["patient_id"],
            modality=Modality(row["modality"]),
            subscription_id=row["subscription_id"],
            due_at=row["due_at"],
            amount_minor=row["amount_minor"],
            currency=row["currency"],
            is_reversed=row["kind"] == EntryKind.REVERSED,
        )
    return Entry(
        kind=EntryKind(row["kind"]),
        at=row["at"],
        patient_id=row["patient_id"],
        modality=Modality(row["modality"]),
        sequence=row["sequence"],
        before=row["before"],
        after=row["after"],
        subscription_id=row["subscription_id"],
        deduction=deduction,
        reason_code=row["reason_code"],
        cause=Cause(row["cause_source"], row["cause_id"], row["cause_type"]),
    )
