"""From rows to what the domain knows, and back."""

from typing import Any

from asyncpg import Record

from services.billing.domain.account import Balance
from services.billing.domain.ledger import Cause, Deduction, Entry
from services.billing.domain.rules import Rules
from services.billing.domain.session import Session
from services.billing.domain.subscription import Subscription, UnitCounts
from shared.messages.billing import SubscriptionStatus
from shared.messages.fields import Modality, Role


def subscription_of(row: Record) -> Subscription:
    """A subscription as its row says."""
    return Subscription(
        subscription_id=row["subscription_id"],
        patient_id=row["patient_id"],
        granted=UnitCounts(row["granted_text"], row["granted_voice"], row["granted_video"]),
        remaining=UnitCounts(row["remaining_text"], row["remaining_voice"], row["remaining_video"]),
        currency=row["currency"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        status=SubscriptionStatus(row["status"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        cancelled_by=Role(row["cancelled_by"]) if row["cancelled_by"] is not None else None,
        cancellation_reason=row["cancellation_reason"],
        changed_by=Cause(row["changed_by_source"], row["changed_by_id"], row["changed_by_type"]),
        version=row["version"],
    )


def subscription_row(subscription: Subscription) -> tuple[object, ...]:
    """A subscription's columns, in their order."""
    return (
        subscription.subscription_id,
        subscription.patient_id,
        *subscription.granted,
        *subscription.remaining,
        subscription.currency,
        subscription.starts_at,
        subscription.ends_at,
        subscription.status,
        subscription.created_at,
        subscription.updated_at,
        subscription.cancelled_by,
        subscription.cancellation_reason,
        *subscription.changed_by,
        subscription.version,
    )


def balance_of(row: Record) -> Balance:
    """A balance as its row says."""
    return Balance(
        patient_id=row["patient_id"],
        modality=Modality(row["modality"]),
        remaining=row["remaining"],
        sequence=row["sequence"],
        told_low=row["told_low"],
    )


def balance_row(balance: Balance) -> tuple[object, ...]:
    """A balance's columns, in their order."""
    return (balance.patient_id, balance.modality, balance.remaining, balance.sequence, balance.told_low)


def session_of(row: Record) -> Session:
    """A session as its row says."""
    values: dict[str, Any] = {**row, "modality": Modality(row["modality"])}
    del values["next_tick_at"]
    return Session(**values)


def session_row(session: Session, rules: Rules) -> tuple[object, ...]:
    """A session's columns, in their order."""
    return (
        session.session_id,
        session.doctor_id,
        session.patient_id,
        session.modality,
        session.heard_version,
        session.began_at,
        session.paused_at,
        session.over_at,
        session.ended_by_system,
        session.units_taken,
        session.is_exhausted,
        session.next_tick_at(rules),
    )


def deduction_of(row: Record) -> Deduction:
    """A deduction as its entry in the ledger says, and whether it was reversed."""
    return Deduction(**{**row, "modality": Modality(row["modality"])})


def entry_row(entry: Entry) -> tuple[object, ...]:
    """An entry's columns, in their order."""
    deduction = entry.deduction
    of_deduction = (
        (None,) * 7
        if deduction is None
        else (
            deduction.deduction_id,
            deduction.session_id,
            deduction.unit,
            deduction.doctor_id,
            deduction.due_at,
            deduction.amount_minor,
            deduction.currency,
        )
    )
    return (
        entry.patient_id,
        entry.modality,
        entry.sequence,
        entry.kind,
        entry.at,
        entry.before,
        entry.after,
        entry.subscription_id,
        *of_deduction,
        entry.reason_code,
        *entry.cause,
    )
