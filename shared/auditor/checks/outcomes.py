"""Every readable command gets exactly one outcome, and nothing that it could not lead to."""

from shared.auditor.envelopes import Readability
from shared.auditor.facts import Command, Event
from shared.auditor.history import History
from shared.auditor.report import ViolationKind
from shared.auditor.words import UNPROCESSABLE, entity_of


def check(history: History) -> None:
    """Judge every identity by the records that carry it and the events that name it."""
    for identity, attempts in history.attempts.items():
        if identity not in history.decisions:
            _judge_silence(history, attempts)
    for identity, events in history.decisions.items():
        _judge_decision(history, history.attempts.get(identity, []), events)


def _judge_silence(history: History, attempts: list[Command]) -> None:
    """No event names the command: right only while nobody has committed it."""
    decided = [command for command in attempts if history.is_decided(command)]
    history.in_flight_commands += len(attempts) - len(decided)
    letters = history.dead_letters_by_position
    owing = [
        command for command in decided if command.readability is Readability.READABLE or (command.partition, command.offset) not in letters
    ]
    if not owing:
        return
    reasons = sorted({letter.reason for command in owing for letter in letters.get((command.partition, command.offset), [])})
    why = f"; it was set aside as {', '.join(reasons)}" if reasons else ""
    sentence = f"The command {_name(owing[0].identity)} was committed by its consumer and has no outcome{why}."
    history.findings.add(ViolationKind.MISSING_OUTCOME, sentence, *map(history.of_command, owing))


def _judge_decision(history: History, attempts: list[Command], events: list[Event]) -> None:
    proofs = (*map(history.of_event, events), *map(history.of_command, attempts[:3]))
    name = _name(events[0].identity)
    indexes = [event.decision_index for event in events]
    if indexes.count(0) > 1 or len({(event.decision_topic, *event.position[:2]) for event in events}) > 1:
        sentence = f"The command {name} was decided more than once: {', '.join(event.type for event in events)}."
        history.findings.add(ViolationKind.SEVERAL_OUTCOMES, sentence, *proofs)
        return
    if indexes != list(range(len(events))):
        # A batch that is being published is cut anywhere; once committed it is whole.
        if _is_committed(history, events[0]):
            sentence = f"The events of the command {name} are numbered {indexes}."
            history.findings.add(ViolationKind.DECISION_INDEX_GAP, sentence, *proofs)
        return
    decided = history.deciding_command(events[0])
    fault = _fault(history, decided, events) if decided is not None else None
    if fault is not None:
        history.findings.add(ViolationKind.WRONG_OUTCOME, f"The command {name} has a wrong outcome: {fault}.", *proofs)


def _is_committed(history: History, event: Event) -> bool:
    return history.scope.is_committed(history.name, event.decision_topic, event.decision_partition, event.decision_offset)


def _fault(history: History, command: Command, events: list[Event]) -> str | None:
    """What is wrong with the events as the outcome of this command."""
    words = history.words.commands.get(command.type)
    if words is None:
        # A record that cannot be read: that has a kind of its own.
        return None
    outcome, further = events[0], events[1:]
    if command.key_is_wrong and not (outcome.is_refusal and outcome.status_code == UNPROCESSABLE):
        return "its key is not the id in its body that it must equal, which is refused with 422"
    if outcome.type not in words.outcomes and outcome.type != history.words.rejected(entity_of(command.type)):
        return f"{outcome.type} does not come from {command.type}"
    if command.entity_id is not None and outcome.entity_id not in {command.entity_id, None}:
        return f"it asked for {command.entity_id}, and {outcome.entity_id} is what it got"
    if not outcome.is_refusal and command.patient_id not in {outcome.patient_id, None}:
        return f"it was for the patient {command.patient_id}, and {outcome.patient_id} is who got it"
    strangers = [event.type for event in further if event.type not in words.further]
    return f"its decision also published {', '.join(strangers)}" if strangers else None


def _name(identity: str) -> str:
    source, _, identifier = identity.partition("\n")
    return f"{identifier} of {source}"
