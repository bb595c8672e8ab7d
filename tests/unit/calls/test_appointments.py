"""For an appointment: only its parties, its modality, and in its time; and what booking is told of it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.calls.domain import decide
from services.calls.domain.appointment import Appointment, heard
from services.calls.domain.attendance import attended, completion, no_show
from services.calls.domain.session import Changed, Known, Rules, Session
from services.calls.domain.start import depends_on_news
from shared.messages.booking import Absent, AppointmentEvent, AppointmentStatus
from shared.messages.calls import CallEventType, CallStatus, SessionReason, TextSessionStatus
from shared.messages.fields import Modality, Role
from tests.calls_examples import (
    RULES,
    TEXT_SESSION,
    example_call,
    example_calls_moment,
    example_heard,
    example_known_appointment,
    example_start,
    example_text_session,
    example_text_start,
    seconds,
    the_change,
    the_refusal,
)
from tests.examples import APPOINTMENT, MILLISECOND, NOW, doctor, minutes, patient

MOMENT = example_calls_moment()
START = example_start(appointment_id=APPOINTMENT)
CONFIRMED = example_known_appointment()


def test_a_call_for_a_confirmed_appointment_starts_and_says_so() -> None:
    started = the_change(decide(Known(appointment=CONFIRMED), START, MOMENT, RULES))
    assert started.session.appointment_id == APPOINTMENT


def test_a_text_appointment_is_met_in_a_text_session() -> None:
    command = example_text_start(appointment_id=APPOINTMENT)
    moment = example_calls_moment(session_id=TEXT_SESSION)
    assert the_change(decide(Known(appointment=replace(CONFIRMED, modality=Modality.TEXT)), command, moment, RULES))
    assert the_refusal(decide(Known(appointment=CONFIRMED), command, moment, RULES)).reason is SessionReason.WRONG_MODALITY


@pytest.mark.parametrize(
    "at, allowed",
    [
        (NOW - minutes(15) - MILLISECOND, False),
        (NOW - minutes(15), True),
        (NOW + minutes(45), True),
        (NOW + minutes(45) + MILLISECOND, False),
    ],
)
def test_the_window_is_a_quarter_of_an_hour_before_until_a_quarter_of_an_hour_after(at: datetime, *, allowed: bool) -> None:
    events = decide(Known(appointment=CONFIRMED), START, example_calls_moment(now=at), RULES)
    if allowed:
        assert the_change(events).type is CallEventType.STARTED
    else:
        refusal = the_refusal(events)
        assert refusal.reason is SessionReason.OUTSIDE_SESSION_WINDOW
        assert refusal.conflict == {"appointment_id": APPOINTMENT, "starts_at": NOW, "ends_at": NOW + minutes(30)}


def test_the_window_is_a_setting() -> None:
    early = example_calls_moment(now=NOW - minutes(16))
    assert the_change(decide(Known(appointment=CONFIRMED), START, early, Rules(window_before=minutes(16))))


@pytest.mark.parametrize("status", [status for status in AppointmentStatus if status is not AppointmentStatus.CONFIRMED])
def test_only_a_confirmed_one(status: AppointmentStatus) -> None:
    refusal = the_refusal(decide(Known(appointment=replace(CONFIRMED, status=status)), START, MOMENT, RULES))
    assert refusal.reason is SessionReason.APPOINTMENT_NOT_CONFIRMED
    assert refusal.conflict == {"appointment_id": APPOINTMENT, "status": status}


@pytest.mark.parametrize("modality", [Modality.TEXT, Modality.VOICE])
def test_only_in_its_modality(modality: Modality) -> None:
    refusal = the_refusal(decide(Known(appointment=replace(CONFIRMED, modality=modality)), START, MOMENT, RULES))
    assert refusal.reason is SessionReason.WRONG_MODALITY
    assert refusal.conflict == {"appointment_id": APPOINTMENT, "modality": modality}


def test_only_for_its_parties() -> None:
    refusal = the_refusal(decide(Known(appointment=replace(CONFIRMED, patient_id="another")), START, MOMENT, RULES))
    assert (refusal.reason, refusal.conflict) == (SessionReason.NOT_A_PARTY, None)
    refusal = the_refusal(decide(Known(appointment=replace(CONFIRMED, doctor_id="another")), START, MOMENT, RULES))
    assert refusal.reason is SessionReason.APPOINTMENT_NOT_FOUND


def test_an_unknown_one_is_refused() -> None:
    assert the_refusal(decide(Known(), START, MOMENT, RULES)).reason is SessionReason.APPOINTMENT_NOT_FOUND


@pytest.mark.parametrize(
    "known, depends",
    [
        pytest.param(None, True, id="never heard of"),
        pytest.param(CONFIRMED, False, id="confirmed"),
        pytest.param(replace(CONFIRMED, status=AppointmentStatus.PENDING), True, id="its confirm may not have been heard"),
        pytest.param(replace(CONFIRMED, status=AppointmentStatus.RESCHEDULE_PROPOSED), True, id="the answer may not have been heard"),
        pytest.param(replace(CONFIRMED, starts_at=NOW + minutes(60), ends_at=NOW + minutes(90)), True, id="it may have been moved"),
        pytest.param(replace(CONFIRMED, modality=Modality.VOICE), False, id="a modality never changes"),
        pytest.param(replace(CONFIRMED, patient_id="another"), False, id="parties never change"),
    ],
)
def test_what_news_could_change_waits_for_them(known: Appointment | None, *, depends: bool) -> None:
    assert depends_on_news(Known(appointment=known), START, MOMENT, RULES) is depends


def test_an_instant_session_waits_for_no_news() -> None:
    assert not depends_on_news(Known(), example_start(), MOMENT, RULES)


def test_an_appointment_is_known_as_booking_tells_of_it() -> None:
    event = example_heard(status=AppointmentStatus.CONFIRMED, version=2, modality=Modality.VOICE, duration_minutes=45)
    assert heard(None, event) == example_known_appointment(modality=Modality.VOICE, ends_at=NOW + minutes(45))


@pytest.mark.parametrize("version, is_news", [(1, False), (2, False), (3, True)])
def test_a_version_never_goes_back(version: int, *, is_news: bool) -> None:
    appointment = heard(CONFIRMED, example_heard(status=AppointmentStatus.CANCELLED, version=version))
    assert (appointment is not None) is is_news


CAME = example_known_appointment(doctor_came=True, took_place=True)


def test_who_came_is_not_forgotten_unless_the_appointment_moves() -> None:
    event: AppointmentEvent = example_heard(status=AppointmentStatus.COMPLETED, version=3)
    assert heard(CAME, event) == replace(CAME, status=AppointmentStatus.COMPLETED, version=3)
    moved = example_heard(status=AppointmentStatus.CONFIRMED, version=3, starts_at=NOW + minutes(60))
    assert heard(CAME, moved) == example_known_appointment(starts_at=NOW + minutes(60), version=3)


@pytest.mark.parametrize(
    "session, doctor_came, patient_came, took_place",
    [
        pytest.param(example_call(), False, True, False, id="the patient rang"),
        pytest.param(example_call(started_by=Role.DOCTOR), True, False, False, id="the doctor rang"),
        pytest.param(example_call(status=CallStatus.FAILED), False, True, False, id="nobody took it"),
        pytest.param(example_call(status=CallStatus.CONNECTED), True, True, True, id="they met"),
        pytest.param(example_text_session(), False, True, False, id="the patient waits"),
        pytest.param(example_text_session(started_by=Role.DOCTOR), True, False, False, id="the doctor waits"),
        pytest.param(example_text_session(started_by=Role.DOCTOR, patient_activity_count=1), True, True, False, id="the patient wrote"),
        pytest.param(example_text_session(status=TextSessionStatus.ACTIVE), True, True, True, id="the doctor answered"),
    ],
)
def test_who_starts_joins_or_writes_has_come(session: Session, *, doctor_came: bool, patient_came: bool, took_place: bool) -> None:
    after = attended(CONFIRMED, session)
    assert (after.doctor_came, after.patient_came, after.took_place) == (doctor_came, patient_came, took_place)
    assert attended(after, session) is after


def test_who_came_once_has_come() -> None:
    after = attended(attended(CONFIRMED, example_call()), example_call(started_by=Role.DOCTOR))
    assert (after.doctor_came, after.patient_came, after.took_place) == (True, True, False)


def test_the_absent_side_is_the_one_that_never_came() -> None:
    def who(*, doctor_came: bool, patient_came: bool) -> Absent:
        return no_show(APPOINTMENT, "doctor-1", doctor_came=doctor_came, patient_came=patient_came).absent

    assert who(doctor_came=False, patient_came=False) is Absent.BOTH
    assert who(doctor_came=True, patient_came=False) is Absent.PATIENT
    assert who(doctor_came=False, patient_came=True) is Absent.DOCTOR


@pytest.mark.parametrize(
    "session, completes",
    [
        (example_call(appointment_id=APPOINTMENT, status=CallStatus.ENDED), True),
        (example_call(appointment_id=APPOINTMENT, status=CallStatus.ENDED, connected_at=None), False),
        (example_call(appointment_id=APPOINTMENT, status=CallStatus.FAILED), False),
        (example_call(appointment_id=APPOINTMENT, status=CallStatus.CONNECTED), False),
        (example_call(status=CallStatus.ENDED), False),
        (example_text_session(appointment_id=APPOINTMENT, status=TextSessionStatus.ENDED), True),
        (example_text_session(appointment_id=APPOINTMENT, status=TextSessionStatus.EXPIRED), False),
    ],
)
def test_an_appointment_is_complete_when_a_session_ends_in_which_they_met(session: Session, *, completes: bool) -> None:
    request = completion(Changed(CallEventType.ENDED, session, NOW))
    assert (request is not None) is completes
    if request is not None:
        assert (request.appointment_id, request.doctor_id, request.actor.role) == (APPOINTMENT, "doctor-1", Role.SYSTEM)


def test_the_parties_may_come_from_either_side() -> None:
    for actor in (patient(), doctor()):
        command = example_start(appointment_id=APPOINTMENT, actor=actor)
        assert the_change(decide(Known(appointment=CONFIRMED), command, MOMENT, RULES))


def test_durations_are_exact() -> None:
    call = example_call(status=CallStatus.CONNECTED, connected_at=NOW - seconds(59.999))
    assert call.connected_until(NOW) == timedelta(seconds=59, milliseconds=999)
