"""What one batch needs, kept in memory: each command sees what the ones before it did."""

from collections.abc import Iterable

from services.booking.domain.appointment import Appointment, Rules
from services.booking.working_set import Appointments, Pending
from shared.codec.decode import Received
from shared.codec.encode import derived_id
from shared.messages.booking import AppointmentStatus
from shared.messages.events import Event
from tests.examples import (
    APPOINTMENT,
    DOCTOR,
    NOW,
    PATIENT,
    SOURCE,
    START,
    example_appointment,
    example_booking,
    example_cancel,
    example_confirm,
    example_decline,
    example_expire,
    example_record,
    example_warning,
    hours,
    minutes,
    read,
    received,
)
from tests.unit.codec.records import with_body


def a_working_set(*loaded: Appointment, pending: Iterable[str] = (PATIENT, "another"), limit: int = 5) -> Appointments:
    return Appointments(Rules(max_pending_per_patient=limit), loaded, {patient: Pending(NOW) for patient in pending})


def outcomes(appointments: Appointments, *commands: Received) -> list[str]:
    words = []
    for command in commands:
        outcome = appointments.decide(command)[0]
        words.append(str(outcome.body.get("reason", outcome.type.split(".")[2])))
    return words


def only(events: list[Event]) -> Event:
    assert len(events) == 1
    return events[0]


def test_a_slot_taken_in_a_batch_is_taken_for_the_rest_of_it() -> None:
    first, second = example_booking(appointment_id="first"), example_booking(appointment_id="second", patient_id="another")
    appointments = a_working_set()
    assert outcomes(appointments, received(first), received(second)) == ["booked", "slot_already_booked"]


def test_a_slot_freed_in_a_batch_is_free_for_the_rest_of_it() -> None:
    appointments = a_working_set(example_appointment(appointment_id="old"))
    cancel, book = example_cancel(appointment_id="old"), example_booking(appointment_id="new", patient_id="another")
    assert outcomes(appointments, received(cancel), received(book)) == ["cancelled", "booked"]
    assert [appointment.appointment_id for appointment in appointments.changed] == ["old"]
    assert [appointment.appointment_id for appointment in appointments.new] == ["new"]


def test_what_is_booked_and_changed_in_a_batch_is_written_once_as_it_stands_after_it() -> None:
    appointments = a_working_set()
    assert outcomes(appointments, received(), received(example_confirm()), received(example_cancel())) == [
        "booked",
        "confirmed",
        "cancelled",
    ]
    assert [(kept.status, kept.version) for kept in appointments.new] == [(AppointmentStatus.CANCELLED, 3)]
    assert appointments.changed == []


def test_a_refusal_writes_nothing() -> None:
    appointments = a_working_set(example_appointment(appointment_id="held", patient_id="another"))
    assert outcomes(appointments, received()) == ["slot_already_booked"]
    assert (appointments.new, appointments.changed) == ([], [])


def test_a_warning_is_written_although_the_version_stays() -> None:
    appointments = a_working_set(example_appointment(expires_at=NOW + hours(1)))
    event = only(appointments.decide(received(example_warning())))
    assert event.version == 1
    assert [kept.warned_at for kept in appointments.changed] == [NOW]
    assert outcomes(appointments, received(example_warning())) == ["already_warned"]


def test_without_an_id_the_appointment_gets_one_that_the_command_determines() -> None:
    event = only(a_working_set().decide(received(example_booking(appointment_id=None), identifier="the-command")))
    expected = derived_id("apt_", SOURCE, "the-command")
    assert event.subject == event.body["appointment_id"] == expected
    other = only(a_working_set().decide(received(example_booking(appointment_id=None), identifier="another")))
    assert other.subject != expected


def test_a_refused_booking_without_an_id_names_the_derived_one() -> None:
    appointments = a_working_set(example_appointment(appointment_id="held", patient_id="another"))
    event = only(appointments.decide(received(example_booking(appointment_id=None), identifier="the-command")))
    assert event.subject == event.body["appointment_id"] == derived_id("apt_", SOURCE, "the-command")
    assert event.version == 0


