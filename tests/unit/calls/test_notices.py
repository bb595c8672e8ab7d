"""Who is told what: the contract's table."""

from datetime import timedelta

import pytest

from services.calls.domain import decide
from services.calls.domain.session import Changed, Known, Session
from services.calls.notices import notices_of
from services.calls.processor import deadlines_of
from services.calls.wire import changed
from shared.messages.calls import CALLS_EVENTS, CallsCommand, CallStatus, SessionEvent, TextSessionStatus
from shared.messages.fields import Role
from shared.messages.notify import PARAMETERS, Priority
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
    example_reconnect,
    example_start,
    example_text_end,
    example_text_session,
    example_text_start,
    example_text_time_out,
    example_time_out,
)
from tests.examples import NOW, doctor, patient, system
from tests.unit.calls.test_wire import LAPSED, read

BY_DOCTOR = example_call(started_by=Role.DOCTOR)
TOLD: list[tuple[Session | None, CallsCommand, list[str]]] = [
    (None, example_start(), ["doctor-1 call_incoming critical"]),
    (None, example_start(actor=doctor()), ["patient-1 call_incoming critical"]),
    (example_call(), example_connect(), []),
    (example_call(), example_decline_call(), ["patient-1 call_declined normal"]),
    (BY_DOCTOR, example_decline_call(actor=patient()), ["doctor-1 call_declined normal"]),
    (example_call(), example_cancel_call(), ["doctor-1 call_missed normal"]),
    (BY_DOCTOR, example_cancel_call(actor=doctor()), ["patient-1 call_missed normal"]),
    (example_call(status=CallStatus.CONNECTED), example_disconnect(), []),
    (example_call(status=CallStatus.RECONNECTING), example_reconnect(), []),
    (example_call(status=CallStatus.CONNECTED), example_end(), ["patient-1 session_ended normal", "doctor-1 session_ended normal"]),
    (example_call(deadline_at=LAPSED), example_time_out(), ["patient-1 call_failed critical"]),
    (None, example_text_start(), ["doctor-1 session_started normal"]),
    (example_text_session(), example_activity(), []),
    (
        example_text_session(status=TextSessionStatus.ACTIVE),
        example_text_end(actor=system()),
        ["patient-1 session_ended normal", "doctor-1 session_ended normal"],
    ),
    (example_text_session(deadline_at=LAPSED), example_text_time_out(), ["patient-1 session_expired critical"]),
]


def events_of(session: Session | None, command: CallsCommand) -> list[SessionEvent]:
    moment = example_calls_moment(session_id=command.entity_id or "")
    events = [read(changed(event)) for event in decide(Known(session), command, moment, RULES) if isinstance(event, Changed)]
    return [event for event in events if isinstance(event, SessionEvent)]


@pytest.mark.parametrize("session, command, told", TOLD, ids=lambda value: getattr(value, "type", None))
def test_who_is_told_what(session: Session | None, command: CallsCommand, told: list[str]) -> None:
    notices = [notice for event in events_of(session, command) for notice in notices_of(event)]
    assert [f"{notice.recipient_id} {notice.template} {notice.priority}" for notice in notices] == told
    for notice in notices:
        assert notice.about.entity_id == command.entity_id
        assert notice.about.entity == command.entity
        assert notice.about.version is not None
        assert set(notice.params) <= PARAMETERS[notice.template]


def test_every_event_is_in_the_table() -> None:
    types = {event.type for session, command, _ in TOLD for event in events_of(session, command)}
    assert types == {type_ for type_, model in CALLS_EVENTS.items() if issubclass(model, SessionEvent)}


def test_a_failed_call_is_told_with_what_failed_and_that_it_cost_nothing() -> None:
    (failed,) = events_of(example_call(started_at=LAPSED - timedelta(seconds=90), deadline_at=LAPSED), example_time_out())
    (notice,) = notices_of(failed)
    assert notice.priority is Priority.CRITICAL
    assert notice.params == {
        "call_id": "call-1",
        "doctor_id": "doctor-1",
        "patient_id": "patient-1",
        "modality": "video",
        "failure_reason": "Connection timeout after 90 seconds",
        "sessions_used": 0,
    }


def test_an_ended_one_is_told_with_whole_seconds() -> None:
    call = example_call(status=CallStatus.CONNECTED, connected_at=NOW - timedelta(seconds=59.999))
    notice, _ = notices_of(events_of(call, example_end())[0])
    assert (notice.params["connected_seconds"], notice.params["ended_by"], notice.params["reason"]) == (59, "patient", "ended_by_party")


def test_the_sweeps_learn_of_deadlines() -> None:
    (started,) = events_of(None, example_start())
    assert deadlines_of(started) == (NOW + RULES.connect_timeout,)
    (connected,) = events_of(example_call(), example_connect())
    assert deadlines_of(connected) == ()
