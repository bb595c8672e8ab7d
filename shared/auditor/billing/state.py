"""What billing's events say of subscriptions, units, sessions and balances."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.auditor.values import Fields, MalformedError, inside, instant, name, number, text

#: The modalities of a subscription's units, in the order in which an event tells of their balances.
MODALITIES = ("text", "voice", "video")


class Balance(NamedTuple):
    """One change of the units that a patient has of a modality."""

    patient_id: str
    modality: str
    sequence: int
    before: int
    after: int

    @property
    def units(self) -> int:
        """How many came; negative: how many went."""
        return self.after - self.before


class Money(NamedTuple):
    """An amount of money."""

    amount_minor: int
    currency: str


class Subscription(NamedTuple):
    """One subscription, as one event tells of it."""

    units: Mapping[str, int]
    remaining: Mapping[str, int]
    currency: str
    starts_us: int
    ends_us: int
    balance: Balance | None

    @property
    def terms(self) -> tuple[object, ...]:
        """What never changes of it."""
        return tuple(self.units.items()), self.currency, self.starts_us, self.ends_us


class Unit(NamedTuple):
    """One unit of a session that was taken, or given back."""

    session_id: str
    unit: int
    modality: str
    subscription_id: str
    due_us: int
    earning: Money
    reason_code: str | None
    balance: Balance

    @property
    def terms(self) -> tuple[object, ...]:
        """What never changes of it."""
        return self[:6]


class Settlement(NamedTuple):
    """What a session came to."""

    modality: str
    units_deducted: int
    units_refused: int
    earnings: tuple[Money, ...]


class Note(NamedTuple):
    """What is told of a balance: a further change, or that little or nothing is left."""

    modality: str
    session_id: str | None
    subscription_id: str | None
    remaining: int | None
    threshold: int | None
    balance: Balance | None


def subscription(fields: Fields) -> Subscription:
    """The subscription in an event.

    Raises:
        MalformedError: a field is missing or has another type.
    """
    return Subscription(
        units=_units(inside(fields, "units")),
        remaining=_units(inside(fields, "units_remaining")),
        currency=text(fields, "currency"),
        starts_us=instant(fields, "starts_at"),
        ends_us=instant(fields, "ends_at"),
        balance=None if fields.get("balance") is None else _balance(fields),
    )


def unit(fields: Fields) -> Unit:
    """The unit in an event.

    Raises:
        MalformedError: a field is missing or has another type.
    """
    return Unit(
        session_id=text(fields, "session_id"),
        unit=number(fields, "unit"),
        modality=text(fields, "modality"),
        subscription_id=text(fields, "subscription_id"),
        due_us=instant(fields, "due_at"),
        earning=_money(inside(fields, "earning")),
        reason_code=name(fields.get("reason_code")),
        balance=_balance(fields),
    )


def settlement(fields: Fields) -> Settlement:
    """What a session came to, in an event.

    Raises:
        MalformedError: a field is missing or has another type.
    """
    further = fields.get("further_earnings", [])
    if not isinstance(further, list):
        message = "further_earnings is no list"
        raise MalformedError(message)
    earnings = [inside(fields, "earning"), *(inside({"earning": money}, "earning") for money in further)]
    return Settlement(
        modality=text(fields, "modality"),
        units_deducted=number(fields, "units_deducted"),
        units_refused=number(fields, "units_refused"),
        earnings=tuple(map(_money, earnings)),
    )


def note(fields: Fields) -> Note:
    """What an event tells of a balance.

    Raises:
        MalformedError: a field is missing or has another type.
    """
    return Note(
        modality=text(fields, "modality"),
        session_id=name(fields.get("session_id")),
        subscription_id=name(fields.get("subscription_id")),
        remaining=fields.get("remaining") if isinstance(fields.get("remaining"), int) else None,
        threshold=fields.get("threshold") if isinstance(fields.get("threshold"), int) else None,
        balance=_balance(fields) if "balance" in fields else None,
    )


def balance_id(fields: Fields) -> str | None:
    """How people tell balances apart."""
    return name(f"{fields.get('patient_id')}:{fields.get('modality')}")


def _units(fields: Fields) -> dict[str, int]:
    return {modality: number(fields, modality) for modality in MODALITIES}


def _money(fields: Fields) -> Money:
    return Money(number(fields, "amount_minor"), text(fields, "currency"))


def _balance(fields: Fields) -> Balance:
    found = inside(fields, "balance")
    return Balance(
        text(found, "patient_id"), text(found, "modality"), number(found, "sequence"), _whole(found, "before"), _whole(found, "after")
    )


def _whole(fields: dict[str, Any], field: str) -> int:
    """A whole number; one below 0 is read, too, for a balance there has a kind of its own."""
    found = fields.get(field)
    if not isinstance(found, int) or isinstance(found, bool):
        message = f"{field} is no whole number"
        raise MalformedError(message)
    return found
