"""What a patient has: subscriptions and, of each modality, a balance. Every change of it is an entry of the ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from services.billing.domain.ledger import Cause, Deduction, Entry, EntryKind
from services.billing.domain.subscription import Subscription
from shared.messages.fields import Modality


class Balance(NamedTuple):
    """The units that a patient has of one modality, as the ledger's entries add up.

    Attributes:
        remaining: in all active subscriptions, those included that have not begun, or whose end nobody has noted yet.
        sequence: of its last entry.
        told_low: whether the patient was told that few are left, since the last grant.
    """

    patient_id: str
    modality: Modality
    remaining: int = 0
    sequence: int = 0
    told_low: bool = False


class OverdrawnError(Exception):
    """More was to be taken than there is: the rules exclude it, the database would refuse it."""


class Account(NamedTuple):
    """A patient's units.

    Attributes:
        subscriptions: the active ones, the oldest first.
        balances: of the modalities that ever had an entry.
    """

    patient_id: str
    subscriptions: tuple[Subscription, ...]
    balances: Mapping[Modality, Balance]

    @staticmethod
    def of(patient_id: str, subscriptions: Iterable[Subscription], balances: Iterable[Balance]) -> "Account":
        """Put a patient's account together."""
        return Account(
            patient_id,
            tuple(sorted(subscriptions, key=lambda subscription: subscription.age)),
            {balance.modality: balance for balance in balances},
        )

    def balance(self, modality: Modality) -> Balance:
        """The balance of a modality; 0 if there never was anything."""
        return self.balances.get(modality) or Balance(patient_id=self.patient_id, modality=modality)

    def subscription(self, subscription_id: str) -> Subscription | None:
        """One of the active subscriptions."""
        for held in self.subscriptions:
            if held.subscription_id == subscription_id:
                return held
        return None

    def payer(self, modality: Modality, due_at: datetime, now: datetime) -> Subscription | None:
        """The oldest subscription that has a unit for what fell due then and is decided now."""
        for held in self.subscriptions:
            if held.gives(modality, due_at, now):
                return held
        return None

    def available(self, modality: Modality, due_at: datetime, now: datetime) -> int:
        """How many units there are for what fell due then and is decided now."""
        return sum(held.remaining.of(modality) for held in self.subscriptions if held.gives(modality, due_at, now))

    def told_low(self, modality: Modality) -> "Account":
        """The account, once the patient was told that few are left."""
        return self._with_balance(self.balance(modality)._replace(told_low=True))

    def with_subscription(self, subscription: Subscription) -> "Account":
        """The account with this subscription as it stands now; without it, if it is not active any more."""
        others = [held for held in self.subscriptions if held.subscription_id != subscription.subscription_id]
        if subscription.is_active:
            others.append(subscription)
        return self._replace(subscriptions=tuple(sorted(others, key=lambda held: held.age)))

    def post(
        self,
        kind: EntryKind,
        modality: Modality,
        units: int,
        *,
        subscription_id: str,
        at: datetime,
        cause: Cause,
        deduction: Deduction | None = None,
        reason_code: str | None = None,
    ) -> tuple["Account", Entry]:
        """Enter a change of the balance, and of the subscription if it is active.

        Args:
            kind: what it is.
            modality: of the units.
            units: how many come; how many go if negative.
            subscription_id: the subscription that they come to or go from.
            at: the business time.
            cause: the message that leads to it.
            deduction: what is deducted or reversed.
            reason_code: why.

        Raises:
            OverdrawnError: there are fewer units than that.
        """
        before = self.balance(modality)
        after = Balance(
            self.patient_id,
            modality,
            before.remaining + units,
            before.sequence + 1,
            before.told_low and kind is not EntryKind.GRANTED,
        )
        if after.remaining < 0:
            raise OverdrawnError
        entry = Entry(
            kind=kind,
            at=at,
            patient_id=self.patient_id,
            modality=modality,
            sequence=after.sequence,
            before=before.remaining,
            after=after.remaining,
            subscription_id=subscription_id,
            deduction=deduction,
            reason_code=reason_code,
            cause=cause,
        )
        subscriptions = tuple(
            _moved(held, modality, units) if held.subscription_id == subscription_id else held for held in self.subscriptions
        )
        return Account(self.patient_id, subscriptions, {**self.balances, modality: after}), entry

    def _with_balance(self, balance: Balance) -> "Account":
        return self._replace(balances={**self.balances, balance.modality: balance})


def _moved(held: Subscription, modality: Modality, units: int) -> Subscription:
    return replace(held, remaining=held.remaining.plus(modality, units))