def test_a_refusal_repeats_the_version_and_names_the_ids_of_the_command() -> None:
    appointments = a_working_set(example_appointment(status=AppointmentStatus.CANCELLED, version=7))
    event = only(appointments.decide(received(example_confirm())))
    assert (event.type, event.key, event.version) == ("booking.appointment.rejected.v1", DOCTOR, 7)
    assert event.body["command"] == "booking.appointment.confirm.v1"
    assert event.body["status_code"] == 409
    assert (event.body["appointment_id"], event.body["doctor_id"]) == (APPOINTMENT, DOCTOR)


def test_a_refusal_tells_another_doctor_nothing_about_the_version() -> None:
    appointments = a_working_set(example_appointment(version=7))
    event = only(appointments.decide(received(example_confirm(doctor_id="another"))))
    assert (event.body["reason"], event.version, event.key) == ("appointment_not_found", 0, "another")


def test_an_event_of_an_appointment_in_the_way_never_names_its_patient_to_the_loser() -> None:
    appointments = a_working_set(example_appointment(appointment_id="held", patient_id="secret-patient"))
    event = only(appointments.decide(received()))
    assert "secret-patient" not in repr(event)


def test_a_command_with_wrong_data_is_refused_with_what_can_be_said_of_it() -> None:
    record = with_body(example_record(), {"appointment_id": APPOINTMENT, "doctor_id": DOCTOR, "starts_at": "tomorrow"})
    event = only(a_working_set(example_appointment(version=3)).decide(read(record)))
    assert (event.type, event.key, event.subject, event.time) == ("booking.appointment.rejected.v1", DOCTOR, APPOINTMENT, NOW)
    assert (event.body["status_code"], event.body["reason"], event.version) == (422, "invalid_data", 3)


def test_the_pending_limit_counts_what_was_booked_in_the_same_batch() -> None:
    books = [received(example_booking(appointment_id=f"apt-{i}", starts_at=START + hours(i))) for i in range(3)]
    assert outcomes(a_working_set(limit=2), *books) == ["booked", "booked", "too_many_pending"]


def test_an_answer_makes_room_under_the_pending_limit_at_once() -> None:
    for answer in (example_confirm, example_decline, example_cancel):
        appointments = Appointments(Rules(max_pending_per_patient=1), [example_appointment()], {PATIENT: Pending(NOW, open=1)})
        book = received(example_booking(appointment_id="next", starts_at=START + hours(1)))
        assert outcomes(appointments, book, received(answer()), book)[::2] == ["too_many_pending", "booked"]


def test_what_lapses_while_the_batch_was_appended_counts_until_then() -> None:
    deadline = NOW + minutes(10)
    held = example_appointment(appointment_id="held", expires_at=deadline)
    appointments = Appointments(Rules(max_pending_per_patient=1), [held], {PATIENT: Pending(deadline + minutes(1), deadlines=[deadline])})
    before = received(example_booking(starts_at=START + hours(1)), at=deadline)
    after = received(example_booking(starts_at=START + hours(1)), at=deadline + minutes(1))
    assert outcomes(appointments, before, after) == ["too_many_pending", "booked"]


def test_closing_what_lapsed_long_ago_makes_no_further_room_under_the_pending_limit() -> None:
    lapsed = example_appointment(expires_at=NOW - hours(1))
    for closing in (received(example_expire()), received(example_booking(appointment_id="over-it", patient_id="another"))):
        pending = {PATIENT: Pending(NOW), "another": Pending(NOW)}
        appointments = Appointments(Rules(max_pending_per_patient=1), [lapsed], pending)
        books = [received(example_booking(appointment_id=f"apt-{i}", starts_at=START + hours(i))) for i in (2, 3)]
        assert outcomes(appointments, closing, *books)[1:] == ["booked", "too_many_pending"]


def test_it_knows_what_was_loaded_and_what_was_booked() -> None:
    appointments = a_working_set(example_appointment(appointment_id="old"))
    assert appointments.knows("old")
    assert not appointments.knows(APPOINTMENT)
    appointments.decide(received(example_booking(starts_at=START + hours(1))))
    assert appointments.knows(APPOINTMENT)


def test_declining_frees_the_slot_and_is_told_from_cancelling() -> None:
    appointments = a_working_set(example_appointment())
    event = only(appointments.decide(received(example_decline())))
    assert (event.type, event.body["status"], event.body["cancelled_by"]) == ("booking.appointment.declined.v1", "cancelled", "doctor")
