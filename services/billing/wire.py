"""How subscriptions, units and balances look in events, and what calls are asked for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, assert_never

from services.billing.domain.account import Balance
from services.billing.domain.decision import (
    Deducted,
    Exhausted,
    Happening,
    Lapsed,
    Refused,
    Reversed,
    RunsLow,
    Settled,
    SubscriptionChanged,
)
from services.billing.domain.ledger import Entry, total
from services.billing.domain.session import Session
from shared.codec.decode import Received
from shared.codec.encode import derived_id
from shared.messages.billing import (
    NO_CURRENCY,
    BalanceEventType,
    BillingCommand,
    GrantSubscription,
    Money,
    SessionBillingEventType,
    SessionUnitEventType,
    SessionUnitStatus,
    balance_id_of,
)
from shared.messages.calls import EndCall, EndReason, EndTextSession
from shared.messages.events import Event, Request
from shared.messages.fields import Actor, Modality, Role
from shared.path.refusals import rejected
from shared.state_topic import State

#: Who ends a session that no unit is left for.
_BILLING: Final = Actor(role=Role.SYSTEM, id="billing")
_NOTHING: Final = Money(amount_minor=0, currency=NO_CURRENCY)


def entity_id_of(received: Received, command: BillingCommand) -> str:
    """What a command is about: what it names, or a subscription whose id is derived from its source and id."""
    if isinstance(command, GrantSubscription):
        return command.subscription_id or derived_id("sub_", received.source, received.id)
    assert command.entity_id is not None
    return command.entity_id


def messages_of(event: Happening) -> Sequence[Event | Request]:
    """The messages of something that happened."""
    match event:
        case Deducted(_, entry) | Reversed(_, entry):
            return (_session_unit(entry),)
        case SubscriptionChanged():
            return _subscription(event)
        case Lapsed(entry):
            return (_balance_changed(entry),)
        case RunsLow():
            return (_low(event),)
        case Exhausted():
            return _exhausted(event)
        case Settled():
            return (_settled(event),)
        case _:
            assert_never(event)


def refused(event: Refused, command: BillingCommand, received: Received, entity_id: str) -> Event:
    """The outcome of a refused command."""
    return rejected("billing", command, event.refusal, entity_id=entity_id, time=received.log_time, version=event.version)


def _session_unit(entry: Entry) -> Event:
    deduction = entry.deduction
    assert deduction is not None
    is_reversed = deduction.is_reversed
    return Event(
        type=SessionUnitEventType.REVERSED if is_reversed else SessionUnitEventType.DEDUCTED,
        key=deduction.doctor_id,
        subject=deduction.deduction_id,
        time=entry.at,
        version=deduction.version,
        body={
            "deduction_id": deduction.deduction_id,
            "session_id": deduction.session_id,
            "unit": deduction.unit,
            "doctor_id": deduction.doctor_id,
            "patient_id": deduction.patient_id,
            "modality": deduction.modality,
            "subscription_id": deduction.subscription_id,
            "status": SessionUnitStatus.REVERSED if is_reversed else SessionUnitStatus.DEDUCTED,
            "due_at": deduction.due_at,
            "earning": {"amount_minor": deduction.amount_minor, "currency": deduction.currency},
            "reason_code": entry.reason_code,
            "balance": _balance(entry),
        },
    )


def _subscription(event: SubscriptionChanged) -> Sequence[Event]:
    """The event of a subscription with the first balance that it changed, and an event for each further one."""
    subscription = event.subscription
    first, further = event.entries[:1], event.entries[1:]
    changed = Event(
        type=event.type,
        key=subscription.patient_id,
        subject=subscription.subscription_id,
        time=event.at,
        version=subscription.version,
        body={
            "subscription_id": subscription.subscription_id,
            "patient_id": subscription.patient_id,
            "units": subscription.granted._asdict(),
            "units_remaining": subscription.remaining._asdict(),
            "currency": subscription.currency,
            "starts_at": subscription.starts_at,
            "ends_at": subscription.ends_at,
            "status": subscription.status,
            "created_at": subscription.created_at,
            "cancelled_by": subscription.cancelled_by,
            "cancellation_reason": subscription.cancellation_reason,
            "balance": _balance(first[0]) if first else None,
        },
    )
    return (changed, *(_balance_changed(entry) for entry in further))


def _balance_changed(entry: Entry) -> Event:
    body = {
        "patient_id": entry.patient_id,
        "modality": entry.modality,
        "subscription_id": entry.subscription_id,
        "balance": _balance(entry),
    }
    # A balance's version is its sequence.
    subject = balance_id_of(entry.patient_id, entry.modality)
    return Event(BalanceEventType.CHANGED, entry.patient_id, subject, entry.at, entry.sequence, body)


def standing_balance(balance: Balance, changed_at: datetime) -> State:
    """The balance as it stands, for the state topic."""
    return State(
        entity_id=balance_id_of(balance.patient_id, balance.modality),
        partition_key=balance.patient_id,
        version=balance.sequence,
        time=changed_at,
        body={"patient_id": balance.patient_id, "modality": balance.modality, "remaining": balance.remaining},
    )


def _balance(entry: Entry) -> dict[str, object]:
    return {
        "patient_id": entry.patient_id,
        "modality": entry.modality,
        "sequence": entry.sequence,
        "before": entry.before,
        "after": entry.after,
    }


def _low(event: RunsLow) -> Event:
    session = event.session
    body = _of_session(session) | {"remaining": event.remaining, "threshold": event.threshold}
    return Event(BalanceEventType.LOW, session.doctor_id, _balance_id(session), event.at, event.sequence, body)


def _exhausted(event: Exhausted) -> Sequence[Event | Request]:
    session = event.session
    body = _of_session(session)
    told = Event(BalanceEventType.EXHAUSTED, session.doctor_id, _balance_id(session), event.at, event.sequence, body)
    return (told,) if session.over_at is not None else (told, Request(_end(session)))


def _end(session: Session) -> EndCall | EndTextSession:
    reason, doctor_id = EndReason.INSUFFICIENT_BALANCE, session.doctor_id
    if session.modality is Modality.TEXT:
        return EndTextSession(session_id=session.session_id, doctor_id=doctor_id, actor=_BILLING, reason_code=reason)
    return EndCall(call_id=session.session_id, doctor_id=doctor_id, actor=_BILLING, reason_code=reason)


def _settled(event: Settled) -> Event:
    session = event.session
    assert session.over_at is not None
    earning, *further = total(iter(event.standing)) or [_NOTHING]
    body = _of_session(session) | {
        "units_deducted": len(event.standing),
        "units_refused": event.units_refused,
        "earning": earning.model_dump(),
        "further_earnings": [money.model_dump() for money in further],
    }
    return Event(SessionBillingEventType.SETTLED, session.doctor_id, session.session_id, session.over_at, 1, body)


def _balance_id(session: Session) -> str:
    return balance_id_of(session.patient_id, session.modality)


def _of_session(session: Session) -> dict[str, object]:
    return {
        "session_id": session.session_id,
        "doctor_id": session.doctor_id,
        "patient_id": session.patient_id,
        "modality": session.modality,
    }
