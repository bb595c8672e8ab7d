"""What happened to an appointment is what the rules allow: by status, by deadline, by time, in the order of the log."""

from shared.auditor.history import Event, History
from shared.auditor.instants import shown
from shared.auditor.report import ViolationKind
from shared.auditor.vocabulary import ANSWERS, CHANGES, EXPIRED, EXPIRING

_PENDING = "pending"


def check(history: History) -> None:
    """Walk every appointment from its first version to its last, and look at what warned of its end."""
    for appointment_id, changes in history.appointments.items():
        previous: Event | None = None
        for event in changes:
            # Across a gap or a fork nothing can be said of the step: those have kinds of their own.
            if event.version == (1 if previous is None else previous.version + 1):
                _judge(history, appointment_id, previous, event)
            previous = event
    for event in history.events.values():
        if event.type == EXPIRING and event.status != _PENDING:
            sentence = f"The event {event.id} warns of the expiry of an appointment that is {event.status}."
            history.findings.add(ViolationKind.ILLEGAL_TRANSITION, sentence, history.of_event(event))


def _judge(history: History, appointment_id: str, previous: Event | None, event: Event) -> None:
    proofs = (history.of_event(event),) if previous is None else (history.of_event(previous), history.of_event(event))
    for kind, fault in (
        (ViolationKind.ILLEGAL_TRANSITION, _step_fault(previous, event)),
        *_deadline_faults(history, previous, event),
        (ViolationKind.WRONG_BUSINESS_TIME, _time_fault(history, previous, event)),
        (ViolationKind.OUT_OF_LOG_ORDER, _order_fault(previous, event)),
    ):
        if fault is not None:
            sentence = f"The appointment {appointment_id}, version {event.version} ({event.type}): {fault}."
            history.findings.add(kind, sentence, *proofs)


def _step_fault(previous: Event | None, event: Event) -> str | None:
    before, change = None if previous is None else previous.status, CHANGES[event.type]
    if before not in change.before:
        return f"it was {before or 'not there'}, which does not allow this"
    if event.status != change.after:
        return f"its status is {event.status} and not {change.after}"
    if (event.expires_us is None) is (event.status == _PENDING):
        return "expires_at is there exactly while it is pending"
    if (event.status == "cancelled") is (event.cancelled_by is None):
        return "cancelled_by is there exactly when it is cancelled"
    if previous is not None and _lasting(previous) != _lasting(event):
        return "its parties, its time or its length changed"
    return None


def _lasting(event: Event) -> tuple[str, str | None, int, int]:
    """What none of the changes so far may touch."""
    return event.doctor_id, event.patient_id, event.starts_us, event.duration_minutes


def _deadline_faults(history: History, previous: Event | None, event: Event) -> list[tuple[ViolationKind, str | None]]:
    if previous is None or previous.expires_us is None:
        return []
    command = history.deciding_command(event)
    log_time_us = event.time_us if command is None else command.log_time_us
    deadline = shown(previous.expires_us)
    if event.type in ANSWERS and log_time_us > previous.expires_us:
        return [(ViolationKind.AFTER_DEADLINE, f"it was answered at {shown(log_time_us)}, after its deadline {deadline}")]
    if event.type == EXPIRED and min(event.time_us, log_time_us) < previous.expires_us:
        return [(ViolationKind.BEFORE_DEADLINE, f"it expired at {shown(event.time_us)}, before its deadline {deadline}")]
    return []


def _time_fault(history: History, previous: Event | None, event: Event) -> str | None:
    """The time of an outcome is its command's append time, but never before the entity's last time; a deadline's own time is itself."""
    earliest = 0 if previous is None else previous.time_us
    command = history.deciding_command(event)
    if event.decision_index > 0 or command is None:
        return "its time lies before that of the version before" if event.time_us < earliest else None
    expected = {max(earliest, command.log_time_us)}
    if event.type == EXPIRED and previous is not None and previous.expires_us is not None:
        expected.add(previous.expires_us)
    if event.time_us in expected:
        return None
    return f"its time is {shown(event.time_us)}, its command was appended at {shown(command.log_time_us)}"


def _order_fault(previous: Event | None, event: Event) -> str | None:
    if previous is None or previous.decision_partition != event.decision_partition or previous.position < event.position:
        return None
    return "its command lies before that of the version before"
