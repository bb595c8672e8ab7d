"""The billing service's commands and events: subscriptions, session units, and what doctors earn."""

from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field, StringConstraints

from shared.messages.fields import Actor, Command, EventData, Identifier, Message, Modality, Role, UtcTime

_MAX_IDENTIFIER: Final = 128

#: ISO 4217's code for "no currency": of an amount of 0 that belongs to none.
NO_CURRENCY: Final = "XXX"

#: An ISO 4217 code.
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
#: How many units of one modality; bounded, so that no sum leaves what a database can count.
UnitCount = Annotated[int, Field(ge=0, le=1_000_000)]
#: 1, 2, 3 …: the n-th unit of a session.
UnitNumber = Annotated[int, Field(ge=1, le=1_000_000)]


class SubscriptionStatus(StrEnum):
    """Whether a subscription gives units. Only an active one does, from its start until its end."""

    ACTIVE = "active"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class SessionUnitStatus(StrEnum):
    """Where a deducted unit stands."""

    DEDUCTED = "deducted"
    REVERSED = "reversed"


class SubscriptionReason(StrEnum):
    """Why a subscription command is refused, in order of precedence."""

    #: 422: it would end before it starts.
    ENDS_BEFORE_IT_STARTS = "ends_before_it_starts"
    #: 422: it would end before now, and so never give anything.
    ENDS_IN_THE_PAST = "ends_in_the_past"
    #: 422: no rate says what a doctor earns for such a unit in that currency.
    NO_RATE = "no_rate"
    #: 404: the patient has no subscription with that id.
    SUBSCRIPTION_NOT_FOUND = "subscription_not_found"
    #: 403: the actor may not do that.
    NOT_A_PARTY = "not_a_party"
    #: 409: the id was used before: a payment that is reported twice gives one grant.
    SUBSCRIPTION_EXISTS = "subscription_exists"
    #: 409: it is not active any more.
    WRONG_STATUS = "wrong_status"
    #: 409: a sweep came before its end.
    NOT_DUE = "not_due"


class SessionUnitReason(StrEnum):
    """Why a session unit command is refused, in order of precedence."""

    #: 404: that doctor and that patient have no session with that id and modality.
    SESSION_NOT_FOUND = "session_not_found"
    #: 404: that doctor has no deduction with that id.
    DEDUCTION_NOT_FOUND = "deduction_not_found"
    #: 403: the actor may not do that.
    NOT_A_PARTY = "not_a_party"
    #: 409: this unit of this session was deducted before; the refusal names the deduction.
    ALREADY_DEDUCTED = "already_deducted"
    #: 409: this deduction was reversed before.
    ALREADY_REVERSED = "already_reversed"
    #: 409: the session has not lasted long enough for this unit, or ended before it was due.
    NOT_DUE = "not_due"
    #: 409: the patient has no unit of this modality left.
    INSUFFICIENT_BALANCE = "insufficient_balance"


class Units(Message):
    """How many units of each modality."""

    text: UnitCount = 0
    voice: UnitCount = 0
    video: UnitCount = 0

    def of(self, modality: Modality) -> int:
        """How many of this modality."""
        match modality:
            case Modality.TEXT:
                return self.text
            case Modality.VOICE:
                return self.voice
            case Modality.VIDEO:
                return self.video


def _grants_something(units: Units) -> Units:
    if not any(units.of(modality) for modality in Modality):
        message = "at least one unit is granted"
        raise ValueError(message)
    return units


#: At least one unit.
GrantedUnits = Annotated[Units, AfterValidator(_grants_something)]


class Money(Message):
    """An amount: integer minor units, such as cents, and an ISO 4217 code."""

    amount_minor: Annotated[int, Field(ge=0)]
    """In minor units, such as cents."""
    currency: Currency
    """An ISO 4217 code."""


class BalanceChange(Message):
    """One change of the units that a patient has of a modality. The sequence is gapless for each patient and modality."""

    patient_id: Identifier
    modality: Modality
    sequence: Annotated[int, Field(ge=1)]
    before: Annotated[int, Field(ge=0)]
    after: Annotated[int, Field(ge=0)]


def deduction_id_of(session_id: str, unit: int) -> str:
    """The id of a unit's deduction: it follows from the session and the unit, so there can be no second one."""
    identifier = f"{session_id}:{unit}"
    if len(identifier) <= _MAX_IDENTIFIER:
        return identifier
    return f"{blake2b(session_id.encode(), digest_size=16).hexdigest()}:{unit}"


class SubscriptionCommand(Command):
    """A command about one subscription of one patient."""

    entity: ClassVar[str] = "subscription"
    key_field: ClassVar[str] = "patient_id"
    id_field: ClassVar[str] = "subscription_id"

    patient_id: Identifier


class GrantSubscription(SubscriptionCommand):
    """What ``activate`` and ``import`` share. Without a ``subscription_id`` one is derived from the command's source and id."""

    subscription_id: Identifier | None = None
    units: GrantedUnits
    currency: Currency
    #: The log time, if it is not given.
    starts_at: UtcTime | None = None
    #: The first moment at which it gives nothing any more.
    ends_at: UtcTime
    actor: Actor


class ActivateSubscription(GrantSubscription):
    """A payment gives a patient units. The same ``subscription_id`` again gives nothing more."""

    type: ClassVar[str] = "billing.subscription.activate.v1"


class ImportSubscription(GrantSubscription):
    """A subscription from elsewhere, with the units that remain of it. Nobody is notified."""

    type: ClassVar[str] = "billing.subscription.import.v1"


