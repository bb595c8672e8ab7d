"""What one batch needs, kept in memory: each command sees what the ones before it did."""

from collections.abc import Iterable

import pytest

from services.calls.domain.appointment import Appointment
from services.calls.domain.session import Call, Rules, Session, TextSession
from services.calls.working_set import Sessions
from shared.codec.decode import Received
from shared.codec.encode import derived_id
from shared.messages.booking import CompleteAppointment
from shared.messages.calls import CallStatus, TextSessionStatus
from shared.messages.events import Event, Request
from shared.messages.fields import Modality
from tests.calls_examples import (
    CALL,
    RULES,
    TEXT_SESSION,
    example_activity,
    example_call,
    example_connect,
    example_disconnect,
    example_end,
    example_heard,
    example_known_appointment,
    example_start,
    example_text_end,
    example_text_session,
    example_text_start,
    seconds,
)
from tests.examples import APPOINTMENT, NOW, SOURCE, doctor, minutes, patient, received


def a_working_set(*loaded: Session, appointments: Iterable[Appointment] = (), rules: Rules = RULES) -> Sessions:
    return Sessions(rules, loaded, appointments)


def words(consequences: Iterable[Event | Request]) -> list[str]:
    return [
        consequence.command.type
        if isinstance(consequence, Request)
        else str(consequence.body["reason"])
        if consequence.type.endswith("rejected.v1")
        else consequence.type.split(".")[2]
        for consequence in consequences
    ]


def outcomes(sessions: Sessions, *records: Received) -> list[str]:
    return [words(sessions.decide(record))[0] for record in records]


def heard(**fields: object) -> Received:
    # The envelope of an event does not matter here.
    return received()._replace(content=example_heard(**fields))


def test_whoever_is_called_in_a_batch_is_busy_for_the_rest_of_it() -> None:
    second = example_start(call_id="second", patient_id="another")
    assert outcomes(a_working_set(), received(example_start()), received(second)) == ["started", "doctor_busy"]


def test_whoever_is_free_again_in_a_batch_is_free_for_the_rest_of_it() -> None:
    sessions = a_working_set(example_call(status=CallStatus.CONNECTED, session_id="old"))
    end, start = example_end(call_id="old"), example_start(call_id="new")
    assert outcomes(sessions, received(end), received(start)) == ["ended", "started"]
    assert [session.session_id for session in sessions.changed] == ["old"]
    assert [session.session_id for session in sessions.started] == ["new"]


def test_a_patient_is_in_one_place_with_any_doctor() -> None:
    text = example_text_start(doctor_id="another")
    assert outcomes(a_working_set(), received(text), received(example_start())) == ["started", "patient_busy"]


def test_what_changes_often_in_a_batch_is_written_once_as_it_stands_after_it() -> None:
    sessions = a_working_set(example_text_session(status=TextSessionStatus.ACTIVE, version=7))
    commands = [example_activity(actor=actor) for actor in (patient(), doctor(), patient()) * 100]
    assert set(outcomes(sessions, *map(received, commands))) == {"activity_recorded"}
    (session,) = sessions.changed
    assert isinstance(session, TextSession)
    assert (session.patient_activity_count, session.doctor_activity_count, session.version) == (200, 101, 307)
    assert sessions.started == []


def test_what_starts_and_ends_in_one_batch_is_written_once() -> None:
    sessions = a_working_set()
    commands = [example_start(), example_connect(), example_disconnect(), example_end()]
    assert outcomes(sessions, *map(received, commands)) == ["started", "connected", "reconnecting", "ended"]
    (call,) = sessions.started
    assert isinstance(call, Call)
    assert (call.status, call.version) == (CallStatus.ENDED, 4)
    assert sessions.changed == []


def test_a_refusal_writes_nothing_and_repeats_the_version() -> None:
    sessions = a_working_set(example_call(version=5))
    (refused,) = sessions.decide(received(example_end()))
    assert isinstance(refused, Event)
    assert (refused.type, refused.version, refused.subject) == ("calls.call.rejected.v1", 5, CALL)
    assert (sessions.started, sessions.changed) == ([], [])


