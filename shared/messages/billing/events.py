"""What happens to subscriptions, session units and balances, and what sessions come to."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.messages.billing.vocabulary import (
    BalanceEventType,
    SessionBillingEventType,
    SessionUnitEventType,
    SessionUnitReason,
    SessionUnitStatus,
    SubscriptionEventType,
    SubscriptionReason,
    SubscriptionStatus,
    UnitCount,
    UnitNumber,
)
from shared.messages.fields import CommandReference, EventData, Identifier, Modality, Published, Role, StateData, UtcTime
from shared.messages.money import Currency, Money
from shared.messages.refusal import DataReason, Rejected


class PublishedMoney(Money):
    """An amount of money."""

    model_config = Published.model_config


class UnitsHeld(Published):
    """How many units of each modality."""

    text: UnitCount
    """For text sessions."""
    voice: UnitCount
    """For voice calls."""
    video: UnitCount
    """For video calls."""


class BalanceChange(Published):
    """One change of the units that a patient has of a modality. Whatever changes a balance carries one: so every prefix adds up."""

    patient_id: Identifier
    """Whose units."""
    modality: Modality
    """Of which modality."""
    sequence: Annotated[int, Field(ge=1)]
    """1, 2, 3 … without a gap, for each patient and modality."""
    before: Annotated[int, Field(ge=0)]
    """The units before it."""
    after: Annotated[int, Field(ge=0)]
    """The units after it."""


class SubscriptionEvent(EventData):
    """What every event of a subscription carries, a refusal apart: the whole state.

    One that moves units of several modalities carries the balance of the first of them (text, voice, video); a
    `billing.balance.changed.v1` right after it carries each further one. The version counts changes of status: how the units go
    is told by the balance's sequence.
    """

    key_field: ClassVar[str] = "patient_id"

    subscription_id: Identifier
    """Which subscription."""
    patient_id: Identifier
    """Whose; the record's key."""
    units: UnitsHeld
    """What it began with."""
    units_remaining: UnitsHeld
    """What is left of it; nothing, once it is not active any more."""
    currency: Currency
    """The currency of what doctors earn for its units."""
    starts_at: UtcTime
    """The first moment at which it gives units."""
    ends_at: UtcTime
    """The first moment at which it gives none any more."""
    status: SubscriptionStatus
    """Where it stands after this event."""
    created_at: UtcTime
    """When it was activated or imported."""
    cancelled_by: Role | None
    """Who cancelled it; null when nobody did."""
    cancellation_reason: Identifier | None
    """Why, if whoever cancelled it said so: their `reason_code`."""
    balance: BalanceChange | None
    """What it changed; null when nothing was left of it."""


class SubscriptionActivated(SubscriptionEvent):
    """The patient has more units."""

    type: Literal[SubscriptionEventType.ACTIVATED]


class SubscriptionImported(SubscriptionEvent):
    """A subscription that was activated elsewhere is taken in, with the units that remain of it. Nobody is told."""

    type: Literal[SubscriptionEventType.IMPORTED]


class SubscriptionCancelled(SubscriptionEvent):
    """It gives nothing any more; what was left of it is lost."""

    type: Literal[SubscriptionEventType.CANCELLED]


class SubscriptionExpired(SubscriptionEvent):
    """Its end has come, which is the event's `time`; what was left of it is lost."""

    type: Literal[SubscriptionEventType.EXPIRED]


class SubscriptionConflict(Published):
    """What stands in the way of a subscription command."""

    status: SubscriptionStatus | None = None
    """With `wrong_status`: where it stands."""
    since: UtcTime | None = None
    """With `wrong_status`: since when it stands there."""
    command: CommandReference | None = None
    """With `wrong_status`: the command that made it so."""
    ends_at: UtcTime | None = None
    """Its end, when that has passed or is still to come."""


class SubscriptionRejected(Rejected):
    """A subscription command was refused, and nothing has changed."""

    key_field: ClassVar[str] = "patient_id"

    type: Literal[SubscriptionEventType.REJECTED]
    reason: Annotated[DataReason | SubscriptionReason | Identifier, Field(union_mode="left_to_right")]
    """Why, for programs: the first that holds, in the order of the table of reasons. There may be more of them one day: go by the code then."""
    conflict: SubscriptionConflict | None = None
    """What stands in the way, if something does."""
    subscription_id: Identifier | None = None
    """The subscription that the command is about; absent when it names none that is valid."""
    patient_id: Identifier | None = None
    """The command's, if it is valid."""


