"""What billing shows at the command line: how things stand, and the entries of the ledger that made them so."""

import asyncio
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated, Final

import typer

from services.billing.domain.ledger import postings
from services.billing.store import show
from services.billing.store.show import ShownEntry
from services.billing.sweeps import sweeps
from shared.cli.exits import Exit
from shared.cli.reaching import database_settings, reaching_database, told
from shared.cli.show import print_shown
from shared.cli.terminal import complain, print_json
from shared.console import Application, ServiceConsole, Shown
from shared.database import Connection, create_engine, transaction
from shared.messages.fields import Modality
from shared.settings import Settings


async def show_subscription(connection: Connection, subscription_id: str) -> Shown | None:
    """A subscription as it stands, and each entry that gave or took a unit of it."""
    subscription = await show.subscription(connection, subscription_id)
    if subscription is None:
        return None
    fields = {
        "subscription_id": subscription.subscription_id,
        "patient_id": subscription.patient_id,
        "status": subscription.status,
        "units": subscription.granted._asdict(),
        "units_remaining": subscription.remaining._asdict(),
        "currency": subscription.currency,
        "starts_at": subscription.starts_at,
        "ends_at": subscription.ends_at,
        "created_at": subscription.created_at,
        "cancelled_by": subscription.cancelled_by,
        "cancellation_reason": subscription.cancellation_reason,
        "changed_by": subscription.changed_by._asdict(),
        "version": subscription.version,
    }
    return await _with_entries(connection, subscription_id, fields)


async def show_patient(connection: Connection, patient_id: str) -> Shown | None:
    """The units that a patient has, the subscriptions that they lie in, and the entries that made them so."""
    balances = await show.balances_of(connection, patient_id)
    if not balances:
        return None
    fields = {"patient_id": patient_id, "units": {balance.modality: balance.remaining for balance in balances}}
    rows = [
        {
            "subscription_id": subscription.subscription_id,
            "starts_at": subscription.starts_at,
            "ends_at": subscription.ends_at,
            "currency": subscription.currency,
            **{f"{modality}": f"{subscription.remaining.of(modality)} of {subscription.granted.of(modality)}" for modality in Modality},
        }
        for subscription in await show.subscriptions_of(connection, patient_id)
    ]
    return await _with_entries(connection, patient_id, fields, {"subscriptions": rows})


async def show_doctor(connection: Connection, doctor_id: str) -> Shown | None:
    """What a doctor has earned in all, and each entry of it."""
    earned = await show.earned(connection, doctor_id)
    if not earned:
        return None
    return await _with_entries(connection, doctor_id, {"earned_minor": {money.currency: money.amount_minor for money in earned}})


async def show_call(connection: Connection, call_id: str) -> Shown | None:
    """What a call has cost."""
    return await _session(connection, call_id, {Modality.VOICE, Modality.VIDEO})


async def show_session(connection: Connection, session_id: str) -> Shown | None:
    """What a text session has cost."""
    return await _session(connection, session_id, {Modality.TEXT})


async def _session(connection: Connection, session_id: str, modalities: AbstractSet[Modality]) -> Shown | None:
    session = await show.session(connection, session_id)
    if session is None or session.modality not in modalities:
        return None
    return await _with_entries(connection, session_id, {"units_taken": session.units_taken, "no_unit_left": session.is_exhausted})


async def _with_entries(
    connection: Connection,
    identifier: str,
    fields: Mapping[str, object],
    lists: Mapping[str, Sequence[Mapping[str, object]]] | None = None,
) -> Shown:
    entries = await show.entries_of(connection, identifier)
    note = f"Only the newest {show.SHOWN} entries are shown." if len(entries) == show.SHOWN else ""
    return Shown(fields=fields, lists={**(lists or {}), "ledger": [_row(entry) for entry in entries]}, note=note)


def _row(found: ShownEntry) -> Mapping[str, object]:
    entry, deduction = found.entry, found.entry.deduction
    return {
        "at": entry.at,
        "entry": entry.kind,
        "units": f"{entry.after - entry.before:+} {entry.modality}",
        "balance": f"{entry.before} → {entry.after}",
        "sequence": entry.sequence,
        "session": f"{deduction.session_id}, unit {deduction.unit}" if deduction is not None else None,
        "accounts": {posting.account: f"{posting.amount:+} {posting.commodity}" for posting in postings(entry)},
        "why": entry.reason_code,
        "because_of": f"{entry.cause.type} {entry.cause.id} of {entry.cause.source}",
        "which_lies_at": found.place,
    }


def ledger(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="A patient, a doctor, a subscription, a session or a deduction.", show_default=False)
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: the entries, the newest first.")] = False,
) -> None:
    """List the entries of the ledger that concern one id: what moved, from which account to which, and the message that led to it.

    Each entry is a whole transaction: what comes to one account leaves another, units and money alike.

    Exit code 0 when there are entries, 1 if not, 2 if the database is not to be reached.

    Examples:
        caremesh ledger patient-1
        caremesh ledger session-1:2 --json
    """
    with told(as_json=as_json):
        settings = database_settings()
        with reaching_database(settings):
            found = asyncio.run(_entries(settings, identifier))
    if not found.lists["ledger"]:
        sentence = f"Nothing was ever entered for {identifier}."
        if as_json:
            print_json({"ledger": [], "problem": sentence})
        else:
            complain(sentence)
        raise typer.Exit(Exit.NO)
    if as_json:
        print_json(found.lists)
    else:
        print_shown(found)


async def _entries(settings: Settings, identifier: str) -> Shown:
    engine = create_engine(settings, "billing", connections=1)
    try:
        async with transaction(engine) as connection:
            return await _with_entries(connection, identifier, {})
    finally:
        await engine.dispose()


_ledger: Final = typer.Typer(add_completion=False)
_ledger.command(name="ledger")(ledger)

CONSOLE: Final = ServiceConsole(
    service="billing",
    shows={
        "subscription": show_subscription,
        "patient": show_patient,
        "doctor": show_doctor,
        "session": show_session,
        "call": show_call,
    },
    sweeps=lambda _settings: sweeps(),
    applications={"ledger": Application(summary="List why each unit and each earning is what it is.", app=_ledger)},
)
