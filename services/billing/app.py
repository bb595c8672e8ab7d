"""Which topics reach which rules: the map of billing. All of it are Faust stream processors.

billing.commands.v1 ┐
calls.events.v1     ┴→ domain.decide → billing.events.v1, calls.commands.v1   (the consumer)
billing.events.v1    → notices.notices_of → notify.commands.v1                (the processor)
what falls due       → sweeps → billing.commands.v1                           (the processor)
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final, cast

from services.billing.domain.rules import Rules
from services.billing.domain.session import SessionNews
from services.billing.store import load, record, tables
from services.billing.working_set import Accounts
from shared.codec.decode import Malformed, Received
from shared.messages.billing import (
    BILLING_COMMANDS,
    BillingCommand,
    DeductSessionUnit,
    GrantSubscription,
    ReverseSessionUnit,
    SessionUnitEventType,
    SessionUnitReason,
)
from shared.messages.calls import (
    CallCancelled,
    CallConnected,
    CallDeclined,
    CallEnded,
    CallFailed,
    CallReconnected,
    CallReconnecting,
    CallStarted,
    TextSessionActivated,
    TextSessionEnded,
    TextSessionExpired,
    TextSessionStarted,
)
from shared.messages.events import Event
from shared.messages.fields import EventData, Modality, by_type
from shared.path.service import Locks, Parties, Service
from shared.settings import Settings

BillingContent = BillingCommand | SessionNews | Malformed

#: What calls tell that matters here. That somebody wrote does not: an active session is charged whoever writes.
HEARD: Final[dict[str, type[EventData]]] = by_type(
    CallStarted,
    CallConnected,
    CallReconnecting,
    CallReconnected,
    CallDeclined,
    CallCancelled,
    CallFailed,
    CallEnded,
    TextSessionStarted,
    TextSessionActivated,
    TextSessionExpired,
    TextSessionEnded,
)


def rules_of(settings: Settings) -> Rules:
    """The settings that billing decides by."""
    return Rules(
        billing_period=timedelta(seconds=settings.billing_period_seconds),
        call_minimum_billed=timedelta(seconds=settings.call_minimum_billed_seconds),
        balance_low_units=settings.balance_low_units,
        rates={currency: {Modality(modality): amount for modality, amount in rates.items()} for currency, rates in settings.rates.items()},
    )


def billing(settings: Settings) -> Service[Accounts]:
    """Billing, as the path sees it."""
    rules = rules_of(settings)
    return Service(
        name="billing",
        commands=BILLING_COMMANDS,
        hears={"calls": HEARD},
        decisions=tables.decisions,
        named_entity=named_deduction,
        locks=locks_of,
        parties=load.parties,
        load=partial(load.load, rules=rules),
        record=partial(record.record, rules=rules),
        log_line=log_line,
        may_be_unheard=may_be_unheard,
    )


def named_deduction(received: Received) -> str | None:
    """The deduction that must exist for a command to succeed: it says whose account the command is about."""
    content = received.content
    return content.deduction_id if isinstance(content, ReverseSessionUnit) else None


def locks_of(received: Received, parties: Mapping[str, Parties]) -> Locks:
    """What a message must hold: the patient's account, with all that is charged to it; and a new subscription's id."""
    content = cast("BillingContent", received.content)
    if isinstance(content, Malformed):
        return Locks(ordered=())
    if isinstance(content, ReverseSessionUnit):
        party = parties.get(content.deduction_id)
        return Locks(ordered=(), shared=(f"patient:{party.patient_id}",) if party is not None else ())
    new = content.subscription_id if isinstance(content, GrantSubscription) else None
    return Locks(ordered=() if new is None else (f"subscription:{new}",), shared=(f"patient:{content.patient_id}",))


def may_be_unheard(received: Received, state: Accounts) -> bool:
    """Whether a command names a session that calls may have told of already."""
    content = received.content
    return isinstance(content, DeductSessionUnit) and not state.has_heard_of(content.session_id)


def log_line(event: Event) -> str | None:
    """The words that people look for."""
    if event.type == SessionUnitEventType.DEDUCTED:
        return "Auto-deduction done"
    if event.body.get("reason") == SessionUnitReason.INSUFFICIENT_BALANCE:
        return "Auto-deduction refused: insufficient sessions"
    return None
