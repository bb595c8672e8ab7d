"""The words of billing: statuses, types of event, why a command is refused, and how units and money are counted."""

from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Final

from pydantic import Field

from shared.messages.fields import Modality
from shared.messages.refusal import RefusalReason, StatusCode

_MAX_IDENTIFIER: Final = 128

#: ISO 4217's code for "no currency": of an amount of 0 that belongs to none.
NO_CURRENCY: Final = "XXX"

#: How many units; bounded, so that no sum leaves what a database can count.
UnitCount = Annotated[int, Field(ge=0, le=1_000_000)]
#: 1, 2, 3 …: the n-th unit of a session.
UnitNumber = Annotated[int, Field(ge=1, le=1_000_000)]


class SubscriptionStatus(StrEnum):
    """Whether a subscription gives units. Only an active one does, from its start until its end."""

    ACTIVE = "active"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class SessionUnitStatus(StrEnum):
    """Where a unit stands that was taken from a subscription."""

    DEDUCTED = "deducted"
    REVERSED = "reversed"


class SubscriptionEventType(StrEnum):
    """The types of event about a subscription."""

    ACTIVATED = "billing.subscription.activated.v1"
    IMPORTED = "billing.subscription.imported.v1"
    CANCELLED = "billing.subscription.cancelled.v1"
    EXPIRED = "billing.subscription.expired.v1"
    REJECTED = "billing.subscription.rejected.v1"


class SessionUnitEventType(StrEnum):
    """The types of event about a unit of a session."""

    DEDUCTED = "billing.session_unit.deducted.v1"
    REVERSED = "billing.session_unit.reversed.v1"
    REJECTED = "billing.session_unit.rejected.v1"


class SessionBillingEventType(StrEnum):
    """The types of event about what a session came to."""

    SETTLED = "billing.session.settled.v1"


class BalanceEventType(StrEnum):
    """The types of event about the units that a patient has."""

    CHANGED = "billing.balance.changed.v1"
    LOW = "billing.balance.low.v1"
    EXHAUSTED = "billing.balance.exhausted.v1"


class SubscriptionReason(RefusalReason):
    """Why a subscription command is refused, in order of precedence; what is wrong with its data comes before all of these."""

    ENDS_BEFORE_IT_STARTS = (
        "ends_before_it_starts",
        StatusCode.UNPROCESSABLE,
        "It would end before it starts, or at that moment.",
    )
    ENDS_IN_THE_PAST = (
        "ends_in_the_past",
        StatusCode.UNPROCESSABLE,
        "It would have ended before the moment of the request, and so would never give a unit.",
    )
    NO_RATE = (
        "no_rate",
        StatusCode.UNPROCESSABLE,
        "No rate says what a doctor earns for such a unit in that currency (a setting).",
    )
    SUBSCRIPTION_NOT_FOUND = (
        "subscription_not_found",
        StatusCode.NOT_FOUND,
        "That patient has no subscription with that id.",
    )
    NOT_A_PARTY = (
        "not_a_party",
        StatusCode.FORBIDDEN,
        "The actor may not do that: units are granted by an administrator or the system, and only a patient's own can be cancelled.",
    )
    SUBSCRIPTION_EXISTS = (
        "subscription_exists",
        StatusCode.CONFLICT,
        "The id was used before: a payment that is reported twice gives one grant.",
    )
    WRONG_STATUS = (
        "wrong_status",
        StatusCode.CONFLICT,
        "It is not active any more; `conflict` says since when, and by which command.",
    )
    NOT_DUE = (
        "not_due",
        StatusCode.CONFLICT,
        "A sweep came before its end.",
    )


class SessionUnitReason(RefusalReason):
    """Why a session unit command is refused, in order of precedence; what is wrong with its data comes before all of these."""

    SESSION_NOT_FOUND = (
        "session_not_found",
        StatusCode.NOT_FOUND,
        "That doctor and that patient have no session with that id and that modality.",
    )
    DEDUCTION_NOT_FOUND = (
        "deduction_not_found",
        StatusCode.NOT_FOUND,
        "That doctor has no deduction with that id.",
    )
    NOT_A_PARTY = (
        "not_a_party",
        StatusCode.FORBIDDEN,
        "The actor may not do that: units are reversed by an administrator or the system.",
    )
    ALREADY_DEDUCTED = (
        "already_deducted",
        StatusCode.CONFLICT,
        "This unit of this session was deducted before; `deduction_id` says as what.",
    )
    ALREADY_REVERSED = (
        "already_reversed",
        StatusCode.CONFLICT,
        "This deduction was reversed before.",
    )
    NOT_DUE = (
        "not_due",
        StatusCode.CONFLICT,
        "The session has not lasted long enough for this unit, or it was over before.",
    )
    INSUFFICIENT_BALANCE = (
        "insufficient_balance",
        StatusCode.CONFLICT,
        "The patient has no unit of this modality left. Nothing was deducted, and nothing earned.",
    )


def deduction_id_of(session_id: str, unit: int) -> str:
    """The id of a unit's deduction: it follows from the session and the unit, so there can be no second one."""
    return _identifier_of(session_id, str(unit))


def balance_id_of(patient_id: str, modality: Modality) -> str:
    """The id of the units that a patient has of a modality."""
    return _identifier_of(patient_id, modality)


def _identifier_of(identifier: str, part: str) -> str:
    """An id with a part of it; a very long id is named by its hash."""
    joined = f"{identifier}:{part}"
    if len(joined) <= _MAX_IDENTIFIER:
        return joined
    return f"{blake2b(identifier.encode(), digest_size=16).hexdigest()}:{part}"
