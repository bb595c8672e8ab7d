"""Who is told what: the contract's table, and that copies of an event ask for the same."""

from collections.abc import Sequence

import orjson
import pytest

from services.booking.notices import notices_of
from services.booking.working_set import Appointments, Pending
from shared.codec.encode import encode_event
from shared.messages.booking import BOOKING_EVENTS, BookingCommand
from shared.messages.fields import Actor, EventData
from shared.messages.notify import Priority, Template
from tests.examples import (
    DOCTOR,
    NOW,
    PATIENT,
    RULES,
    START,
    admin,
    doctor,
    example_acceptance,
    example_block,
    example_booking,
    example_cancel,
    example_completion,
    example_confirm,
    example_decline,
    example_expire,
    example_import,
    example_no_show,
    example_proposal,
    example_rejection,
    example_warning,
    example_withdrawal,
    hours,
    patient,
    received,
)

BOOK, CONFIRM, PROPOSE = example_booking(), example_confirm(), example_proposal()
CASES: list[tuple[str, Sequence[BookingCommand], set[tuple[str, str]]]] = [
    ("booked", [BOOK], {(DOCTOR, "appointment_requested"), (PATIENT, "appointment_booked")}),
    ("confirmed", [BOOK, CONFIRM], {(PATIENT, "appointment_confirmed")}),
    ("declined", [BOOK, example_decline()], {(PATIENT, "appointment_declined")}),
    ("reschedule_proposed", [BOOK, PROPOSE], {(PATIENT, "reschedule_proposed")}),
    ("rescheduled", [BOOK, PROPOSE, example_acceptance()], {(PATIENT, "rescheduled")}),
    ("reschedule_rejected", [BOOK, PROPOSE, example_rejection()], {(DOCTOR, "reschedule_rejected")}),
    ("reschedule_withdrawn", [BOOK, PROPOSE, example_withdrawal()], {(PATIENT, "reschedule_withdrawn")}),
    ("expiring", [BOOK, example_warning()], {(DOCTOR, "appointment_expiring"), (PATIENT, "appointment_expiring")}),
    ("no_show", [BOOK, CONFIRM, example_no_show()], {(DOCTOR, "appointment_no_show"), (PATIENT, "appointment_no_show")}),
    ("completed", [BOOK, CONFIRM, example_completion()], set()),
    ("imported", [example_import()], set()),
    ("blocked", [example_block()], set()),
    ("rejected", [BOOK, BOOK], set()),
]


def last_event(commands: Sequence[BookingCommand]) -> EventData:
    """What the last of these commands comes to; each comes as late as it may."""
    late = {"warn_expiry": hours(23), "expire": START - NOW + hours(1), "complete": START - NOW, "mark_no_show": START - NOW}
    appointments = Appointments(RULES, [], {PATIENT: Pending(NOW)})
    for index, command in enumerate(commands):
        record = received(command, identifier=f"command-{index}", at=NOW + late.get(command.type.split(".")[2], hours(0)))
        [event] = appointments.decide(record)
    message = encode_event(event, cause=record, index=0, service="booking", topic="events", decided_at="2030-01-07T12:00:00Z")
    return BOOKING_EVENTS[event.type].model_validate_json(message.value or b"")


@pytest.mark.parametrize("word, commands, told", CASES, ids=[case[0] for case in CASES])
def test_each_event_tells_whom_the_table_names(word: str, commands: Sequence[BookingCommand], told: set[tuple[str, str]]) -> None:
    event = last_event(commands)
    assert event.type.split(".")[2] == word
    notices = notices_of(event)
    assert {(notice.recipient_id, str(notice.template)) for notice in notices} == told
    assert len(notices) == len(told)
    assert all(notice.priority is Priority.NORMAL for notice in notices)


@pytest.mark.parametrize("actor, told", [(patient(), {DOCTOR}), (doctor(), {PATIENT}), (admin(), {DOCTOR, PATIENT})])
def test_of_a_cancellation_the_others_are_told(actor: Actor, told: set[str]) -> None:
    notices = notices_of(last_event([BOOK, CONFIRM, example_cancel(actor=actor)]))
    assert {notice.recipient_id for notice in notices} == told
    assert {notice.template for notice in notices} == {Template.APPOINTMENT_CANCELLED}


@pytest.mark.parametrize("commands", [[BOOK, example_expire()], [BOOK, PROPOSE, example_expire()]], ids=["pending", "proposed"])
def test_of_an_expiry_the_patient_is_told_even_at_night(commands: Sequence[BookingCommand]) -> None:
    [notice] = notices_of(last_event(commands))
    assert (notice.recipient_id, notice.template, notice.priority) == (PATIENT, Template.APPOINTMENT_EXPIRED, Priority.CRITICAL)


def test_a_notice_carries_what_its_text_is_made_of() -> None:
    [notice] = notices_of(last_event([BOOK, PROPOSE]))
    assert notice.params == {
        "appointment_id": "apt-1",
        "doctor_id": DOCTOR,
        "patient_id": PATIENT,
        "starts_at": "2030-01-08T14:00:00Z",
        "duration_minutes": 30,
        "modality": "video",
        "user_timezone": "UTC",
        "expires_at": "2030-01-08T14:00:00Z",
        "proposed_starts_at": "2030-01-09T14:00:00Z",
    }
    assert (notice.about.entity, notice.about.entity_id) == ("appointment", "apt-1")
    [to_doctor, _] = notices_of(last_event([BOOK, CONFIRM, example_no_show()]))
    assert to_doctor.params["absent"] == "patient"


def test_what_a_notice_is_made_of_is_json() -> None:
    for _, commands, _ in CASES:
        for notice in notices_of(last_event(commands)):
            assert orjson.loads(orjson.dumps(dict(notice.params))) == dict(notice.params)