class CancelSubscription(SubscriptionCommand):
    """It gives nothing from now on."""

    type: ClassVar[str] = "billing.subscription.cancel.v1"

    subscription_id: Identifier
    actor: Actor
    reason_code: Identifier | None = None


class ExpireSubscription(SubscriptionCommand):
    """The sweep closes a subscription whose end has come."""

    type: ClassVar[str] = "billing.subscription.expire.v1"
    from_sweep: ClassVar[bool] = True

    subscription_id: Identifier
    actor: Actor | None = None


class SessionUnitCommand(Command):
    """A command about one unit of one session: of its deduction."""

    entity: ClassVar[str] = "session_unit"
    id_field: ClassVar[str] = "deduction_id"

    doctor_id: Identifier


class DeductSessionUnit(SessionUnitCommand):
    """Take a unit that is due. Earlier units of the session that are still missing are taken with it."""

    type: ClassVar[str] = "billing.session_unit.deduct.v1"

    session_id: Identifier
    unit: UnitNumber
    patient_id: Identifier
    modality: Modality
    actor: Actor | None = None

    @property
    def entity_id(self) -> str:
        """The deduction that it would make."""
        return deduction_id_of(self.session_id, self.unit)


class ReverseSessionUnit(SessionUnitCommand):
    """Give a deducted unit back to the patient, and take its earning back from the doctor. The unit is not deducted again."""

    type: ClassVar[str] = "billing.session_unit.reverse.v1"

    deduction_id: Identifier
    actor: Actor
    reason_code: Identifier


BillingCommand = (
    ActivateSubscription | ImportSubscription | CancelSubscription | ExpireSubscription | DeductSessionUnit | ReverseSessionUnit
)

#: The commands that the billing service decides, by type.
BILLING_COMMANDS: dict[str, type[Command]] = {
    command.type: command
    for command in (
        ActivateSubscription,
        ImportSubscription,
        CancelSubscription,
        ExpireSubscription,
        DeductSessionUnit,
        ReverseSessionUnit,
    )
}


class BillingEventType(StrEnum):
    """The types of event of billing."""

    SUBSCRIPTION_ACTIVATED = "billing.subscription.activated.v1"
    SUBSCRIPTION_IMPORTED = "billing.subscription.imported.v1"
    SUBSCRIPTION_CANCELLED = "billing.subscription.cancelled.v1"
    SUBSCRIPTION_EXPIRED = "billing.subscription.expired.v1"
    SUBSCRIPTION_REJECTED = "billing.subscription.rejected.v1"
    SESSION_UNIT_DEDUCTED = "billing.session_unit.deducted.v1"
    SESSION_UNIT_REVERSED = "billing.session_unit.reversed.v1"
    SESSION_UNIT_REJECTED = "billing.session_unit.rejected.v1"
    SESSION_SETTLED = "billing.session.settled.v1"
    BALANCE_CHANGED = "billing.balance.changed.v1"
    BALANCE_LOW = "billing.balance.low.v1"
    BALANCE_EXHAUSTED = "billing.balance.exhausted.v1"


class SubscriptionEvent(EventData):
    """What every event of a subscription carries, a refusal apart: the whole state.

    One that moves units of several modalities carries the first balance; a ``billing.balance.changed.v1`` right after it
    carries each further one.
    """

    subscription_id: Identifier
    patient_id: Identifier
    units: Units
    units_remaining: Units
    currency: Currency
    starts_at: UtcTime
    ends_at: UtcTime
    status: SubscriptionStatus
    created_at: UtcTime
    cancelled_by: Role | None
    cancellation_reason: str | None
    balance: BalanceChange | None


class SessionUnitEvent(EventData):
    """What every event of a deducted unit carries, a refusal apart: the whole state."""

    deduction_id: Identifier
    session_id: Identifier
    unit: UnitNumber
    doctor_id: Identifier
    patient_id: Identifier
    modality: Modality
    subscription_id: Identifier
    status: SessionUnitStatus
    #: When it fell due: the business time of the deduction, whenever somebody came to note it.
    due_at: UtcTime
    #: What the doctor earned for it; on ``reversed`` what was taken back.
    earning: Money
    reason_code: Identifier | None
    balance: BalanceChange


class SessionSettled(EventData):
    """A session is over, and this is what it came to. A later reversal is an event of its own."""

    session_id: Identifier
    doctor_id: Identifier
    patient_id: Identifier
    modality: Modality
    #: Those taken and not reversed.
    units_deducted: UnitCount
    #: Those due that the patient's balance did not cover.
    units_refused: UnitCount
    #: What the doctor earned; 0 ``XXX`` for nothing.
    earning: Money
    #: The same in other currencies, when the units came from subscriptions in several.
    further_earnings: tuple[Money, ...]


class BalanceChanged(EventData):
    """A further balance that a subscription's event changed."""

    patient_id: Identifier
    modality: Modality
    subscription_id: Identifier
    balance: BalanceChange


class BalanceLow(EventData):
    """Few units are left: said once after each grant."""

    patient_id: Identifier
    modality: Modality
    doctor_id: Identifier
    session_id: Identifier
    remaining: UnitCount
    threshold: UnitCount


class BalanceExhausted(EventData):
    """No unit is left for a session, so calls are asked to end it: said once for each session."""

    patient_id: Identifier
    modality: Modality
    doctor_id: Identifier
    session_id: Identifier
