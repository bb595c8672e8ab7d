"""What a reader of the events topic gets: each event as its model says, with the whole state."""

import pytest

from services.calls.domain import decide
from services.calls.domain.session import Changed, Known, Session
from services.calls.wire import changed
from services.calls.working_set import Sessions
from shared.codec.encode import encode_event
from shared.messages.calls import (
    CALLS_EVENTS,
    CallConnected,
    CallEnded,
    CallFailed,
    CallRejected,
    CallsCommand,
    CallStatus,
    TextSessionEnded,
    TextSessionExpired,
    TextSessionStatus,
)
from shared.messages.events import Event
from shared.messages.fields import EventData, Role
from tests.calls_examples import (
    RULES,
    example_activity,
    example_call,
    example_calls_moment,
    example_cancel_call,
    example_connect,
    example_decline_call,
    example_disconnect,
    example_end,
    example_known_appointment,
    example_reconnect,
    example_start,
    example_text_end,
    example_text_session,
    example_text_start,
    example_text_time_out,
    example_time_out,
    seconds,
    the_changes,
)
from tests.examples import APPOINTMENT, NOW, minutes, patient, received

LAPSED = NOW - seconds(1)
CASES: list[tuple[Session | None, CallsCommand]] = [
    (None, example_start(appointment_id=APPOINTMENT)),
    (example_call(), example_connect()),
    (example_call(), example_decline_call()),
    (example_call(), example_cancel_call()),
    (example_call(status=CallStatus.CONNECTED), example_disconnect()),
    (example_call(status=CallStatus.RECONNECTING), example_reconnect()),
    (example_call(status=CallStatus.CONNECTED), example_end()),
    (example_call(deadline_at=LAPSED), example_time_out()),
    (None, example_text_start()),
    (example_text_session(), example_activity()),
    (example_text_session(status=TextSessionStatus.ACTIVE), example_text_end()),
    (example_text_session(deadline_at=LAPSED), example_text_time_out()),
]


def read(event: Event) -> EventData:
    message = encode_event(event, cause=received(), index=0, service="calls", topic="t", decided_at="2030-01-07T12:00:00Z")
    assert message.value is not None
    return CALLS_EVENTS[event.type].model_validate_json(message.value)


def the_changes_of(session: Session | None, command: CallsCommand) -> list[Changed]:
    appointment = example_known_appointment() if getattr(command, "appointment_id", None) else None
    moment = example_calls_moment(session_id=command.entity_id or "")
    return the_changes(decide(Known(session, appointment=appointment), command, moment, RULES))


def the_events(session: Session | None, command: CallsCommand) -> list[EventData]:
    return [read(changed(change)) for change in the_changes_of(session, command)]


def test_every_type_of_event_can_be_read_by_its_model() -> None:
    types = {event.type for session, command in CASES for event in the_events(session, command)}
    assert {type_ for type_ in CALLS_EVENTS if not type_.endswith("rejected.v1")} == types


@pytest.mark.parametrize("session, command", CASES, ids=lambda value: getattr(value, "type", None))
def test_an_event_carries_the_whole_state_and_nothing_that_its_model_does_not_know(session: Session | None, command: CallsCommand) -> None:
    for change in the_changes_of(session, command):
        event = changed(change)
        assert set(event.body) | {"type", "id", "time", "version", "decision"} == set(CALLS_EVENTS[event.type].model_fields)
        assert (event.key, event.subject) == (change.session.doctor_id, change.session.session_id)


def test_a_failed_call_used_nothing() -> None:
    (failed,) = the_events(example_call(started_at=LAPSED - seconds(90), deadline_at=LAPSED), example_time_out())
    assert isinstance(failed, CallFailed)
    assert (failed.time, failed.ended_at, failed.ended_by) == (LAPSED, LAPSED, Role.SYSTEM)
    assert (failed.is_connected, failed.connected_seconds, failed.sessions_used) == (False, 0, 0)
    assert failed.failure_reason == "Connection timeout after 90 seconds"


def test_an_expired_text_session_used_nothing() -> None:
    (expired,) = the_events(example_text_session(deadline_at=LAPSED), example_text_time_out())
    assert isinstance(expired, TextSessionExpired)
    assert (expired.active_seconds, expired.sessions_used) == (0, 0)


def test_a_connected_call_is_connected() -> None:
    (connected,) = the_events(example_call(), example_connect())
    assert isinstance(connected, CallConnected)
    assert (connected.is_connected, connected.connected_at, connected.connected_seconds) == (True, NOW, 0)


def test_an_ended_call_says_for_how_long_it_was_connected_to_the_millisecond() -> None:
    (ended,) = the_events(example_call(status=CallStatus.CONNECTED, connected_at=NOW - seconds(59.999)), example_end())
    assert isinstance(ended, CallEnded)
    assert (ended.connected_seconds, ended.is_connected, ended.ended_by) == (59.999, False, Role.PATIENT)


def test_a_call_whose_connection_never_came_back_ended_with_the_loss() -> None:
    lost_at = NOW - minutes(3)
    call = example_call(
        status=CallStatus.RECONNECTING, started_at=NOW - minutes(10), disconnected_at=lost_at, connected_at=NOW - minutes(9)
    )
    (ended,) = the_events(call, example_time_out())
    assert isinstance(ended, CallEnded)
    assert (ended.time, ended.ended_at, ended.connected_seconds) == (NOW - minutes(2), lost_at, 360)
    assert (ended.reason, ended.failure_reason) == ("reconnect_timeout", None)


def test_a_text_session_that_nobody_answered_was_never_active() -> None:
    (ended,) = the_events(example_text_session(), example_text_end(actor=patient()))
    assert isinstance(ended, TextSessionEnded)
    assert (ended.active_seconds, ended.activated_at, ended.ended_by) == (0, None, Role.PATIENT)


def test_a_refusal_names_the_winner() -> None:
    sessions = Sessions(RULES, [example_call(status=CallStatus.ENDED)], [])
    (refused,) = sessions.decide(received(example_connect()))
    assert isinstance(refused, Event)
    event = read(refused)
    assert isinstance(event, CallRejected)
    assert (event.reason, event.status_code, event.call_id) == ("wrong_status", 409, "call-1")
    assert event.conflict is not None
    assert event.conflict.command is not None
    assert event.conflict.command.id == "earlier-command"
    assert "patient" not in repr(event.conflict)
