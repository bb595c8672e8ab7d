"""Every event was decided from the record that it names, and that record was a command, or an event that its service hears."""

from shared.auditor.envelopes import Readability
from shared.auditor.facts import Event
from shared.auditor.history import History
from shared.auditor.report import ViolationKind


def check(history: History) -> None:
    """Look up the cause of every event."""
    heard = {other.topics.events: other for name, other in history.others.items() if name in history.words.hears}
    for event in history.events.values():
        if event.decision_offset < history.scope.beginning(event.decision_topic, event.decision_partition):
            continue
        if event.decision_topic == history.topics.commands:
            _judge(history, event)
        elif event.decision_topic in heard:
            _judge_heard(history, heard[event.decision_topic], event)


def _judge(history: History, event: Event) -> None:
    command = history.deciding_command(event)
    place = _place(event)
    if command is None:
        sentence = f"The event {event.id} was decided from {place}, where no command lies."
        history.findings.add(ViolationKind.EVENT_WITHOUT_COMMAND, sentence, history.of_event(event))
        return
    proofs = (history.of_event(event), history.of_command(command))
    if command.readability is Readability.UNREADABLE:
        sentence = f"The event {event.id} was decided from {place}, a record that cannot be read."
        history.findings.add(ViolationKind.EVENT_FROM_BAD_RECORD, sentence, *proofs)
    elif (command.identity, command.type) != (event.identity, event.command_type):
        sentence = f"The event {event.id} names another command than the one at {place}."
        history.findings.add(ViolationKind.EVENT_WITHOUT_COMMAND, sentence, *proofs)


def _judge_heard(history: History, other: History, event: Event) -> None:
    source, _, identifier = event.identity.partition("\n")
    cause = other.events.get(identifier)
    if cause is None or (source, cause.type) != (other.words.source, event.command_type):
        sentence = f"The event {event.id} was decided from {_place(event)} of {event.decision_topic}, and no event {identifier} lies there."
        history.findings.add(ViolationKind.EVENT_WITHOUT_COMMAND, sentence, history.of_event(event))


def _place(event: Event) -> str:
    return f"partition {event.decision_partition}, offset {event.decision_offset}"
