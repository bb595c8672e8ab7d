"""Every readable command gets exactly one outcome, and nothing that it could not lead to."""

from shared.auditor.envelopes import Readability
from shared.auditor.history import Command, Event, History
from shared.auditor.report import ViolationKind
from shared.auditor.vocabulary import FURTHER_EVENTS_OF, OUTCOME_OF, REJECTED, UNPROCESSABLE


def check(history: History) -> None:
    """Judge every identity by the records that carry it and the events that name it."""
    for identity, attempts in history.attempts.items():
        events = history.decisions.get(identity)
        if events is None:
            _judge_silence(history, attempts)
        else:
            _judge_decision(history, attempts, events)


def _judge_silence(history: History, attempts: list[Command]) -> None:
    """No event names the command: right only while nobody has committed it."""
    decided = [command for command in attempts if history.is_decided(command)]
    history.findings.in_flight_commands += len(attempts) - len(decided)
    letters = history.dead_letters_by_position
    owing = [
        command for command in decided if command.readability is Readability.READABLE or (command.partition, command.offset) not in letters
    ]
    if not owing:
        return
    reasons = sorted({letter.reason for command in owing for letter in letters.get((command.partition, command.offset), [])})
    why = f"; it was set aside as {', '.join(reasons)}" if reasons else ""
    sentence = f"The command {_name(owing[0])} was committed by its consumer and has no outcome{why}."
    history.findings.add(ViolationKind.MISSING_OUTCOME, sentence, *map(history.of_command, owing))


def _judge_decision(history: History, attempts: list[Command], events: list[Event]) -> None:
    proofs = (*map(history.of_event, events), *map(history.of_command, attempts[:3]))
    name = _name(attempts[0])
    outcomes = [event for event in events if event.decision_index == 0]
    if len(outcomes) > 1 or len({event.position[:2] for event in events}) > 1:
        sentence = f"The command {name} was decided more than once: {', '.join(event.type for event in events)}."
        history.findings.add(ViolationKind.SEVERAL_OUTCOMES, sentence, *proofs)
        return
    if [event.decision_index for event in events] != list(range(len(events))):
        # A batch that is being published is cut anywhere; once committed it is whole.
        if history.scope.is_decided(events[0].decision_partition, events[0].decision_offset):
            sentence = f"The events of the command {name} are numbered {[event.decision_index for event in events]}."
            history.findings.add(ViolationKind.DECISION_INDEX_GAP, sentence, *proofs)
        return
    decided = history.deciding_command(events[0])
    fault = _fault(decided, events) if decided is not None else None
    if fault is not None:
        history.findings.add(ViolationKind.WRONG_OUTCOME, f"The command {name} has a wrong outcome: {fault}.", *proofs)


def _fault(command: Command, events: list[Event]) -> str | None:
    """What is wrong with the events as the outcome of this command."""
    outcome, further = events[0], events[1:]
    allowed = FURTHER_EVENTS_OF.get(command.type, frozenset())
    is_refused = outcome.type == REJECTED
    if command.key_is_wrong and not (is_refused and outcome.status_code == UNPROCESSABLE):
        return "its key is not the doctor's id in its body, which is refused with 422"
    if not is_refused and outcome.type != OUTCOME_OF.get(command.type):
        return f"{outcome.type} does not come from {command.type}"
    if command.appointment_id is not None and outcome.appointment_id not in {command.appointment_id, None}:
        return f"it asked for {command.appointment_id}, and {outcome.appointment_id} is what it got"
    if not is_refused and command.patient_id not in {outcome.patient_id, None}:
        return f"it was for the patient {command.patient_id}, and {outcome.patient_id} is who got it"
    strangers = [event.type for event in further if event.type not in allowed]
    return f"its decision also published {', '.join(strangers)}" if strangers else None


def _name(command: Command) -> str:
    source, _, identifier = command.identity.partition("\n")
    return f"{identifier} of {source}"
