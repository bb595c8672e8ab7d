"""What each change of a call or of a text session may touch: times are written once, activity counts add up, what failed costs nothing."""

from collections.abc import Iterator
from itertools import pairwise

from shared.auditor.calls.state import Call, TextSession
from shared.auditor.calls.words import (
    ACTIVATED,
    ACTIVITY_RECORDED,
    CALL,
    CALL_ENDED,
    CANCELLED,
    CONNECTED,
    DECLINED,
    EXPIRED,
    FAILED,
    HAS_DEADLINE,
    LIVE,
    RECONNECTED,
    RECONNECTING,
)
from shared.auditor.facts import Actor, Event
from shared.auditor.history import History
from shared.auditor.instants import shown
from shared.auditor.report import ViolationKind
from shared.auditor.words import DOCTOR, PATIENT, SYSTEM

_Fault = tuple[ViolationKind, str]


def check(history: History) -> None:
    """Walk every call and every text session."""
    for (kind, identifier), changes in history.entities.items():
        for previous, event in ((None, changes[0]), *pairwise(changes)):
            if previous is not None and event.version != previous.version + 1:
                # Across a gap or a fork nothing can be said of the step.
                continue
            of_kind = _faults_of_a_call if kind == CALL else _faults_of_a_text_session
            for violation, fault in (*_faults_of_both(history, previous, event), *of_kind(history, previous, event)):
                sentence = f"The {kind} {identifier}, version {event.version} ({event.type}): {fault}."
                proofs = (event,) if previous is None else (previous, event)
                history.findings.add(violation, sentence, *map(history.of_event, proofs))
        _judge_last(history, changes[-1])


def _judge_last(history: History, last: Event) -> None:
    """The doctor's first activity activates; that is told by the event after it."""
    if last.type == ACTIVITY_RECORDED and _must_activate(last) and not history.is_in_flight(last):
        sentence = f"The text session {last.entity_id} was never activated, although its doctor wrote."
        history.findings.add(ViolationKind.ILLEGAL_TRANSITION, sentence, history.of_event(last))


def _must_activate(event: Event) -> bool:
    return event.status == "waiting" and event.state.doctor_count > 0


def _faults_of_both(history: History, previous: Event | None, event: Event) -> Iterator[_Fault]:
    state: Call | TextSession = event.state
    is_over = event.status not in LIVE
    if previous is not None and previous.state.common != state.common:
        yield ViolationKind.ILLEGAL_TRANSITION, "its appointment, its modality, or who started it and when has changed"
    if (event.deadline_us is not None) is not (event.status in HAS_DEADLINE):
        yield ViolationKind.ILLEGAL_TRANSITION, "deadline_at is there exactly while time can end it"
    if any((value is not None) is not is_over for value in state.over):
        yield ViolationKind.ILLEGAL_TRANSITION, "ended_at, ended_by and reason are there exactly when it is over"
    if event.type in {FAILED, EXPIRED} and (state.sessions_used != 0 or state.took_place):
        yield ViolationKind.ILLEGAL_TRANSITION, "nobody met in it, so it uses no session"
    by_deadline = history.words.closed_by_deadline(event)
    actor = _actor(history, event)
    if is_over and by_deadline and state.over.ended_by != SYSTEM:
        yield ViolationKind.ILLEGAL_TRANSITION, f"time ended it, and it says {state.over.ended_by}"
    if is_over and not by_deadline and actor is not None and state.over.ended_by != actor.role:
        yield ViolationKind.ILLEGAL_TRANSITION, f"the {actor.role} ended it, and it says {state.over.ended_by}"


