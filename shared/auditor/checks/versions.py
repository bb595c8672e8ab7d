"""Versions count the changes of an entity: 1, 2, 3 … without gaps, one event each; what changes nothing repeats the current one."""

from itertools import pairwise

from shared.auditor.history import Event, History
from shared.auditor.report import ViolationKind
from shared.auditor.vocabulary import CHANGES, UNPROCESSABLE


def check(history: History) -> None:
    """Judge every appointment's versions, and every event that repeats one."""
    for appointment_id, changes in history.appointments.items():
        _judge_sequence(history, appointment_id, changes)
    for event in history.events.values():
        if event.type not in CHANGES and event.appointment_id is not None:
            _judge_repetition(history, event)


def _judge_sequence(history: History, appointment_id: str, changes: list[Event]) -> None:
    for one, other in pairwise(changes):
        if one.version == other.version:
            sentence = f"Version {one.version} of the appointment {appointment_id} is claimed by {one.type} and by {other.type}."
            history.findings.add(ViolationKind.VERSION_TAKEN_TWICE, sentence, history.of_event(one), history.of_event(other))
    if changes[0].doctor_id in history.doctors_in_flight:
        return
    # What retention removed can only lie before what is left.
    first = changes[0].version - 1 if history.scope.is_trimmed(history.topics.events) else 0
    versions = sorted({event.version for event in changes})
    for before, event in zip([first, *versions], changes_by_version(changes), strict=False):
        if event.version != before + 1:
            sentence = f"The appointment {appointment_id} goes from version {before} to {event.version}."
            history.findings.add(ViolationKind.VERSION_GAP, sentence, history.of_event(event))


def changes_by_version(changes: list[Event]) -> list[Event]:
    """The first event of each version."""
    return list({event.version: event for event in reversed(changes)}.values())[::-1]


def _judge_repetition(history: History, event: Event) -> None:
    """A refusal or a warning repeats the version that was current where the log decided it."""
    changes = history.appointments.get(event.appointment_id or "", [])
    if changes and changes[0].doctor_id != event.doctor_id:
        # Refused as unknown under this doctor; the true doctor's log has another order.
        return
    if event.doctor_id in history.doctors_in_flight or history.scope.is_trimmed(history.topics.events):
        return
    if any(change.decision_partition != event.decision_partition for change in changes):
        return
    current = max((change.version for change in changes if change.position < event.position), default=0)
    # Wrong data is refused before the entity is looked at.
    allowed = {current, 0} if event.status_code == UNPROCESSABLE else {current}
    if event.version not in allowed:
        sentence = f"The event {event.id} ({event.type}) carries version {event.version}; {current} was current."
        history.findings.add(ViolationKind.VERSION_NOT_CURRENT, sentence, history.of_event(event))
