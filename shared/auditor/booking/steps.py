"""What each change of an appointment or of a time off may touch, and when it may come."""

from collections.abc import Iterator
from itertools import pairwise

from shared.auditor.booking.state import Appointment
from shared.auditor.booking.words import (
    APPOINTMENT,
    BOOKED,
    COMPLETED,
    IMPORTED,
    NO_SHOW,
    PROPOSED,
    RESCHEDULE_REJECTED,
    RESCHEDULE_WITHDRAWN,
    RESCHEDULED,
    TIME_OFF,
    WAITING,
)
from shared.auditor.facts import Event
from shared.auditor.history import History
from shared.auditor.instants import shown
from shared.auditor.report import ViolationKind
from shared.auditor.words import DOCTOR


def check(history: History) -> None:
    """Walk every appointment and every time off."""
    for kind in (APPOINTMENT, TIME_OFF):
        for identifier, changes in history.entities_of(kind):
            for previous, event in ((None, changes[0]), *pairwise(changes)):
                if previous is not None and event.version != previous.version + 1:
                    # Across a gap or a fork nothing can be said of the step.
                    continue
                faults = (
                    _faults_of_an_appointment(history, previous, event) if kind == APPOINTMENT else _faults_of_time_off(previous, event)
                )
                for violation, fault in faults:
                    sentence = f"The {kind} {identifier}, version {event.version} ({event.type}): {fault}."
                    proofs = (event,) if previous is None else (previous, event)
                    history.findings.add(violation, sentence, *map(history.of_event, proofs))


def _faults_of_an_appointment(history: History, previous: Event | None, event: Event) -> Iterator[tuple[ViolationKind, str]]:
    for fault in (_shape_fault(event), _move_fault(previous, event), _answer_fault(previous, event), _past_fault(event)):
        if fault is not None:
            yield ViolationKind.ILLEGAL_TRANSITION, fault
    early = _early_fault(history, event)
    if early is not None:
        yield ViolationKind.BEFORE_DEADLINE, early


def _shape_fault(event: Event) -> str | None:
    """What is there exactly in some statuses."""
    appointment: Appointment = event.state
    is_proposed = event.status == "reschedule_proposed"
    if (event.deadline_us is not None) is not (event.status in WAITING):
        return "expires_at is there exactly while somebody must answer"
    if (appointment.proposed_starts_us is not None) is not is_proposed or (
        appointment.status_before_proposal is not None
    ) is not is_proposed:
        return "what is proposed, and what was before, are there exactly while a reschedule is proposed"
    if event.type == IMPORTED:
        # Nobody says who called it off elsewhere, or who did not come.
        return None
    if (appointment.cancelled_by is not None) is not (event.status == "cancelled"):
        return "cancelled_by is there exactly when it is cancelled"
    if (appointment.absent is not None) is not (event.status == "no_show"):
        return "absent is there exactly when somebody did not come"
    return None


def _move_fault(previous: Event | None, event: Event) -> str | None:
    """An appointment moves only where a proposal was accepted, and never takes longer or shorter."""
    if previous is None:
        return None
    before: Appointment = previous.state
    after: Appointment = event.state
    if before.duration_minutes != after.duration_minutes:
        return f"it took {before.duration_minutes} minutes and now takes {after.duration_minutes}"
    expected = before.proposed_starts_us if event.type == RESCHEDULED else before.starts_us
    return None if after.starts_us == expected else f"it starts at {shown(after.starts_us)} and not at {shown(expected)}"


def _answer_fault(previous: Event | None, event: Event) -> str | None:
    """A proposal remembers what was before, and is undone to just that."""
    if previous is None:
        return None
    before: Appointment = previous.state
    if event.type == PROPOSED and event.state.status_before_proposal != previous.status:
        return f"it remembers {event.state.status_before_proposal}, and was {previous.status}"
    if event.type in {RESCHEDULE_REJECTED, RESCHEDULE_WITHDRAWN} and event.status != before.status_before_proposal:
        return f"it is {event.status} again, and was {before.status_before_proposal}"
    return None


def _past_fault(event: Event) -> str | None:
    """Nothing is taken of what has passed, and no answer is waited for beyond that."""
    appointment: Appointment = event.state
    starts = [start for start in (appointment.starts_us, appointment.proposed_starts_us) if start is not None]
    if event.type == IMPORTED:
        return None
    asked = appointment.proposed_starts_us if event.type == PROPOSED else appointment.starts_us
    if event.type in {BOOKED, PROPOSED} and asked is not None and asked < event.time_us:
        return f"it takes a time that had passed: {shown(asked)}"
    if event.type in {BOOKED, PROPOSED} and event.deadline_us is not None and event.deadline_us > min(starts):
        return f"its answer is waited for until {shown(event.deadline_us)}, after its start"
    return None


def _early_fault(history: History, event: Event) -> str | None:
    """How an appointment went is not said before it starts; that it took place the system may say, which saw the session."""
    command = history.deciding_command(event)
    role = None if command is None or command.actor is None else command.actor.role
    if event.type == NO_SHOW or (event.type == COMPLETED and role == DOCTOR):
        starts_us = event.state.starts_us
        if event.time_us < starts_us:
            return f"it is over at {shown(event.time_us)}, before its start at {shown(starts_us)}"
    return None


def _faults_of_time_off(previous: Event | None, event: Event) -> Iterator[tuple[ViolationKind, str]]:
    if event.state.ends_us <= event.state.starts_us:
        yield ViolationKind.ILLEGAL_TRANSITION, "it ends before it starts"
    if previous is not None and previous.state != event.state:
        yield ViolationKind.ILLEGAL_TRANSITION, "its time changed"
