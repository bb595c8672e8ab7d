"""Giving a patient units, and taking away what is left of them."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from services.billing.domain.account import Account
from services.billing.domain.charge import charge
from services.billing.domain.decision import BillingEvent, Decision, Known, Moment, SubscriptionChanged, refuse
from services.billing.domain.ledger import Entry, EntryKind
from services.billing.domain.rules import Rules
from services.billing.domain.subscription import Subscription, UnitCounts
from shared.messages.billing import (
    ActivateSubscription,
    CancelSubscription,
    ExpireSubscription,
    GrantSubscription,
    SubscriptionEventType,
    SubscriptionReason,
    SubscriptionStatus,
)
from shared.messages.fields import Actor, Modality, Role

#: Who may say that a patient has paid.
_MAY_GRANT: Final = frozenset({Role.ADMIN, Role.SYSTEM})


def grant(known: Known, subscription_id: str, command: GrantSubscription, moment: Moment, rules: Rules) -> Decision:
    """Give a patient units, once for each subscription id."""
    starts_at = command.starts_at or moment.now
    if command.ends_at <= starts_at:
        return refuse(known, SubscriptionReason.ENDS_BEFORE_IT_STARTS, "The subscription would end before it starts.")
    if command.ends_at <= moment.now:
        return refuse(known, SubscriptionReason.ENDS_IN_THE_PAST, "The subscription would have ended before now.")
    for modality in Modality:
        if getattr(command.units, modality) > 0 and rules.rate(command.currency, modality) is None:
            message = f"There is no rate for {modality} units in {command.currency}: add it to CAREMESH_RATES."
            return refuse(known, SubscriptionReason.NO_RATE, message)
    if command.actor.role not in _MAY_GRANT:
        return refuse(known, SubscriptionReason.NOT_A_PARTY, "Only an administrator or the system can grant units.")
    if known.subscription is not None:
        message = "A subscription with this id exists already."
        # Not of whom it is, and not how it stands: it may be another patient's.
        is_own = known.subscription.patient_id == command.patient_id
        return refuse(known, SubscriptionReason.SUBSCRIPTION_EXISTS, message, version=known.subscription.version if is_own else 0)
    return _granted(known.account, subscription_id, command, starts_at, moment)


def cancel(known: Known, command: CancelSubscription, moment: Moment, rules: Rules) -> Decision:
    """End a subscription now."""
    subscription = _found(known, command)
    if subscription is None:
        return _not_found(known)
    if not _may_cancel(command.actor, subscription):
        message = "Only the patient of this subscription, an administrator or the system can cancel it."
        return refuse(known, SubscriptionReason.NOT_A_PARTY, message, version=subscription.version)
    if subscription.status is not SubscriptionStatus.ACTIVE or moment.now >= subscription.ends_at:
        return _wrong_status(known, subscription)
    cancelled = replace(
        subscription,
        status=SubscriptionStatus.CANCELLED,
        cancelled_by=command.actor.role,
        cancellation_reason=command.reason_code,
    )
    return _close(known, cancelled, SubscriptionEventType.CANCELLED, moment.now, moment, rules)


def expire(known: Known, command: ExpireSubscription, moment: Moment, rules: Rules) -> Decision:
    """Note that a subscription's end has come. It gave nothing since, whenever somebody comes to note it."""
    subscription = _found(known, command)
    if subscription is None:
        return _not_found(known)
    if command.actor is not None and command.actor.role is not Role.SYSTEM:
        message = "Only the system notes that a subscription has ended."
        return refuse(known, SubscriptionReason.NOT_A_PARTY, message, version=subscription.version)
    if subscription.status is not SubscriptionStatus.ACTIVE:
        return _wrong_status(known, subscription)
    if moment.now < subscription.ends_at:
        message = "The subscription has not ended yet."
        return refuse(known, SubscriptionReason.NOT_DUE, message, version=subscription.version, ends_at=subscription.ends_at)
    expired = replace(subscription, status=SubscriptionStatus.EXPIRED)
    return _close(known, expired, SubscriptionEventType.EXPIRED, subscription.ends_at, moment, rules)


