"""What a batch loads, read under its locks."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import Table, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.billing.domain.ledger import Deduction
from services.billing.domain.rules import Rules
from services.billing.domain.session import SessionNews, session_id_of
from services.billing.domain.subscription import Subscription
from services.billing.store.rows import balance_of, deduction_of, session_of, subscription_of
from services.billing.store.tables import balances, sessions, subscriptions
from services.billing.wire import entity_id_of
from services.billing.working_set import Accounts
from shared.codec.decode import Malformed, Received
from shared.database import Connection, fetch
from shared.messages.billing import (
    BillingCommand,
    CancelSubscription,
    DeductSessionUnit,
    ExpireSubscription,
    ReverseSessionUnit,
)
from shared.messages.calls import CallEvent, TextSessionEvent
from shared.messages.fields import Modality
from shared.path.errors import FatalError
from shared.path.service import Parties


def _ids(name: str = "ids") -> Any:
    return bindparam(name, type_=ARRAY(Text))


_PARTIES: Final = text(
    "SELECT deduction_id, doctor_id, patient_id FROM ledger WHERE deduction_id = ANY (:ids) AND kind = 'deducted'",
).bindparams(_ids())


async def parties(connection: Connection, deduction_ids: Collection[str]) -> Mapping[str, Parties]:
    """Doctor and patient of those of the deductions that exist."""
    rows = await fetch(connection, _PARTIES, {"ids": list(deduction_ids)})
    return {deduction_id: Parties(doctor_id, patient_id) for deduction_id, doctor_id, patient_id in rows}


def _columns(table: Table) -> str:
    return ", ".join(f"held.{column.name}" for column in table.columns)


# Each part of a union is tied to the one index that stays right whatever the tables hold.
_SESSIONS: Final = text(
    f"""
    SELECT {_columns(sessions)} FROM sessions AS held WHERE session_id = ANY (:ids)
    UNION SELECT {_columns(sessions)} FROM sessions AS held WHERE patient_id = ANY (:patients) AND over_at IS NULL
    """,
).bindparams(_ids(), _ids("patients"))

_SUBSCRIPTIONS: Final = text(
    f"""
    SELECT {_columns(subscriptions)} FROM subscriptions AS held WHERE patient_id = ANY (:patients) AND status = 'active'
    UNION SELECT {_columns(subscriptions)} FROM subscriptions AS held WHERE subscription_id = ANY (:ids)
    """,
).bindparams(_ids(), _ids("patients"))

_BALANCES: Final = text(f"SELECT {_columns(balances)} FROM balances AS held WHERE patient_id = ANY (:patients)").bindparams(
    _ids("patients")
)

_DEDUCTION_COLUMNS: Final = (
    "deduction_id",
    "session_id",
    "unit",
    "doctor_id",
    "patient_id",
    "modality",
    "subscription_id",
    "due_at",
    "amount_minor",
    "currency",
)
# Not by EXISTS: on an empty table PostgreSQL would plan to read all reversals that there are, for each batch.
_DEDUCTIONS: Final = text(
    f"""
    SELECT {", ".join(f"held.{name}" for name in _DEDUCTION_COLUMNS)}, (
        SELECT true FROM ledger AS back WHERE back.deduction_id = held.deduction_id AND back.kind = 'reversed'
    ) IS NOT NULL AS is_reversed
    FROM (
        SELECT * FROM ledger WHERE deduction_id = ANY (:ids) AND kind = 'deducted'
        UNION SELECT * FROM ledger WHERE session_id = ANY (:sessions) AND kind = 'deducted'
    ) AS held
    """,
).bindparams(_ids(), _ids("sessions"))


class _Named(NamedTuple):
    """What the messages of a batch name."""

    patients: set[str]
    #: Of subscriptions, and of deductions to reverse.
    entities: set[str]
    sessions: set[str]
    #: Sessions that are over, as some message says.
    over: set[str]
    #: Units that are asked for, by the deductions that they would make.
    asked: dict[str, DeductSessionUnit]
    #: Patients one of whose subscriptions is to end.
    closing: set[str]


async def load(connection: Connection, batch: Sequence[Received], rules: Rules) -> Accounts:
    """The accounts, sessions and deductions that a batch needs.

    Raises:
        FatalError: there are units that no rate is set for.
    """
    named = _named_in(batch)
    session_rows = await fetch(connection, _SESSIONS, {"ids": list(named.sessions), "patients": list(named.closing)})
    known_sessions = {row["session_id"]: session_of(row) for row in session_rows}
    taken = {
        deduction_id
        for deduction_id, command in named.asked.items()
        if (session := known_sessions.get(command.session_id)) is not None and command.unit <= session.units_taken
    }
    charged = [identifier for identifier in named.over if (over := known_sessions.get(identifier)) is not None and over.units_taken > 0]
    deductions = await _load_deductions(connection, [*named.entities, *taken], charged)
    patients = named.patients | {deduction.patient_id for deduction in deductions}
    subscription_rows, balance_rows = [], []
    if patients or named.entities:
        subscription_rows = await fetch(connection, _SUBSCRIPTIONS, {"ids": list(named.entities), "patients": list(patients)})
        balance_rows = await fetch(connection, _BALANCES, {"patients": list(patients)})
    held = [subscription_of(row) for row in subscription_rows]
    _check_rates(held, rules)
    return Accounts(
        rules,
        patients=patients,
        subscriptions=held,
        balances=[balance_of(row) for row in balance_rows],
        sessions=known_sessions.values(),
        deductions=deductions,
    )


def _named_in(batch: Sequence[Received]) -> _Named:
    named = _Named(set(), set(), set(), set(), {}, set())
    for received in batch:
        content = cast("BillingCommand | SessionNews | Malformed", received.content)
        if isinstance(content, Malformed):
            named.entities.add(content.entity_id or "")
        elif isinstance(content, CallEvent | TextSessionEvent):
            session_id = session_id_of(content)
            named.patients.add(content.patient_id)
            named.sessions.add(session_id)
            if content.ended_at is not None:
                named.over.add(session_id)
        elif isinstance(content, DeductSessionUnit):
            named.patients.add(content.patient_id)
            named.sessions.add(content.session_id)
            named.asked[content.deduction_id] = content
        elif isinstance(content, ReverseSessionUnit):
            named.entities.add(content.deduction_id)
        else:
            named.patients.add(content.patient_id)
            named.entities.add(entity_id_of(received, content))
            if isinstance(content, CancelSubscription | ExpireSubscription):
                named.closing.add(content.patient_id)
    return named


async def _load_deductions(connection: Connection, ids: Collection[str], of_sessions: Collection[str]) -> list[Deduction]:
    if not ids and not of_sessions:
        return []
    rows = await fetch(connection, _DEDUCTIONS, {"ids": list(ids), "sessions": list(of_sessions)})
    return [deduction_of(row) for row in rows]


def _check_rates(held: Iterable[Subscription], rules: Rules) -> None:
    """Stop before anything is decided about units that nobody knows the price of.

    Raises:
        FatalError: such a unit is left to be taken.
    """
    for subscription in held:
        for modality in Modality:
            if subscription.remaining.of(modality) > 0 and rules.rate(subscription.currency, modality) is None:
                message = (
                    f"Patients hold {modality} units in {subscription.currency}, and CAREMESH_RATES says nothing of what a doctor "
                    "earns for one. Nothing is decided before it does."
                )
                raise FatalError(message)