def _faults_of_a_call(history: History, previous: Event | None, event: Event) -> Iterator[_Fault]:
    call: Call = event.state
    before: Call | None = None if previous is None else previous.state
    connected_us = event.time_us if event.type == CONNECTED else None if before is None else before.connected_us
    if call.connected_us != connected_us:
        yield ViolationKind.ILLEGAL_TRANSITION, f"it connected at {shown(call.connected_us)} and not at {shown(connected_us)}"
    lost_us = None if before is None else before.disconnected_us
    disconnected_us = event.time_us if event.type == RECONNECTING else None if event.type == RECONNECTED else lost_us
    if call.disconnected_us != disconnected_us:
        yield ViolationKind.ILLEGAL_TRANSITION, f"it was lost at {shown(call.disconnected_us)} and not at {shown(disconnected_us)}"
    if event.status not in LIVE and call.over.ended_us != (disconnected_us or event.time_us):
        yield (
            ViolationKind.ILLEGAL_TRANSITION,
            f"it ended at {shown(call.over.ended_us)} and not at {shown(disconnected_us or event.time_us)}",
        )
    if call.is_connected is not (event.status == "connected"):
        yield ViolationKind.ILLEGAL_TRANSITION, "is_connected says whether media flows"
    until_us = call.over.ended_us or call.disconnected_us or event.time_us
    if call.connected_for_us != (0 if call.connected_us is None else until_us - call.connected_us):
        yield ViolationKind.ILLEGAL_TRANSITION, "connected_seconds is not the time from connected_at until it ended, was lost, or now"
    if (call.failure_reason is not None) is not (event.type == FAILED):
        yield ViolationKind.ILLEGAL_TRANSITION, "failure_reason is there exactly when it failed"
    yield from _faults_of_a_party(history, previous, event)


def _faults_of_a_party(history: History, previous: Event | None, event: Event) -> Iterator[_Fault]:
    """Only the one called declines, only the starter cancels; a party ends only what has connected."""
    actor = _actor(history, event)
    if actor is None:
        return
    started_by = event.state.common.started_by
    if event.type == DECLINED and actor.role == started_by:
        yield ViolationKind.NOT_A_PARTY, "whoever started it has declined it"
    if event.type == CANCELLED and actor.role != started_by:
        yield ViolationKind.NOT_A_PARTY, "the one called has cancelled it"
    if event.type == CALL_ENDED and previous is not None and previous.status == "connecting" and actor.role != SYSTEM:
        yield ViolationKind.ILLEGAL_TRANSITION, "a party ended it before it connected"


def _faults_of_a_text_session(history: History, previous: Event | None, event: Event) -> Iterator[_Fault]:
    session: TextSession = event.state
    before: TextSession | None = None if previous is None else previous.state
    counted = _counted(history, before, event)
    if counted is not None and (session.patient_count, session.doctor_count) != counted:
        yield (
            ViolationKind.ACTIVITY_MISCOUNTED,
            f"it counts {session.patient_count} of the patient and {session.doctor_count} of the doctor, and not {counted[0]} and {counted[1]}",
        )
    last_us = event.time_us if event.type == ACTIVITY_RECORDED else None if before is None else before.last_activity_us
    if session.last_activity_us != last_us:
        yield ViolationKind.ILLEGAL_TRANSITION, f"its last activity was at {shown(session.last_activity_us)} and not at {shown(last_us)}"
    if event.type == ACTIVITY_RECORDED and previous is not None and event.status != previous.status:
        yield ViolationKind.ILLEGAL_TRANSITION, f"activity alone made it {event.status}"
    if previous is not None and previous.type == ACTIVITY_RECORDED and _must_activate(previous) and event.type != ACTIVATED:
        yield ViolationKind.ILLEGAL_TRANSITION, "its doctor wrote, which activates it first"
    activated_us = event.time_us if event.type == ACTIVATED else None if before is None else before.activated_us
    if session.activated_us != activated_us:
        yield ViolationKind.ILLEGAL_TRANSITION, f"it was activated at {shown(session.activated_us)} and not at {shown(activated_us)}"
    if event.status not in LIVE and session.over.ended_us != event.time_us:
        yield ViolationKind.ILLEGAL_TRANSITION, f"it ended at {shown(session.over.ended_us)} and not at {shown(event.time_us)}"
    until_us = session.over.ended_us or event.time_us
    if session.active_for_us != (0 if session.activated_us is None else until_us - session.activated_us):
        yield ViolationKind.ILLEGAL_TRANSITION, "active_seconds is not the time from activated_at until it ended, or now"


def _counted(history: History, before: TextSession | None, event: Event) -> tuple[int, int] | None:
    """What it has to count, of the patient and of the doctor; None if nobody can say."""
    patient_count, doctor_count = (0, 0) if before is None else (before.patient_count, before.doctor_count)
    if event.type != ACTIVITY_RECORDED:
        return patient_count, doctor_count
    actor = _actor(history, event)
    return None if actor is None else (patient_count + (actor.role == PATIENT), doctor_count + (actor.role == DOCTOR))


def _actor(history: History, event: Event) -> Actor | None:
    """Who caused what a command came to; what else it led to, nobody did."""
    command = history.deciding_command(event)
    return None if command is None or event.decision_index > 0 else command.actor
