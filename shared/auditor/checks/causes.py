"""Every event was decided from the record that it names, and that record was a command."""

from shared.auditor.envelopes import Readability
from shared.auditor.history import Event, History
from shared.auditor.report import ViolationKind


def check(history: History) -> None:
    """Look up the command of every event."""
    for event in history.events.values():
        if event.decision_offset >= history.scope.beginning(history.topics.commands, event.decision_partition):
            _judge(history, event)


def _judge(history: History, event: Event) -> None:
    command = history.deciding_command(event)
    place = f"partition {event.decision_partition}, offset {event.decision_offset}"
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