@pytest.mark.parametrize("command", [example_end(doctor_id="another"), example_text_end(session_id=CALL)], ids=lambda command: command.type)
def test_a_refusal_of_what_is_not_there_has_version_0(command: object) -> None:
    (refused,) = a_working_set(example_call(version=5)).decide(received(command))  # type: ignore[arg-type]
    assert isinstance(refused, Event)
    assert refused.version == 0


def test_an_id_that_is_not_given_is_derived() -> None:
    for command, prefix in ((example_start(call_id=None), "call_"), (example_text_start(session_id=None), "txt_")):
        (started,) = a_working_set().decide(received(command, identifier="the-command"))
        assert isinstance(started, Event)
        assert started.subject == derived_id(prefix, SOURCE, "the-command")
        assert started.subject.startswith(prefix)


def test_activation_follows_the_record_that_causes_it() -> None:
    sessions = a_working_set(example_text_session())
    assert words(sessions.decide(received(example_activity()))) == ["activity_recorded", "activated"]


def test_a_lapsed_one_in_the_way_is_closed_in_the_same_decision() -> None:
    sessions = a_working_set(example_call(session_id="lapsed", patient_id="another", deadline_at=NOW - seconds(1)))
    assert words(sessions.decide(received(example_start()))) == ["started", "failed"]
    assert [session.session_id for session in sessions.changed] == ["lapsed"]


def test_an_appointment_is_heard_of_and_met_in_one_batch() -> None:
    sessions = a_working_set()
    start = received(example_start(appointment_id=APPOINTMENT))
    assert sessions.depends_on_news(start)
    assert sessions.decide(heard()) == []
    assert not sessions.depends_on_news(start)
    assert outcomes(sessions, start) == ["started"]
    assert sessions.new_appointments == [example_known_appointment(patient_came=True)]
    assert sessions.changed_appointments == []


def test_an_appointment_known_before_is_changed() -> None:
    sessions = a_working_set(appointments=[example_known_appointment()])
    sessions.decide(received(example_start(appointment_id=APPOINTMENT)))
    assert sessions.changed_appointments == [example_known_appointment(patient_came=True)]
    assert sessions.new_appointments == []


def test_old_news_change_nothing() -> None:
    sessions = a_working_set(appointments=[example_known_appointment(version=3)])
    assert sessions.decide(heard(version=2)) == []
    assert (sessions.new_appointments, sessions.changed_appointments) == ([], [])


def test_booking_is_asked_to_complete_what_took_place() -> None:
    call = example_call(status=CallStatus.CONNECTED, appointment_id=APPOINTMENT)
    ended, request = a_working_set(call, appointments=[example_known_appointment()]).decide(received(example_end()))
    assert isinstance(ended, Event)
    assert isinstance(request, Request)
    assert isinstance(request.command, CompleteAppointment)
    assert (request.command.appointment_id, request.identifier) == (APPOINTMENT, None)


def test_a_text_session_for_an_appointment_takes_place_with_the_doctors_first_activity() -> None:
    appointment = example_known_appointment(modality=Modality.TEXT)
    sessions = a_working_set(appointments=[appointment])
    start = example_text_start(appointment_id=APPOINTMENT)
    assert outcomes(sessions, received(start), received(example_activity())) == ["started", "activity_recorded"]
    (kept,) = sessions.changed_appointments
    assert (kept.doctor_came, kept.patient_came, kept.took_place) == (True, True, True)


def test_a_text_session_waits_until_there_is_a_place() -> None:
    other = example_text_session(session_id="other", status=TextSessionStatus.ACTIVE, patient_id="another")
    sessions = a_working_set(other, example_text_session())
    records = [
        received(example_activity()),
        received(example_text_end(session_id="other", actor=doctor())),
        received(example_activity(), at=NOW + minutes(1)),
    ]
    assert outcomes(sessions, *records) == ["doctor_busy", "ended", "activity_recorded"]
    assert sessions.knows(TEXT_SESSION)
