"""The words of calls: voice and video calls, and text sessions."""

from typing import Final

from shared.auditor.calls import state
from shared.auditor.facts import Event
from shared.auditor.words import (
    CRITICAL,
    DOCTOR,
    PATIENT,
    SYSTEM,
    Change,
    CommandWords,
    EntityWords,
    EventWords,
    Notice,
    ServiceWords,
    both,
    doctor,
    patient,
    types,
)

CALL: Final = "call"
TEXT_SESSION: Final = "text_session"

CALL_STARTED: Final = "calls.call.started.v1"
CONNECTED: Final = "calls.call.connected.v1"
DECLINED: Final = "calls.call.declined.v1"
CANCELLED: Final = "calls.call.cancelled.v1"
RECONNECTING: Final = "calls.call.reconnecting.v1"
RECONNECTED: Final = "calls.call.reconnected.v1"
CALL_ENDED: Final = "calls.call.ended.v1"
FAILED: Final = "calls.call.failed.v1"
TEXT_STARTED: Final = "calls.text_session.started.v1"
ACTIVITY_RECORDED: Final = "calls.text_session.activity_recorded.v1"
ACTIVATED: Final = "calls.text_session.activated.v1"
TEXT_ENDED: Final = "calls.text_session.ended.v1"
EXPIRED: Final = "calls.text_session.expired.v1"

_END_CALL: Final = "calls.call.end.v1"
_END_TEXT: Final = "calls.text_session.end.v1"

#: Statuses in which a call goes on: doctor and patient are in no other.
LIVE_CALL: Final = frozenset({"connecting", "connected", "reconnecting"})
#: Statuses in which a text session goes on: the patient is in no other, and the doctor once it is active.
LIVE_TEXT_SESSION: Final = frozenset({"waiting", "active"})
LIVE: Final = LIVE_CALL | LIVE_TEXT_SESSION
#: Statuses in which time can end it.
HAS_DEADLINE: Final = frozenset({"connecting", "reconnecting", "waiting", "active"})

_NEW: Final[frozenset[str | None]] = frozenset({None})
_PARTIES: Final = frozenset({PATIENT, DOCTOR})
_PARTIES_OR_SYSTEM: Final = _PARTIES | {SYSTEM}


def _call(*words: str) -> frozenset[str]:
    return types("calls", "call", *words)


def _text(*words: str) -> frozenset[str]:
    return types("calls", "text_session", *words)


def _starter(event: Event) -> tuple[str, ...]:
    return doctor(event) if event.state.common.started_by == DOCTOR else patient(event)


def _called(event: Event) -> tuple[str, ...]:
    return patient(event) if event.state.common.started_by == DOCTOR else doctor(event)


def _in(*statuses: str) -> frozenset[str | None]:
    return frozenset(statuses)


_COMMANDS: Final = {
    "calls.call.start.v1": CommandWords(outcomes=_call("started"), further=_call("failed", "ended") | _text("ended"), by=_PARTIES),
    "calls.call.connect.v1": CommandWords(outcomes=_call("connected"), by=_PARTIES),
    "calls.call.decline.v1": CommandWords(outcomes=_call("declined"), by=_PARTIES),
    "calls.call.cancel.v1": CommandWords(outcomes=_call("cancelled"), by=_PARTIES),
    "calls.call.disconnect.v1": CommandWords(outcomes=_call("reconnecting"), by=_PARTIES),
    "calls.call.reconnect.v1": CommandWords(outcomes=_call("reconnected"), by=_PARTIES),
    _END_CALL: CommandWords(outcomes=_call("ended"), by=_PARTIES_OR_SYSTEM),
    "calls.call.time_out.v1": CommandWords(outcomes=_call("failed", "ended"), by=frozenset({SYSTEM})),
    "calls.text_session.start.v1": CommandWords(outcomes=_text("started"), by=_PARTIES),
    "calls.text_session.record_activity.v1": CommandWords(
        outcomes=_text("activity_recorded"), further=_text("activated", "ended") | _call("failed", "ended"), by=_PARTIES
    ),
    _END_TEXT: CommandWords(outcomes=_text("ended"), by=_PARTIES_OR_SYSTEM),
    "calls.text_session.time_out.v1": CommandWords(outcomes=_text("expired", "ended"), by=frozenset({SYSTEM})),
}

_EVENTS: Final = {
    CALL_STARTED: EventWords(change=Change(_NEW, "connecting"), notices=(Notice("call_incoming", _called, CRITICAL),)),
    CONNECTED: EventWords(change=Change(_in("connecting"), "connected")),
    DECLINED: EventWords(change=Change(_in("connecting"), "declined"), notices=(Notice("call_declined", _starter),)),
    CANCELLED: EventWords(change=Change(_in("connecting"), "cancelled"), notices=(Notice("call_missed", _called),)),
    RECONNECTING: EventWords(change=Change(_in("connected"), "reconnecting")),
    RECONNECTED: EventWords(change=Change(_in("reconnecting"), "connected")),
    CALL_ENDED: EventWords(change=Change(frozenset(LIVE_CALL), "ended"), notices=(Notice("session_ended", both),)),
    FAILED: EventWords(change=Change(_in("connecting"), "failed"), notices=(Notice("call_failed", patient, CRITICAL),)),
    TEXT_STARTED: EventWords(change=Change(_NEW, "waiting"), notices=(Notice("session_started", doctor),)),
    ACTIVITY_RECORDED: EventWords(change=Change(frozenset(LIVE_TEXT_SESSION), None)),
    ACTIVATED: EventWords(change=Change(_in("waiting"), "active")),
    TEXT_ENDED: EventWords(change=Change(frozenset(LIVE_TEXT_SESSION), "ended"), notices=(Notice("session_ended", both),)),
    EXPIRED: EventWords(change=Change(_in("waiting"), "expired"), notices=(Notice("session_expired", patient, CRITICAL),)),
}


def closed_by_deadline(event: Event) -> bool:
    """Whether a passed deadline ended it, and not somebody."""
    return event.type in {FAILED, EXPIRED} or (event.type in {CALL_ENDED, TEXT_ENDED} and event.command_type not in {_END_CALL, _END_TEXT})


WORDS: Final = ServiceWords(
    name="calls",
    entities={
        CALL: EntityWords(id_field="call_id", ids=("patient_id",), deadline_field="deadline_at", read=state.call),
        TEXT_SESSION: EntityWords(id_field="session_id", ids=("patient_id",), deadline_field="deadline_at", read=state.text_session),
    },
    commands=_COMMANDS,
    events=_EVENTS,
    hears=frozenset({"booking"}),
    closed_by_deadline=closed_by_deadline,
    sweeps=types("calls", "call", "time_out") | types("calls", "text_session", "time_out"),
)
