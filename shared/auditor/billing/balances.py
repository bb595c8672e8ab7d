"""Each balance adds up: what was granted, less what was deducted and what lapsed, and what was reversed, at every prefix by its sequence."""

from collections import defaultdict
from typing import Final, NamedTuple

from shared.auditor.billing.state import MODALITIES, Balance
from shared.auditor.billing.words import CANCELLED, CHANGED, DEDUCTED, EXPIRED, GRANTS, REVERSED, SUBSCRIPTION
from shared.auditor.facts import Event
from shared.auditor.history import History
from shared.auditor.report import ViolationKind

_ENDS: Final = frozenset({CANCELLED, EXPIRED})


class _Change(NamedTuple):
    """One change of a balance, and the event that tells of it."""

    balance: Balance
    subscription_id: str
    event: Event


def check(history: History) -> None:
    """Judge every balance by all that changed it, in the order of its sequence."""
    balances: defaultdict[tuple[str, str], list[_Change]] = defaultdict(list)
    for change in filter(None, map(_change, history.events.values())):
        balances[change.balance.patient_id, change.balance.modality].append(change)
    for changes in balances.values():
        changes.sort(key=lambda change: change.balance.sequence)
        _judge_sequence(history, changes)
        for change in changes:
            _judge_change(history, change)
    _judge_subscriptions(history, [change for changes in balances.values() for change in changes])


def _change(event: Event) -> _Change | None:
    balance = None if event.state is None else getattr(event.state, "balance", None)
    if balance is None:
        return None
    subscription_id = event.entity_id if event.entity == SUBSCRIPTION else event.state.subscription_id
    return _Change(balance, subscription_id or "", event)


def _judge_sequence(history: History, changes: list[_Change]) -> None:
    in_flight = any(history.is_in_flight(change.event) for change in changes)
    is_trimmed = history.scope.is_trimmed(history.topics.events)
    first = changes[0].balance
    name = f"The {first.modality} units of {first.patient_id}"
    before: _Change | None = None
    for change in changes:
        balance = change.balance
        expected = (before.balance.sequence + 1) if before is not None else balance.sequence if is_trimmed else 1
        proofs = (history.of_event(change.event),) if before is None else (history.of_event(before.event), history.of_event(change.event))
        if balance.sequence != expected and not (in_flight and balance.sequence > expected):
            sentence = f"{name} change with sequence {balance.sequence} where {expected} comes next."
            history.findings.add(ViolationKind.BALANCE_SEQUENCE, sentence, *proofs)
        elif balance.sequence == expected:
            left = 0 if before is None else before.balance.after
            if balance.before != left and not (before is None and is_trimmed):
                sentence = f"{name} are {balance.before} before change {balance.sequence}, and were {left} after the one before."
                history.findings.add(ViolationKind.BALANCE_BROKEN, sentence, *proofs)
        if min(balance.before, balance.after) < 0:
            history.findings.add(ViolationKind.NEGATIVE_BALANCE, f"{name} fell to {min(balance.before, balance.after)}.", *proofs)
        before = change


def _judge_change(history: History, change: _Change) -> None:
    """What an event does to a balance is what it says that it does."""
    event, balance = change.event, change.balance
    if balance.patient_id != event.patient_id:
        fault: str | None = f"it changes a balance of {balance.patient_id}"
    elif event.type in {DEDUCTED, REVERSED}:
        expected = -1 if event.type == DEDUCTED else 1
        fault = None if (balance.modality, balance.units) == (event.state.modality, expected) else "it moves one unit of its modality"
    elif event.type in GRANTS:
        granted = event.state.units[balance.modality]
        fault = None if balance.units == granted else f"it grants {granted} {balance.modality} units, and {balance.units} come"
    elif event.type == CHANGED and balance.modality != event.state.modality:
        fault = f"it tells of {event.state.modality} and changes {balance.modality}"
    else:
        fault = None
    if fault is not None:
        sentence = f"The event {event.id} ({event.type}) breaks the balance: {fault}."
        history.findings.add(ViolationKind.BALANCE_BROKEN, sentence, history.of_event(event))


def _judge_subscriptions(history: History, changes: list[_Change]) -> None:
    """Of each subscription what it began with comes in, and all that goes out comes from it; when it ends nothing is left."""
    if history.scope.is_trimmed(history.topics.events):
        return
    moved: defaultdict[str, defaultdict[str, list[_Change]]] = defaultdict(lambda: defaultdict(list))
    for change in changes:
        moved[change.subscription_id][change.balance.modality].append(change)
    for identifier, versions in history.entities_of(SUBSCRIPTION):
        by_modality = moved.pop(identifier, defaultdict(list))
        if any(history.is_in_flight(event) for event in versions):
            continue
        for modality in MODALITIES:
            _judge_subscription(history, versions, modality, by_modality[modality])
    for identifier, by_modality in moved.items():
        stray = next(iter(by_modality.values()))[0].event
        if not history.is_in_flight(stray):
            sentence = f"The event {stray.id} moves units of the subscription {identifier}, which nobody has activated."
            history.findings.add(ViolationKind.BALANCE_BROKEN, sentence, history.of_event(stray))


def _judge_subscription(history: History, versions: list[Event], modality: str, changes: list[_Change]) -> None:
    first, last = versions[0], versions[-1]
    name = f"The subscription {first.entity_id}"
    left = 0
    for number, change in enumerate(changes):
        left += change.balance.units
        if number == 0 and (change.event.identity != first.identity or left != first.state.units[modality]):
            sentence = f"{name} began with {first.state.units[modality]} {modality} units, and {left} came first."
            history.findings.add(ViolationKind.BALANCE_BROKEN, sentence, history.of_event(first), history.of_event(change.event))
        if left < 0:
            sentence = f"{name} gave {-left} {modality} units more than it had."
            history.findings.add(ViolationKind.NEGATIVE_BALANCE, sentence, history.of_event(change.event))
    if not changes and first.state.units[modality]:
        sentence = f"{name} began with {first.state.units[modality]} {modality} units, and none came."
        history.findings.add(ViolationKind.BALANCE_BROKEN, sentence, history.of_event(first))
    if last.type in _ENDS and (left != 0 or last.state.remaining[modality] != 0):
        sentence = f"{name} is {last.status}, and {left} {modality} units are left of it."
        history.findings.add(ViolationKind.BALANCE_BROKEN, sentence, history.of_event(last))
