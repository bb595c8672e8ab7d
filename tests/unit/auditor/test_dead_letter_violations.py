"""Each promise about dead letters, broken once: the auditor sees exactly that."""

import pytest

from shared.auditor import ViolationKind
from tests.unit.auditor.booking_log import BOOKING, BookingLog
from tests.unit.auditor.mesh_log import expect


def test_a_record_that_cannot_be_read_has_no_dead_letter() -> None:
    log = BookingLog()
    poison = log.publish(BOOKING.commands, b"doc-a", None, {})
    expect(log, ViolationKind.MISSING_DEAD_LETTER, proof=poison)


def test_bad_data_was_refused_without_a_dead_letter() -> None:
    log = BookingLog()
    bad = log.command("book", {"doctor_id": "doc-a"})
    log.refuse(bad, "invalid_data", 422)
    expect(log, ViolationKind.MISSING_DEAD_LETTER, proof=bad)


def test_an_idempotency_conflict_has_no_dead_letter() -> None:
    log = BookingLog()
    log.book("1", identity="same")
    other = log.command("book", {"doctor_id": "doc-a", "patient_id": "pat-b"}, identity="same")
    expect(log, ViolationKind.MISSING_DEAD_LETTER, proof=other)


def test_an_idempotency_conflict_goes_by_another_name() -> None:
    log = BookingLog()
    log.book("1", identity="same")
    other = log.command("cancel", {"doctor_id": "doc-a", "appointment_id": "apt-1"}, identity="same")
    letter = log.dead_letter(other, "invalid_data")
    expect(log, ViolationKind.DEAD_LETTER_WITHOUT_CAUSE, proof=letter)


def test_a_bad_record_has_two_dead_letters() -> None:
    log = BookingLog()
    poison = log.publish(BOOKING.commands, b"doc-a", b"?", {})
    log.dead_letter(poison, "not_json")
    second = log.dead_letter(poison, "not_json", letter_id="another")
    expect(log, ViolationKind.SEVERAL_DEAD_LETTERS, proof=second)


def test_a_good_command_was_also_set_aside() -> None:
    log = BookingLog()
    letter = log.dead_letter(log.book("1").commands[0], "not_json")
    expect(log, ViolationKind.DEAD_LETTER_WITHOUT_CAUSE, proof=letter)


def test_a_dead_letter_comes_from_nowhere() -> None:
    log = BookingLog()
    poison = log.publish(BOOKING.commands, b"doc-a", b"?", {})
    log.dead_letter(poison, "not_json")
    log.remove(poison)
    expect(log, ViolationKind.DEAD_LETTER_WITHOUT_CAUSE)


@pytest.mark.parametrize("part", ["key", "value", "header"])
def test_a_dead_letter_lost_a_part_of_the_original(part: str) -> None:
    log = BookingLog()
    poison = log.publish(BOOKING.commands, b"doc-a", b"?", {"x-app": "portal"})
    letter = log.dead_letter(poison, "not_json")
    if part == "header":
        log.spoil_header(letter, "x-app", "other")
    else:
        log.put(letter, letter._replace(key=b"other") if part == "key" else letter._replace(value=b"other"))
    expect(log, ViolationKind.DEAD_LETTER_ALTERED, proof=letter)


def test_copies_of_a_dead_letter_differ() -> None:
    log = BookingLog()
    letter = log.dead_letter(log.publish(BOOKING.commands, b"doc-a", b"?", {}), "not_json")
    copy = log.copy(letter)
    log.spoil_header(copy, "__connect.errors.exception.message", "Another message.")
    expect(log, ViolationKind.COPIES_DIFFER, proof=copy)


def test_a_dead_letter_does_not_say_why() -> None:
    log = BookingLog()
    letter = log.dead_letter(log.publish(BOOKING.commands, b"doc-a", b"?", {}), "not_json")
    headers = tuple(entry for entry in letter.headers if entry[0] != "__connect.errors.exception.class.name")
    log.put(letter, letter._replace(headers=headers))
    expect(log, ViolationKind.MALFORMED_DEAD_LETTER, ViolationKind.MISSING_DEAD_LETTER, proof=letter)


def test_an_event_came_from_a_record_that_cannot_be_read() -> None:
    log = BookingLog()
    command = log.command("reschedule", {"doctor_id": "doc-a", "appointment_id": "apt-1"})
    log.dead_letter(command, "unknown_type")
    event = log.refuse(command, "wrong_status")
    expect(log, ViolationKind.EVENT_FROM_BAD_RECORD, proof=event)
