"""What a decision may know, and what it can say."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.billing.domain.account import Account
from services.billing.domain.ledger import Cause, Deduction, Entry
from services.billing.domain.session import Session
from services.billing.domain.subscription import Subscription
from shared.messages.billing import SessionUnitReason, SubscriptionEventType, SubscriptionReason
from shared.messages.refusal import Refusal


class Moment(NamedTuple):
    """When a message is decided, and which one it is.

    Attributes:
        now: a command's log time; the business time of an event that is heard.
        cause: the message.
    """

    now: datetime
    cause: Cause


class Known(NamedTuple):
    """What a decision may depend on.

    Attributes:
        account: of the patient that the message is about.
        session: the one that it names, if it was heard of.
        deductions: of that session: all of them, for one that is over; otherwise at least the one that the message names.
        deduction: the one that it names, if there is one.
        subscription: the one that it names, whatever its status, if there is one.
        live: the patient's sessions that are not over, in the order of their beginning, for a subscription that is to give no more.
    """

    account: Account
    session: Session | None = None
    deductions: Sequence[Deduction] = ()
    deduction: Deduction | None = None
    subscription: Subscription | None = None
    live: Sequence[Session] = ()


class Deducted(NamedTuple):
    """A unit was taken, and its doctor has earned."""

    deduction: Deduction
    entry: Entry


class Reversed(NamedTuple):
    """A unit was given back, and its earning too."""

    deduction: Deduction
    entry: Entry


class SubscriptionChanged(NamedTuple):
    """A subscription came to be, or is not active any more.

    Attributes:
        entries: what it changed of the patient's balances.
        at: the business time.
    """

    type: SubscriptionEventType
    subscription: Subscription
    entries: Sequence[Entry]
    at: datetime


class Lapsed(NamedTuple):
    """A unit came back to a subscription that is not active any more, and so is lost."""

    entry: Entry


class RunsLow(NamedTuple):
    """Few units are left.

    Attributes:
        sequence: of the balance.
    """

    session: Session
    sequence: int
    remaining: int
    threshold: int
    at: datetime


class Exhausted(NamedTuple):
    """No unit is left for a session. If it is not over, calls are to end it.

    Attributes:
        sequence: of the balance.
    """

    session: Session
    sequence: int
    at: datetime


class Settled(NamedTuple):
    """A session is over.

    Attributes:
        standing: its deductions that were not reversed.
        units_refused: how many were due and not covered.
    """

    session: Session
    standing: Sequence[Deduction]
    units_refused: int


class Refused(NamedTuple):
    """Nothing happened, and why.

    Attributes:
        version: of what the refused command was about; 0 if there is no such thing.
    """

    refusal: Refusal
    version: int


Happening = Deducted | Reversed | SubscriptionChanged | Lapsed | RunsLow | Exhausted | Settled
BillingEvent = Happening | Refused


class Decision(NamedTuple):
    """What happened, and how things stand after it.

    Attributes:
        events: of a command the outcome first.
        account: the patient's.
        sessions: those that have changed.
    """

    events: Sequence[BillingEvent]
    account: Account
    sessions: Sequence[Session] = ()


def refuse(known: Known, reason: SubscriptionReason | SessionUnitReason, message: str, *, version: int = 0, **conflict: object) -> Decision:
    """A decision that changes nothing."""
    refusal = Refusal(reason.status_code, reason, message, conflict or None)
    return Decision((Refused(refusal, version),), known.account)


def entries_of(event: BillingEvent) -> Sequence[Entry]:
    """What an event enters into the ledger."""
    match event:
        case Deducted(entry=entry) | Reversed(entry=entry) | Lapsed(entry=entry):
            return (entry,)
        case SubscriptionChanged(entries=entries):
            return entries
        case _:
            return ()
