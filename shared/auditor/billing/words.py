"""The words of billing: subscriptions, session units, what sessions come to, and balances."""

from typing import Final

from shared.auditor.billing import state
from shared.auditor.facts import Event
from shared.auditor.words import (
    ADMIN,
    PATIENT,
    SYSTEM,
    Change,
    CommandWords,
    EntityWords,
    EventWords,
    Notice,
    ServiceWords,
    both,
    patient,
    types,
)

SUBSCRIPTION: Final = "subscription"
SESSION_UNIT: Final = "session_unit"
SESSION: Final = "session"
BALANCE: Final = "balance"

ACTIVATED: Final = "billing.subscription.activated.v1"
IMPORTED: Final = "billing.subscription.imported.v1"
CANCELLED: Final = "billing.subscription.cancelled.v1"
EXPIRED: Final = "billing.subscription.expired.v1"
DEDUCTED: Final = "billing.session_unit.deducted.v1"
REVERSED: Final = "billing.session_unit.reversed.v1"
SETTLED: Final = "billing.session.settled.v1"
CHANGED: Final = "billing.balance.changed.v1"
LOW: Final = "billing.balance.low.v1"
EXHAUSTED: Final = "billing.balance.exhausted.v1"

#: What gives a patient units.
GRANTS: Final = frozenset({ACTIVATED, IMPORTED})

_REVERSE: Final = "billing.session_unit.reverse.v1"
_NEW: Final[frozenset[str | None]] = frozenset({None})
_ACTIVE: Final[frozenset[str | None]] = frozenset({"active"})
_MAY_GRANT: Final = frozenset({ADMIN, SYSTEM})
#: What else ending a subscription can lead to: units that had fallen due are paid from it, and patients are told.
_CAUGHT_UP: Final = frozenset({CHANGED, DEDUCTED, LOW, EXHAUSTED})


def _time_of(event: Event) -> int | None:
    if event.type == DEDUCTED:
        return int(event.state.due_us)
    # What a session was charged beyond its end is given back as of its end, which lies before.
    return event.time_us if event.type == REVERSED and event.command_type != _REVERSE else None


WORDS: Final = ServiceWords(
    name="billing",
    entities={
        SUBSCRIPTION: EntityWords(
            id_field="subscription_id",
            key_field="patient_id",
            deadline_field="ends_at",
            deadline_in=frozenset({"active"}),
            read=state.subscription,
        ),
        SESSION_UNIT: EntityWords(id_field="deduction_id", ids=("patient_id", "session_id", "subscription_id"), read=state.unit),
        SESSION: EntityWords(id_field="session_id", ids=("patient_id",), read=state.settlement),
        # Its version is the sequence of the balance, which every event that changes one carries.
        BALANCE: EntityWords(id_field="patient_id", key_field="patient_id", id_of=state.balance_id, is_versioned=False, read=state.note),
    },
    commands={
        "billing.subscription.activate.v1": CommandWords(outcomes=frozenset({ACTIVATED}), further=frozenset({CHANGED}), by=_MAY_GRANT),
        "billing.subscription.import.v1": CommandWords(outcomes=frozenset({IMPORTED}), further=frozenset({CHANGED}), by=_MAY_GRANT),
        "billing.subscription.cancel.v1": CommandWords(
            outcomes=frozenset({CANCELLED}), further=_CAUGHT_UP, by=frozenset({PATIENT, ADMIN, SYSTEM})
        ),
        "billing.subscription.expire.v1": CommandWords(outcomes=frozenset({EXPIRED}), further=_CAUGHT_UP, by=frozenset({SYSTEM})),
        "billing.session_unit.deduct.v1": CommandWords(outcomes=frozenset({DEDUCTED}), further=frozenset({DEDUCTED, LOW, EXHAUSTED})),
        _REVERSE: CommandWords(outcomes=frozenset({REVERSED}), further=frozenset({CHANGED}), by=_MAY_GRANT),
    },
    events={
        ACTIVATED: EventWords(change=Change(_NEW, "active"), notices=(Notice("subscription_activated", patient),)),
        IMPORTED: EventWords(change=Change(_NEW, "active")),
        CANCELLED: EventWords(change=Change(_ACTIVE, "cancelled")),
        EXPIRED: EventWords(change=Change(_ACTIVE, "expired"), notices=(Notice("subscription_expired", patient),)),
        DEDUCTED: EventWords(change=Change(_NEW, "deducted")),
        REVERSED: EventWords(change=Change(frozenset({"deducted"}), "reversed")),
        SETTLED: EventWords(change=Change(_NEW, None), notices=(Notice("session_settled", both),)),
        CHANGED: EventWords(),
        LOW: EventWords(key_field="doctor_id", notices=(Notice("balance_low", patient),)),
        EXHAUSTED: EventWords(key_field="doctor_id", notices=(Notice("balance_exhausted", patient),)),
    },
    hears=frozenset({"calls"}),
    is_ordered_by_patient=True,
    rules_with_422=frozenset({"ends_before_it_starts", "ends_in_the_past", "no_rate"}),
    closed_by_deadline=lambda event: event.type == EXPIRED,
    time_of=_time_of,
    sweeps=types("billing", "subscription", "expire"),
)
