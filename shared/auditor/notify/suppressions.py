"""Whoever is not told has opted out, or what they would have been told was no longer true; that there is no address no topic says."""

from collections.abc import Iterator

from shared.auditor.facts import Event
from shared.auditor.history import History
from shared.auditor.notify.state import IN_APP, Notification
from shared.auditor.notify.words import NO_CHANNEL, NOTIFICATION, OPTED_OUT, PREFERENCES, STALE, TRUE_WHILE
from shared.auditor.report import ViolationKind


def check(history: History) -> None:
    """Look up the reason of every suppression."""
    is_trimmed = history.scope.is_trimmed(history.topics.events)
    for identifier, changes in history.entities_of(NOTIFICATION):
        unwanted = None if is_trimmed else _ever_unwanted(history, changes[0].state.request.recipient_id)
        for event in changes:
            for fault in _faults(history, event.state, event.version, unwanted):
                sentence = f"The notification {identifier}, version {event.version} ({event.type}): {fault}."
                history.findings.add(ViolationKind.UNFOUNDED_SUPPRESSION, sentence, history.of_event(event))


def _ever_unwanted(history: History, recipient_id: str) -> frozenset[str]:
    """The channels that the recipient did not want at some time: which of the times a delivery was judged at, no topic says."""
    changes: list[Event] = history.entities.get((PREFERENCES, recipient_id), [])
    return frozenset().union(*(change.state.unwanted for change in changes))


def _faults(history: History, told: Notification, version: int, unwanted: frozenset[str] | None) -> Iterator[str]:
    # The first event tells of all channels, each later one of its own.
    for delivery in told.deliveries:
        if version > 1 and delivery.channel != told.channel:
            continue
        if delivery.reason == OPTED_OUT and unwanted is not None and delivery.channel not in unwanted:
            yield f"the recipient has never opted out of {delivery.channel}"
        if delivery.reason == NO_CHANNEL and delivery.channel == IN_APP:
            yield "the inbox is there for everybody"
    if told.reason == STALE:
        yield from _faults_of_staleness(history, told)


def _faults_of_staleness(history: History, told: Notification) -> Iterator[str]:
    true_while = TRUE_WHILE.get(told.request.template)
    if true_while is None:
        yield f"{told.request.template} is true for ever"
        return
    other = history.others.get(true_while.service)
    if other is None or other.scope.is_trimmed(other.topics.events):
        return
    changes = other.entities.get((true_while.entity, told.request.about_id), [])
    if not any(change.version >= told.request.about_version and change.status not in true_while.statuses for change in changes):
        yield f"nothing has made {told.request.template} of {told.request.about_id} untrue"
