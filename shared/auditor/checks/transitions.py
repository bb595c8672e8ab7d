"""What happened to an entity is what the rules allow: by status, by deadline, by time, by who did it, in the order of the log."""

from shared.auditor.facts import Event
from shared.auditor.history import Entity, History
from shared.auditor.instants import shown
from shared.auditor.report import ViolationKind
from shared.auditor.words import ADMIN, DOCTOR, PATIENT, SYSTEM

_FOR_ALL = frozenset({ADMIN, SYSTEM})


def check(history: History) -> None:
    """Walk every entity from its first version to its last, and look at what changed nothing."""
    for entity, changes in history.entities.items():
        previous: Event | None = None
        for event in changes:
            # Across a gap or a fork nothing can be said of the step: those have kinds of their own.
            if event.version == (1 if previous is None else previous.version + 1):
                _judge(history, entity, previous, event)
            previous = event
    for event in history.events.values():
        words = history.words.events.get(event.type)
        if words is not None and words.repeats_in is not None and event.status not in words.repeats_in:
            sentence = f"The event {event.id} ({event.type}) came for the {event.entity} {event.entity_id}, which is {event.status}."
            history.findings.add(ViolationKind.ILLEGAL_TRANSITION, sentence, history.of_event(event))


def _judge(history: History, entity: Entity, previous: Event | None, event: Event) -> None:
    proofs = (history.of_event(event),) if previous is None else (history.of_event(previous), history.of_event(event))
    for kind, fault in (
        (ViolationKind.ILLEGAL_TRANSITION, _step_fault(history, previous, event)),
        *_deadline_faults(history, previous, event),
        (ViolationKind.WRONG_BUSINESS_TIME, _time_fault(history, previous, event)),
        (ViolationKind.OUT_OF_LOG_ORDER, _order_fault(previous, event)),
        (ViolationKind.NOT_A_PARTY, _party_fault(history, event)),
    ):
        if fault is not None:
            sentence = f"The {entity[0]} {entity[1]}, version {event.version} ({event.type}): {fault}."
            history.findings.add(kind, sentence, *proofs)


def _step_fault(history: History, previous: Event | None, event: Event) -> str | None:
    before, change = None if previous is None else previous.status, history.words.change(event)
    assert change is not None
    if before not in change.before:
        return f"it was {before or 'not there'}, which does not allow this"
    if change.after is not None and event.status != change.after:
        return f"its status is {event.status} and not {change.after}"
    if previous is not None and (previous.doctor_id, previous.patient_id) != (event.doctor_id, event.patient_id):
        return "its parties changed"
    return None


def _deadline_faults(history: History, previous: Event | None, event: Event) -> list[tuple[ViolationKind, str | None]]:
    if previous is None or previous.deadline_us is None:
        return []
    command = history.deciding_command(event)
    log_time_us = event.time_us if command is None else command.log_time_us
    deadline = shown(previous.deadline_us)
    if not history.words.closed_by_deadline(event):
        if log_time_us > previous.deadline_us:
            return [(ViolationKind.AFTER_DEADLINE, f"it happened at {shown(log_time_us)}, after its deadline {deadline}")]
    elif min(event.time_us, log_time_us) < previous.deadline_us:
        return [(ViolationKind.BEFORE_DEADLINE, f"it was over at {shown(event.time_us)}, before its deadline {deadline}")]
    return []


def _time_fault(history: History, previous: Event | None, event: Event) -> str | None:
    """The time of an outcome is its command's append time, but never before the entity's last time; a deadline's own time is itself."""
    own_us = history.words.time_of(event)
    if own_us is not None:
        return None if event.time_us == own_us else f"its time is {shown(event.time_us)}, and by its own state {shown(own_us)}"
    earliest = 0 if previous is None else previous.time_us
    command = history.deciding_command(event)
    if event.decision_index > 0 or command is None:
        return "its time lies before that of the version before" if event.time_us < earliest else None
    expected = {max(earliest, command.log_time_us)}
    if previous is not None and previous.deadline_us is not None and history.words.closed_by_deadline(event):
        expected.add(previous.deadline_us)
    if event.time_us in expected:
        return None
    return f"its time is {shown(event.time_us)}, its command was appended at {shown(command.log_time_us)}"


def _order_fault(previous: Event | None, event: Event) -> str | None:
    if previous is None or not previous.shares_log_with(event) or previous.position < event.position:
        return None
    return "its command lies before that of the version before"


def _party_fault(history: History, event: Event) -> str | None:
    """Only a party may act, in its role."""
    command = history.deciding_command(event)
    words = None if command is None else history.words.commands.get(command.type)
    if command is None or words is None or words.by is None or command.actor is None or event.decision_index > 0:
        return None
    role, identifier = command.actor
    if role not in words.by:
        return f"its command came from the {role}, and only {', '.join(sorted(words.by))} may do this"
    if role in _FOR_ALL or identifier == {PATIENT: event.patient_id, DOCTOR: event.doctor_id}.get(role):
        return None
    return f"its command came from {identifier}, who is not its {role}"