def _granted(account: Account, subscription_id: str, command: GrantSubscription, starts_at: datetime, moment: Moment) -> Decision:
    granted = UnitCounts(command.units.text, command.units.voice, command.units.video)
    subscription = Subscription(
        subscription_id=subscription_id,
        patient_id=command.patient_id,
        granted=granted,
        remaining=UnitCounts(),
        currency=command.currency,
        starts_at=starts_at,
        ends_at=command.ends_at,
        created_at=moment.now,
        updated_at=moment.now,
        changed_by=moment.cause,
    )
    account, entries = _post_all(
        account.with_subscription(subscription), subscription_id, EntryKind.GRANTED, granted, 1, moment.now, moment
    )
    subscription = replace(subscription, remaining=granted)
    is_new = isinstance(command, ActivateSubscription)
    type_ = SubscriptionEventType.ACTIVATED if is_new else SubscriptionEventType.IMPORTED
    return Decision((SubscriptionChanged(type_, subscription, entries, moment.now),), account)


def _close(known: Known, closed: Subscription, type_: SubscriptionEventType, at: datetime, moment: Moment, rules: Rules) -> Decision:
    """Take away what is left of a subscription, once it has paid for what fell due while it was active."""
    account, sessions, caught_up = known.account, [], []
    for session in known.live:
        due = session.units_due(at, rules)
        charged = charge(account, session, due, moment._replace(now=at), rules)
        if charged.session is not session:
            account = charged.account
            sessions.append(charged.session)
            caught_up += [*charged.deducted, *charged.warnings]
    held = account.subscription(closed.subscription_id)
    left = held.remaining if held is not None else UnitCounts()
    account, entries = _post_all(account, closed.subscription_id, EntryKind.LAPSED, left, -1, at, moment)
    closed = replace(
        closed,
        remaining=UnitCounts(),
        updated_at=at,
        changed_by=moment.cause,
        version=closed.version + 1,
    )
    events: list[BillingEvent] = [SubscriptionChanged(type_, closed, entries, at), *caught_up]
    return Decision(events, account.with_subscription(closed), sessions)


def _post_all(
    account: Account, subscription_id: str, kind: EntryKind, units: UnitCounts, sign: int, at: datetime, moment: Moment
) -> tuple[Account, list[Entry]]:
    """Enter as many units of each modality."""
    entries = []
    for modality in Modality:
        count = units.of(modality)
        if count > 0:
            account, entry = account.post(kind, modality, sign * count, subscription_id=subscription_id, at=at, cause=moment.cause)
            entries.append(entry)
    return account, entries


def _found(known: Known, command: CancelSubscription | ExpireSubscription) -> Subscription | None:
    subscription = known.subscription
    return subscription if subscription is not None and subscription.patient_id == command.patient_id else None


def _not_found(known: Known) -> Decision:
    return refuse(known, SubscriptionReason.SUBSCRIPTION_NOT_FOUND, "The patient has no subscription with this id.")


def _may_cancel(actor: Actor, subscription: Subscription) -> bool:
    return actor.role in _MAY_GRANT or (actor.role is Role.PATIENT and actor.id == subscription.patient_id)


def _wrong_status(known: Known, subscription: Subscription) -> Decision:
    """Say what the status is and what made it so."""
    if subscription.status is SubscriptionStatus.ACTIVE:
        message = f"The subscription has ended at {subscription.ends_at:%Y-%m-%d %H:%M:%S} UTC."
        return refuse(known, SubscriptionReason.WRONG_STATUS, message, version=subscription.version, ends_at=subscription.ends_at)
    message = (
        f"The subscription is {subscription.status} since {subscription.updated_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"by {subscription.changed_by.type}."
    )
    return refuse(
        known,
        SubscriptionReason.WRONG_STATUS,
        message,
        version=subscription.version,
        status=subscription.status,
        since=subscription.updated_at,
        command=subscription.changed_by._asdict(),
    )
