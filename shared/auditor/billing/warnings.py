"""That little is left is told once after each grant, that nothing is left once for each session, which calls are asked to end."""

from collections import defaultdict
from itertools import pairwise

from shared.auditor.billing.words import EXHAUSTED, GRANTS, LOW, SETTLED
from shared.auditor.facts import Event
from shared.auditor.history import History
from shared.auditor.report import ViolationKind


def check(history: History) -> None:
    """Count the warnings of every balance and of every session, and look for what follows from them."""
    low: defaultdict[str, list[Event]] = defaultdict(list)
    exhausted: defaultdict[str, list[Event]] = defaultdict(list)
    grants: defaultdict[str, set[int]] = defaultdict(set)
    for event in history.events.values():
        if event.type == LOW:
            low[event.entity_id or ""].append(event)
        elif event.type == EXHAUSTED:
            exhausted[event.state.session_id or ""].append(event)
        elif (balance := getattr(event.state, "balance", None)) is not None and (event.type in GRANTS or balance.units > 1):
            grants[f"{balance.patient_id}:{balance.modality}"].add(balance.sequence)
    for identifier, events in low.items():
        _judge_low(history, identifier, sorted(events, key=lambda event: event.version), grants[identifier])
    for session_id, events in exhausted.items():
        if len(events) > 1:
            sentence = f"That no unit is left was told {len(events)} times for the session {session_id}."
            history.findings.add(ViolationKind.TOLD_TWICE, sentence, *map(history.of_event, events))
    _judge_requests(history, [event for events in exhausted.values() for event in events])


def _judge_low(history: History, identifier: str, events: list[Event], grants: set[int]) -> None:
    for one, other in pairwise(events):
        if not any(one.version < sequence <= other.version for sequence in grants):
            sentence = f"That few units are left of {identifier} was told twice after one grant."
            history.findings.add(ViolationKind.TOLD_TWICE, sentence, history.of_event(one), history.of_event(other))
    for event in events:
        if (event.state.remaining or 0) > (event.state.threshold or 0):
            sentence = f"The event {event.id} says that few units are left: {event.state.remaining}, and {event.state.threshold} are few."
            history.findings.add(ViolationKind.BALANCE_BROKEN, sentence, history.of_event(event))


def _judge_requests(history: History, exhausted: list[Event]) -> None:
    """Calls are asked to end a session that nothing is left for, unless it is over anyway."""
    calls = history.others.get("calls")
    if calls is None or history.scope.is_trimmed(calls.topics.commands):
        return
    asked = {
        (command.entity_id, command.cause) for command in calls.all_commands() if command.identity.startswith(f"{history.words.source}\n")
    }
    for event in exhausted:
        was_over = any(other.type == SETTLED for other in history.decisions.get(event.identity, []))
        request = (event.state.session_id, event.identity.rpartition("\n")[2])
        if not was_over and request not in asked and not history.is_in_flight(event):
            sentence = f"No unit is left for the session {event.state.session_id}, and calls were not asked to end it."
            history.findings.add(ViolationKind.MISSING_REQUEST, sentence, history.of_event(event))
