"""What one batch needs, kept in memory: each command sees what the ones before it did."""

from collections.abc import Iterable

from services.booking.domain.appointment import Appointment, Rules
from services.booking.domain.time_off import TimeOff
from services.booking.working_set import Appointments, Pending
from shared.codec.decode import Received
from shared.codec.encode import derived_id
from shared.messages.booking import AppointmentStatus
from shared.messages.events import Event
from tests.examples import (
    APPOINTMENT,
    DOCTOR,
    NOW,
    OTHER_START,
    PATIENT,
    SOURCE,
    START,
    example_acceptance,
    example_appointment,
    example_block,
    example_booking,
    example_cancel,
    example_confirm,
    example_decline,
    example_expire,
    example_import,
    example_proposal,
    example_record,
    example_rejection,
    example_time_off,
    example_unblock,
    example_warning,
    example_withdrawal,
    hours,
    minutes,
    read,
    received,
)
from tests.unit.codec.records import with_body


def a_working_set(
    *loaded: Appointment, pending: Iterable[str] = (PATIENT, "another"), limit: int = 5, time_off: Iterable[TimeOff] = ()
) -> Appointments:
    return Appointments(Rules(max_pending_per_patient=limit), loaded, {patient: Pending(NOW) for patient in pending}, time_off)


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


def test_a_time_proposed_in_a_batch_is_held_for_the_rest_of_it_and_its_loser_is_told_of_the_race() -> None:
    appointments = a_working_set(example_appointment(status=AppointmentStatus.CONFIRMED))
    taken = received(example_booking(appointment_id="next", patient_id="another", starts_at=OTHER_START))
    [_, refused] = [appointments.decide(command)[0] for command in (received(example_proposal()), taken)]
    assert (refused.body["reason"], refused.body["message"]) == ("slot_already_booked", "Time slot was just booked by another patient.")


def test_the_old_time_is_free_for_the_rest_of_the_batch_in_which_a_proposal_is_accepted() -> None:
    appointments = a_working_set(example_appointment(status=AppointmentStatus.CONFIRMED))
    next_one = received(example_booking(appointment_id="next", patient_id="another"))
    commands = [received(example_proposal()), next_one, received(example_acceptance()), next_one]
    assert outcomes(appointments, *commands) == ["reschedule_proposed", "slot_already_booked", "rescheduled", "booked"]


def test_what_moves_is_told_from_what_changes_where_it_is() -> None:
    moves = {
        "proposed": example_appointment(appointment_id="proposed", status=AppointmentStatus.CONFIRMED),
        "answered": example_appointment(
            appointment_id="answered", status=AppointmentStatus.RESCHEDULE_PROPOSED, starts_at=START + hours(1)
        ),
        "and-back": example_appointment(appointment_id="and-back", status=AppointmentStatus.CONFIRMED, starts_at=START + hours(2)),
        "confirmed": example_appointment(appointment_id="confirmed", starts_at=START + hours(3)),
    }
    appointments = a_working_set(*moves.values())
    elsewhere = OTHER_START + hours(5)
    commands = [
        received(example_proposal(appointment_id="proposed", starts_at=elsewhere)),
        received(example_rejection(appointment_id="answered")),
        received(example_proposal(appointment_id="and-back", starts_at=elsewhere + hours(1))),
        received(example_withdrawal(appointment_id="and-back")),
        received(example_confirm(appointment_id="confirmed")),
    ]
    assert all(not word.endswith("booked") for word in outcomes(appointments, *commands))
    assert sorted(kept.appointment_id for kept in appointments.moved) == ["answered", "proposed"]
    assert sorted(kept.appointment_id for kept in appointments.changed) == ["and-back", "confirmed"]


def test_an_interval_blocked_in_a_batch_is_blocked_for_the_rest_of_it_until_it_is_freed() -> None:
    appointments = a_working_set()
    commands = [received(example_block()), received(), received(example_unblock()), received(), received(example_block(time_off_id="late"))]
    assert outcomes(appointments, *commands) == ["blocked", "slot_already_booked", "unblocked", "booked", "slot_already_booked"]
    assert [(off.time_off_id, off.version) for off in appointments.new_time_off] == [("off-1", 2)]
    assert appointments.changed_time_off == []


def test_older_time_off_that_is_freed_is_written_as_a_change() -> None:
    appointments = a_working_set(time_off=[example_time_off()])
    assert outcomes(appointments, received(example_unblock())) == ["unblocked"]
    assert [off.time_off_id for off in appointments.changed_time_off] == ["off-1"]
    assert appointments.new_time_off == []


def test_a_refused_time_off_names_itself_and_repeats_its_version() -> None:
    for doctor_id, version in ((DOCTOR, 1), ("another", 0)):
        appointments = a_working_set(time_off=[example_time_off()])
        event = only(appointments.decide(received(example_block(doctor_id=doctor_id))))
        assert (event.type, event.key, event.subject, event.version) == ("booking.time_off.rejected.v1", doctor_id, "off-1", version)
        assert (event.body["command"], event.body["time_off_id"]) == ("booking.time_off.block.v1", "off-1")


def test_a_block_with_wrong_data_is_refused_as_time_off() -> None:
    record = with_body(example_record(example_block()), {"time_off_id": "off-1", "doctor_id": DOCTOR, "starts_at": "tomorrow"})
    event = only(a_working_set(time_off=[example_time_off()]).decide(read(record)))
    assert (event.type, event.subject, event.version) == ("booking.time_off.rejected.v1", "off-1", 1)
    assert (event.body["status_code"], event.body["reason"]) == (422, "invalid_data")


def test_an_appointment_and_a_time_off_may_share_an_id() -> None:
    appointments = a_working_set(example_appointment(appointment_id="same", starts_at=START - hours(5), version=4))
    assert outcomes(appointments, received(example_block(time_off_id="same"))) == ["blocked"]
    event = only(appointments.decide(received(example_block(time_off_id="same"))))
    assert (event.body["reason"], event.version) == ("time_off_exists", 1)


def test_who_is_asked_for_another_time_waits_for_nobody_and_who_rejects_it_waits_again() -> None:
    appointments = Appointments(Rules(max_pending_per_patient=1), [example_appointment()], {PATIENT: Pending(NOW, open=1)})
    book = received(example_booking(appointment_id="next", starts_at=START + hours(1)))
    again = received(example_booking(appointment_id="more", starts_at=START + hours(2)))
    assert outcomes(appointments, book, received(example_proposal()), book) == ["too_many_pending", "reschedule_proposed", "booked"]
    assert outcomes(appointments, received(example_rejection()), again) == ["reschedule_rejected", "too_many_pending"]


def test_an_imported_one_that_waits_is_counted() -> None:
    appointments = a_working_set(limit=1)
    pending = example_import(appointment_id="imported", status=AppointmentStatus.PENDING, starts_at=START + hours(1), created_at=NOW)
    assert outcomes(appointments, received(pending), received()) == ["imported", "too_many_pending"]
