"""Versions count the changes of an entity: 1, 2, 3 … without gaps, one event each; what changes nothing repeats the current one."""

from itertools import pairwise

from shared.auditor.facts import Event
from shared.auditor.history import Entity, History
from shared.auditor.report import ViolationKind
from shared.auditor.words import NOT_FOUND, UNPROCESSABLE


def check(history: History) -> None:
    """Judge every entity's versions, and every event that repeats one."""
    for entity, changes in history.entities.items():
        _judge_sequence(history, entity, changes)
    for event in history.events.values():
        is_versioned = history.words.entities[event.entity].is_versioned
        if event.entity_id is not None and is_versioned and not history.is_change(event):
            _judge_repetition(history, (event.entity, event.entity_id), event)


def _judge_sequence(history: History, entity: Entity, changes: list[Event]) -> None:
    name = f"the {entity[0]} {entity[1]}"
    for one, other in pairwise(changes):
        if one.version == other.version:
            sentence = f"Version {one.version} of {name} is claimed by {one.type} and by {other.type}."
            history.findings.add(ViolationKind.VERSION_TAKEN_TWICE, sentence, history.of_event(one), history.of_event(other))
    if history.is_in_flight(changes[0]):
        return
    # What retention removed can only lie before what is left.
    first = changes[0].version - 1 if history.scope.is_trimmed(history.topics.events) else 0
    versions = sorted({event.version for event in changes})
    for before, event in zip([first, *versions], _one_of_each_version(changes), strict=False):
        if event.version != before + 1:
            sentence = f"{name.capitalize()} goes from version {before} to {event.version}."
            history.findings.add(ViolationKind.VERSION_GAP, sentence, history.of_event(event))


def _one_of_each_version(changes: list[Event]) -> list[Event]:
    return list({event.version: event for event in reversed(changes)}.values())[::-1]


def _judge_repetition(history: History, entity: Entity, event: Event) -> None:
    """A refusal or a warning repeats the version that was current where the log decided it."""
    changes = history.entities.get(entity, [])
    if changes and changes[0].key != event.key:
        # Refused as unknown under this key; the true one's log has another order.
        return
    if history.is_in_flight(event) or history.scope.is_trimmed(history.topics.events):
        return
    if not all(change.shares_log_with(event) for change in changes):
        return
    current = max((change.version for change in changes if change.position < event.position), default=0)
    # Wrong data is refused before the entity is looked at; and what is not theirs does not exist for those who ask.
    allowed = {current, 0} if event.status_code in {UNPROCESSABLE, NOT_FOUND} else {current}
    if event.version not in allowed:
        sentence = f"The event {event.id} ({event.type}) carries version {event.version}; {current} was current."
        history.findings.add(ViolationKind.VERSION_NOT_CURRENT, sentence, history.of_event(event))