class SessionUnitEvent(EventData):
    """What every event of a unit that was taken carries, a refusal apart: the whole state."""

    deduction_id: Identifier
    """The id of what was taken: the session's, a colon, and the unit (a very long session id stands there as its hash)."""
    session_id: Identifier
    """The text session's or the call's."""
    unit: UnitNumber
    """Which unit of the session."""
    doctor_id: Identifier
    """Who earns; the record's key."""
    patient_id: Identifier
    """Who pays."""
    modality: Modality
    """Of which modality the unit is."""
    subscription_id: Identifier
    """Where the unit came from."""
    status: SessionUnitStatus
    """Where it stands after this event."""
    due_at: UtcTime
    """When it fell due."""
    earning: PublishedMoney
    """What the doctor has earned for it; on `reversed` what was taken back."""
    reason_code: Identifier | None
    """Why it was reversed; null when it was not."""
    balance: BalanceChange
    """What it changed."""


class SessionUnitDeducted(SessionUnitEvent):
    """The patient has paid a unit and the doctor has earned for it. Its `time` is when the unit fell due."""

    type: Literal[SessionUnitEventType.DEDUCTED]


class SessionUnitReversed(SessionUnitEvent):
    """The patient has the unit back, and the doctor's earning is taken back. The unit is not deducted again."""

    type: Literal[SessionUnitEventType.REVERSED]


class SessionUnitConflict(Published):
    """What stands in the way of a session unit command."""

    deduction_id: Identifier | None = None
    """With `already_deducted`: the deduction that was made before."""
    due_at: UtcTime | None = None
    """With `not_due`: when the unit will fall due, as far as it can be known."""
    ended_at: UtcTime | None = None
    """With `not_due`: when the session was over."""
    units_due: UnitCount | None = None
    """With `not_due`, and a session that is over: how many units fell due in all."""


class SessionUnitRejected(Rejected):
    """A session unit command was refused, and nothing has changed."""

    type: Literal[SessionUnitEventType.REJECTED]
    reason: Annotated[DataReason | SessionUnitReason | Identifier, Field(union_mode="left_to_right")]
    """Why, for programs: the first that holds, in the order of the table of reasons. There may be more of them one day: go by the code then."""
    conflict: SessionUnitConflict | None = None
    """What stands in the way, if something does."""
    deduction_id: Identifier | None = None
    """The deduction that the command is about; with `already_deducted` the one that was made before."""
    session_id: Identifier | None = None
    """The command's, if it has one that is valid."""
    doctor_id: Identifier | None = None
    """The command's, if it is valid."""
    patient_id: Identifier | None = None
    """The command's, if it has one that is valid."""


class SessionSettled(EventData):
    """A session is over, and this is what it came to, once. A later reversal is an event of its own."""

    type: Literal[SessionBillingEventType.SETTLED]
    session_id: Identifier
    """The text session's or the call's."""
    doctor_id: Identifier
    """Who earns; the record's key."""
    patient_id: Identifier
    """Who pays."""
    modality: Modality
    """How they met."""
    units_deducted: UnitCount
    """How many units were taken and not reversed."""
    units_refused: UnitCount
    """How many were due and not covered by the patient's balance."""
    earning: PublishedMoney
    """What the doctor earned; 0 `XXX` for nothing."""
    further_earnings: tuple[PublishedMoney, ...]
    """The same in other currencies, when the units came from subscriptions in several."""


class BalanceEvent(EventData):
    """What every event of a balance carries. Its entity is the units that a patient has of a modality; its version is their sequence."""

    patient_id: Identifier
    """Whose units."""
    modality: Modality
    """Of which modality."""


class BalanceState(StateData):
    """The units that a patient has of a modality, for ever: on the patient's partition of the compacted topic.

    Its key is the patient's id, a colon and the modality (a very long id stands there as its hash); its version is the sequence of
    its last change.
    """

    type: Literal["billing.balance.state.v1"]
    patient_id: Identifier
    """Whose units."""
    modality: Modality
    """Of which modality."""
    remaining: Annotated[int, Field(ge=0)]
    """How many are left, in all active subscriptions: those included that have not begun, or whose end nobody has noted yet."""


class BalanceChanged(BalanceEvent):
    """A further balance that another event of the same decision changed. The record's key is the patient's id."""

    key_field: ClassVar[str] = "patient_id"

    type: Literal[BalanceEventType.CHANGED]
    subscription_id: Identifier
    """Where the units came from or went to."""
    balance: BalanceChange
    """The change."""


class BalanceLow(BalanceEvent):
    """Few units are left: told once after each grant. The record's key is the doctor's id."""

    type: Literal[BalanceEventType.LOW]
    session_id: Identifier
    """The session that has taken the last unit."""
    doctor_id: Identifier
    """Its doctor."""
    remaining: UnitCount
    """How many are left."""
    threshold: UnitCount
    """How many are few (a setting)."""


class BalanceExhausted(BalanceEvent):
    """No unit is left for a session, so calls are asked to end it: told once for each session. The record's key is the doctor's id."""

    type: Literal[BalanceEventType.EXHAUSTED]
    session_id: Identifier
    """The session."""
    doctor_id: Identifier
    """Its doctor."""
