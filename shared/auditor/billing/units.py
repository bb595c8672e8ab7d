"""A unit of a session is deducted once, for ever, and its doctor earns for it one to one; a reversal takes back just that."""

from collections import defaultdict

from shared.auditor.billing.words import DEDUCTED, SESSION_UNIT, SUBSCRIPTION
from shared.auditor.facts import Event
from shared.auditor.history import History
from shared.auditor.report import ViolationKind


def check(history: History) -> None:
    """Judge every unit by itself, and those of a session together."""
    of_sessions: defaultdict[str, list[Event]] = defaultdict(list)
    for _, changes in history.entities_of(SESSION_UNIT):
        _judge_unit(history, changes)
        if changes[0].type == DEDUCTED:
            of_sessions[changes[0].state.session_id].append(changes[0])
    for session_id, deducted in of_sessions.items():
        _judge_session(history, session_id, deducted)


def _judge_unit(history: History, changes: list[Event]) -> None:
    first = changes[0]
    for event in changes[1:]:
        if event.state.terms != first.state.terms:
            sentence = f"The deduction {first.entity_id} was {event.status} as something else than it was deducted as."
            history.findings.add(ViolationKind.WRONG_EARNING, sentence, history.of_event(first), history.of_event(event))
    fault = _earning_fault(history, first)
    if fault is not None:
        sentence = f"The deduction {first.entity_id} earns {first.state.earning.amount_minor} {first.state.earning.currency}: {fault}."
        history.findings.add(ViolationKind.WRONG_EARNING, sentence, history.of_event(first))


def _earning_fault(history: History, event: Event) -> str | None:
    amount, currency = event.state.earning
    subscription = history.entities.get((SUBSCRIPTION, event.state.subscription_id))
    if subscription is not None and subscription[0].state.currency != currency:
        return f"its subscription is in {subscription[0].state.currency}"
    if subscription is not None and subscription[0].patient_id != event.patient_id:
        return f"its subscription is {subscription[0].patient_id}'s, and {event.patient_id} is who pays"
    rules = history.scope.rules
    rate = None if rules is None else rules.rates.get(currency, {}).get(event.state.modality)
    return None if rate in {None, amount} else f"the rate is {rate}"


def _judge_session(history: History, session_id: str, deducted: list[Event]) -> None:
    by_unit: defaultdict[int, list[Event]] = defaultdict(list)
    for event in deducted:
        by_unit[event.state.unit].append(event)
    for unit, events in by_unit.items():
        if len(events) > 1:
            sentence = f"Unit {unit} of the session {session_id} was deducted {len(events)} times."
            history.findings.add(ViolationKind.UNIT_DEDUCTED_TWICE, sentence, *map(history.of_event, events))
    missing = set(range(1, max(by_unit) + 1)) - by_unit.keys()
    if missing and not history.scope.is_trimmed(history.topics.events) and not history.is_in_flight(deducted[0]):
        sentence = f"The session {session_id} was charged unit {max(by_unit)} and not unit {min(missing)}, which fell due before it."
        history.findings.add(ViolationKind.WRONG_UNITS, sentence, *map(history.of_event, deducted))
