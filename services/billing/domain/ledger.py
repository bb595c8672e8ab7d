"""The ledger: every change of a patient's units, of what a doctor earns for it, and why.

An entry is a whole transaction of double-entry bookkeeping: units go from one account to another, and money goes with them or
not at all. Written as one row, neither side can be there without the other. Entries are never changed, only followed by others.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from shared.messages.billing import Money
from shared.messages.fields import Modality


class EntryKind(StrEnum):
    """What an entry says."""

    #: A subscription gives the patient units.
    GRANTED = "granted"
    #: A session takes a unit, and its doctor earns.
    DEDUCTED = "deducted"
    #: A unit comes back, and the doctor's earning goes back.
    REVERSED = "reversed"
    #: A subscription that is not active any more takes what was left of its units with it.
    LAPSED = "lapsed"


class Cause(NamedTuple):
    """The message that something was made for."""

    source: str
    id: str
    type: str


class Deduction(NamedTuple):
    """One unit of one session, taken from a subscription and paid to a doctor.

    Attributes:
        due_at: when the unit fell due.
        amount_minor: what the doctor earned for it, in minor units of the currency.
        is_reversed: whether both were given back.
    """

    deduction_id: str
    session_id: str
    unit: int
    doctor_id: str
    patient_id: str
    modality: Modality
    subscription_id: str
    due_at: datetime
    amount_minor: int
    currency: str
    is_reversed: bool = False

    @property
    def version(self) -> int:
        """1, and 2 once it is reversed."""
        return 2 if self.is_reversed else 1


class Entry(NamedTuple):
    """One change of the units that a patient has of a modality, and the money that goes with it.

    Attributes:
        at: the business time.
        sequence: gapless for each patient and modality.
        before: the patient's units of the modality before it.
        after: and after it.
        cause: the message that it was made for.
        deduction: of a ``deducted`` or ``reversed`` entry.
        reason_code: why it was reversed.
    """

    kind: EntryKind
    at: datetime
    patient_id: str
    modality: Modality
    sequence: int
    before: int
    after: int
    subscription_id: str
    cause: Cause
    deduction: Deduction | None = None
    reason_code: str | None = None


class Posting(NamedTuple):
    """One side of an entry: so much comes to an account, or leaves it if negative.

    Attributes:
        commodity: units of a modality, such as ``text``, or a currency, such as ``MWK``.
    """

    account: str
    commodity: str
    amount: int


def postings(entry: Entry) -> Iterator[Posting]:
    """Both sides of an entry; those of a commodity add up to 0."""
    change = entry.after - entry.before
    yield Posting(f"subscription:{entry.subscription_id}", entry.modality, change)
    match entry.kind, entry.deduction:
        case EntryKind.GRANTED, _:
            yield Posting("granted", entry.modality, -change)
        case EntryKind.LAPSED, _:
            yield Posting("lapsed", entry.modality, -change)
        case _, Deduction() as deduction:
            earned = -change * deduction.amount_minor
            yield Posting(f"session:{deduction.session_id}", entry.modality, -change)
            yield Posting(f"doctor:{deduction.doctor_id}", deduction.currency, earned)
            yield Posting("platform", deduction.currency, -earned)


def total(deductions: Iterator[Deduction]) -> list[Money]:
    """What was earned for these, a sum for each currency, in the order in which they occur."""
    sums: dict[str, int] = {}
    for deduction in deductions:
        sums[deduction.currency] = sums.get(deduction.currency, 0) + deduction.amount_minor
    return [Money(amount_minor=amount, currency=currency) for currency, amount in sums.items()]
