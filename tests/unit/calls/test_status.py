"""Which command in which status: the whole table, in time."""

import pytest

from services.calls.domain import decide
from services.calls.domain.session import LIVE_CALL, Changed, Known, Refused
from shared.messages.calls import CallsCommand, CallStatus, TextSessionStatus
from tests.calls_examples import (
    RULES,
    TEXT_SESSION,
    example_activity,
    example_call,
    example_calls_moment,
    example_cancel_call,
    example_connect,
    example_decline_call,
    example_disconnect,
    example_end,
    example_reconnect,
    example_text_end,
    example_text_session,
    example_text_time_out,
    example_time_out,
)
from tests.examples import system

CALLS: dict[str, CallsCommand] = {
    "connect": example_connect(),
    "decline": example_decline_call(),
    "cancel": example_cancel_call(),
    "disconnect": example_disconnect(),
    "reconnect": example_reconnect(),
    "end": example_end(),
    "end by the system": example_end(actor=system()),
    "time_out": example_time_out(),
}
# Columns: connecting, connected, reconnecting, ended, failed, declined, cancelled.
CALL_TABLE = {
    "connect": "connected wrong_status wrong_status wrong_status timed_out wrong_status wrong_status",
    "decline": "declined wrong_status wrong_status wrong_status timed_out wrong_status wrong_status",
    "cancel": "cancelled wrong_status wrong_status wrong_status timed_out wrong_status wrong_status",
    "disconnect": "not_connected reconnecting wrong_status wrong_status timed_out wrong_status wrong_status",
    "reconnect": "not_connected wrong_status reconnected wrong_status timed_out wrong_status wrong_status",
    "end": "not_connected ended ended wrong_status timed_out wrong_status wrong_status",
    "end by the system": "ended ended ended wrong_status timed_out wrong_status wrong_status",
    "time_out": "not_due wrong_status not_due wrong_status wrong_status wrong_status wrong_status",
}
TEXT_SESSIONS: dict[str, CallsCommand] = {
    "record_activity": example_activity(),
    "end": example_text_end(),
    "time_out": example_text_time_out(),
}
# Columns: waiting, active, ended, expired.
TEXT_SESSION_TABLE = {
    "record_activity": "activity_recorded activity_recorded session_not_active session_not_active",
    "end": "ended ended session_not_active session_not_active",
    "time_out": "not_due not_due session_not_active session_not_active",
}


def word(known: Known, command: CallsCommand, session_id: str) -> str:
    outcome = decide(known, command, example_calls_moment(session_id=session_id), RULES)[0]
    match outcome:
        case Changed(type=type_):
            return str(type_).split(".")[2]
        case Refused(refusal=refusal):
            return str(refusal.reason)


@pytest.mark.parametrize("name", CALL_TABLE)
@pytest.mark.parametrize("column, status", list(enumerate(CallStatus)))
def test_calls(name: str, column: int, status: CallStatus) -> None:
    reason = "connect_timeout" if status is CallStatus.FAILED else "ended_by_party"
    call = example_call(status=status) if status in LIVE_CALL else example_call(status=status, reason=reason)
    assert word(Known(call), CALLS[name], "call-1") == CALL_TABLE[name].split()[column]


@pytest.mark.parametrize("name", TEXT_SESSION_TABLE)
@pytest.mark.parametrize("column, status", list(enumerate(TextSessionStatus)))
def test_text_sessions(name: str, column: int, status: TextSessionStatus) -> None:
    session = example_text_session(status=status)
    assert word(Known(session), TEXT_SESSIONS[name], TEXT_SESSION) == TEXT_SESSION_TABLE[name].split()[column]
