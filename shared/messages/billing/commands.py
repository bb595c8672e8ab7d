"""What billing can be asked to do with subscriptions and session units."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator

from shared.messages.billing.events import (
    BalanceChanged,
    BalanceExhausted,
    BalanceLow,
    SessionUnitDeducted,
    SessionUnitRejected,
    SessionUnitReversed,
    SubscriptionActivated,
    SubscriptionCancelled,
    SubscriptionExpired,
    SubscriptionImported,
    SubscriptionRejected,
)
from shared.messages.billing.vocabulary import UnitCount, UnitNumber, deduction_id_of
from shared.messages.fields import Actor, Command, EventModel, Identifier, Message, Modality, UtcTime
from shared.messages.money import Currency


class Units(Message):
    """How many units of each modality; at least one unit."""

    text: UnitCount = 0
    """For text sessions."""
    voice: UnitCount = 0
    """For voice calls."""
    video: UnitCount = 0
    """For video calls."""


def _grants_something(units: Units) -> Units:
    if units.text + units.voice + units.video == 0:
        message = "at least one unit is granted"
        raise ValueError(message)
    return units


class SubscriptionCommand(Command):
    """A command about one subscription of one patient."""

    entity: ClassVar[str] = "subscription"
    key_field: ClassVar[str] = "patient_id"
    id_field: ClassVar[str] = "subscription_id"
    rejection: ClassVar[EventModel] = SubscriptionRejected

    patient_id: Identifier
    """Whose it is; the record's key."""


class GrantSubscription(SubscriptionCommand):
    """A command that makes a subscription. Without a ``subscription_id`` one is derived from the command's source and id."""

    subscription_id: Identifier | None = None
    """The id that it is to have; without one it is `sub_` and a UUIDv5 of the command's source and id."""
    units: Annotated[Units, AfterValidator(_grants_something)]
    """What the patient gets."""
    currency: Currency
    """The currency of what doctors earn for its units: an ISO 4217 code that rates are set for."""
    starts_at: UtcTime | None = None
    """The first moment at which it gives units; without one it is the moment of the command."""
    ends_at: UtcTime
    """The first moment at which it gives none any more."""
    actor: Actor
    """An administrator, or the system that has seen the payment."""


class ActivateSubscription(GrantSubscription):
    """Give a patient units for a payment. The same ``subscription_id`` again gives nothing more."""

    type: ClassVar[str] = "billing.subscription.activate.v1"
    outcomes: ClassVar = (SubscriptionActivated,)
    also_causes: ClassVar = (BalanceChanged,)


class ImportSubscription(GrantSubscription):
    """Take in a subscription from elsewhere, with the units that remain of it. Nobody is told."""

    type: ClassVar[str] = "billing.subscription.import.v1"
    outcomes: ClassVar = (SubscriptionImported,)
    also_causes: ClassVar = (BalanceChanged,)


class CancelSubscription(SubscriptionCommand):
    """End a subscription now. What had fallen due by then is still paid from it."""

    type: ClassVar[str] = "billing.subscription.cancel.v1"
    outcomes: ClassVar = (SubscriptionCancelled,)
    also_causes: ClassVar = (BalanceChanged, SessionUnitDeducted, BalanceLow, BalanceExhausted)

    subscription_id: Identifier
    """Which subscription."""
    actor: Actor
    """The patient, an administrator, or the system."""
    reason_code: Identifier | None = None
    """Why."""


class ExpireSubscription(SubscriptionCommand):
    """Note that a subscription's end has come. What had fallen due by then is still paid from it."""

    type: ClassVar[str] = "billing.subscription.expire.v1"
    outcomes: ClassVar = (SubscriptionExpired,)
    also_causes: ClassVar = (BalanceChanged, SessionUnitDeducted, BalanceLow, BalanceExhausted)
    from_sweep: ClassVar[bool] = True

    subscription_id: Identifier
    """Which subscription."""
    actor: Actor | None = None
    """The system."""


class SessionUnitCommand(Command):
    """A command about one unit of one session."""

    entity: ClassVar[str] = "session_unit"
    id_field: ClassVar[str] = "deduction_id"
    rejection: ClassVar[EventModel] = SessionUnitRejected

    doctor_id: Identifier
    """Whose session it is; the record's key."""


class DeductSessionUnit(SessionUnitCommand):
    """Take a unit that has fallen due. Earlier units of the session that are still missing are taken before it."""

    type: ClassVar[str] = "billing.session_unit.deduct.v1"
    outcomes: ClassVar = (SessionUnitDeducted,)
    also_causes: ClassVar = (SessionUnitDeducted, BalanceLow, BalanceExhausted)

    session_id: Identifier
    """The text session's or the call's."""
    unit: UnitNumber
    """Which unit of the session: 1, 2, 3 …"""
    patient_id: Identifier
    """Who is to pay: the session's patient."""
    modality: Modality
    """The session's."""
    actor: Actor | None = None
    """Who asks; anybody may, since only what is due is taken."""

    @property
    def deduction_id(self) -> str:
        """The deduction that it would make."""
        return deduction_id_of(self.session_id, self.unit)


class ReverseSessionUnit(SessionUnitCommand):
    """Give a unit back to the patient, and take its earning back from the doctor. It is not deducted again."""

    type: ClassVar[str] = "billing.session_unit.reverse.v1"
    outcomes: ClassVar = (SessionUnitReversed,)
    also_causes: ClassVar = (BalanceChanged,)

    deduction_id: Identifier
    """What to reverse."""
    actor: Actor
    """An administrator, or the system."""
    reason_code: Identifier
    """Why."""


BillingCommand = (
    ActivateSubscription | ImportSubscription | CancelSubscription | ExpireSubscription | DeductSessionUnit | ReverseSessionUnit
)
