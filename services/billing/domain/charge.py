"""Taking units for a session, and giving them back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from services.billing.domain.account import Account
from services.billing.domain.decision import Deducted, Exhausted, Lapsed, Moment, Reversed, RunsLow
from services.billing.domain.ledger import Deduction, EntryKind
from services.billing.domain.rules import Rules
from services.billing.domain.session import Session
from services.billing.domain.subscription import Subscription
from shared.messages.billing import deduction_id_of


class Charge(NamedTuple):
    """What charging a session came to.

    Attributes:
        account: the patient's, after it.
        session: the session, after it; units that were due and are not taken were not covered.
        deducted: the units taken, in order.
        warnings: what the patient is told.
    """

    account: Account
    session: Session
    deducted: Sequence[Deducted]
    warnings: Sequence[RunsLow | Exhausted]


def charge(account: Account, session: Session, up_to: int, moment: Moment, rules: Rules) -> Charge:
    """Take the missing units of a session in order, up to one that is due, or until there are no more.

    Args:
        account: of the session's patient.
        session: its units up to ``up_to`` are due.
        up_to: the last unit to take.
        moment: when.
        rules: to charge by.
    """
    deducted: list[Deducted] = []
    due_at = moment.now
    while session.units_taken < up_to:
        unit = session.units_taken + 1
        due_at = session.due_at(unit, rules) or moment.now
        payer = account.payer(session.modality, due_at, moment.now)
        if payer is None:
            break
        deduction = _deduction(session, unit, payer, due_at, rules)
        account, entry = account.post(
            EntryKind.DEDUCTED,
            session.modality,
            -1,
            subscription_id=payer.subscription_id,
            at=due_at,
            cause=moment.cause,
            deduction=deduction,
        )
        session = replace(session, units_taken=unit)
        deducted.append(Deducted(deduction, entry))
    if deducted or session.units_taken < up_to:
        return _warn(Charge(account, session, deducted, ()), due_at, moment, rules)
    return Charge(account, session, deducted, ())


def exhaust(account: Account, session: Session, at: datetime) -> tuple[Session, Sequence[Exhausted]]:
    """Tell the patient, once, that no unit is left for a session; if it is not over, it is ended."""
    if session.is_exhausted:
        return session, ()
    session = replace(session, is_exhausted=True)
    return session, (Exhausted(session, account.balance(session.modality).sequence, at),)


def give_back(
    account: Account, deduction: Deduction, reason_code: str, at: datetime, moment: Moment
) -> tuple[Account, Sequence[Reversed | Lapsed]]:
    """Give a unit back to the subscription that it came from, and take its earning back.

    A subscription that is not active any more gives nothing: the unit is lost at once, as it would have been if it had never
    been taken.
    """
    source = deduction.subscription_id
    reversed_ = deduction._replace(is_reversed=True)
    account, entry = account.post(
        EntryKind.REVERSED,
        deduction.modality,
        1,
        subscription_id=source,
        at=at,
        cause=moment.cause,
        deduction=reversed_,
        reason_code=reason_code,
    )
    if account.subscription(source) is not None:
        return account, (Reversed(reversed_, entry),)
    account, lapse = account.post(EntryKind.LAPSED, deduction.modality, -1, subscription_id=source, at=at, cause=moment.cause)
    return account, (Reversed(reversed_, entry), Lapsed(lapse))


def _deduction(session: Session, unit: int, payer: Subscription, due_at: datetime, rules: Rules) -> Deduction:
    amount = rules.rate(payer.currency, session.modality)
    assert amount is not None, "what has no rate is not granted, and not decided on"
    return Deduction(
        deduction_id=deduction_id_of(session.session_id, unit),
        session_id=session.session_id,
        unit=unit,
        doctor_id=session.doctor_id,
        patient_id=session.patient_id,
        modality=session.modality,
        subscription_id=payer.subscription_id,
        due_at=due_at,
        amount_minor=amount,
        currency=payer.currency,
    )


def _warn(charged: Charge, due_at: datetime, moment: Moment, rules: Rules) -> Charge:
    """Say what is left when it is little, and when it is nothing."""
    account, session = charged.account, charged.session
    left = account.available(session.modality, due_at, moment.now)
    if left == 0:
        session, exhausted = exhaust(account, session, moment.now)
        return charged._replace(session=session, warnings=exhausted)
    balance = account.balance(session.modality)
    if left > rules.balance_low_units or balance.told_low:
        return charged
    low = RunsLow(session, balance.sequence, left, rules.balance_low_units, moment.now)
    return charged._replace(account=account.told_low(session.modality), warnings=(low,))
