"""Whatever lies in a topic, it can be looked at."""

from typing import Any

import pytest

from shared.cli.seen import Kind, Seen
from shared.cli.story import as_json, colour, details, title
from shared.codec.dead_letters import DeadLetter, Stage, encode_dead_letter
from shared.codec.record import StoredRecord
from tests.unit.cli.records import BEGAN, COMMANDS, EVENTS, command, event, request, seen

ENVELOPE = {
    "specversion": "1.0",
    "id": "line-1",
    "source": "/kcat",
    "type": "booking.appointment.book.v1",
    "correlationid": "talk-1",
    "data": {"doctor_id": "doctor-1", "patient_id": "patient-1"},
}


def dead_letter(of: Seen, message: str = "Why.") -> Seen:
    encoded = encode_dead_letter(DeadLetter(of.record, Stage.VALUE_CONVERTER, "not_json", message), service="booking", group="g")
    return Seen(StoredRecord(encoded.topic, 0, 0, BEGAN + 7, encoded.key, encoded.value, encoded.headers))


def test_a_command_in_binary_mode_says_what_is_asked_for() -> None:
    asked = command(patient_id="patient-1", actor={"role": "patient", "id": "patient-1"}, starts_at="2030-01-08T14:00:00Z")
    assert (asked.kind, asked.type, asked.id, asked.entity, asked.action) == (
        Kind.COMMAND,
        "booking.appointment.book.v1",
        "c-1",
        "appointment",
        "book",
    )
    assert title(asked) == "book appointment"
    assert details(asked) == "by patient patient-1  starts 2030-01-08 14:00Z  doctor doctor-1  patient patient-1"


def test_so_does_one_in_structured_mode() -> None:
    asked = seen(value=ENVELOPE)
    assert (asked.id, asked.attributes["correlationid"], title(asked)) == ("line-1", "talk-1", "book appointment")
    assert details(asked) == "doctor doctor-1  patient patient-1"


def test_an_event_says_what_happened_to_what_and_where_its_cause_lies() -> None:
    asked = command(offset=41)
    happened = event(of=asked, status="pending", version=1, user_timezone="UTC")
    assert (happened.kind, happened.entity_id, happened.cause) == (Kind.EVENT, "apt-1", (COMMANDS, 0, 41))
    assert (title(happened), details(happened)) == ("appointment booked", "pending  doctor doctor-1")


def test_a_refusal_says_why() -> None:
    refusal: dict[str, Any] = {"status_code": 409, "reason": "slot_already_booked", "message": "This time slot is already booked."}
    refused = event(of=command(), type_="booking.appointment.rejected.v1", **refusal)
    assert (title(refused), details(refused)) == ("appointment rejected", "409 slot_already_booked: This time slot is already booked.")


def test_a_request_says_who_is_told_what_about_what() -> None:
    asked = request(of=event(of=command()))
    assert (title(asked), details(asked)) == ("send notification", "appointment_booked  to patient-1  about appointment apt-1")


def test_a_dead_letter_says_why_and_where_its_record_lay() -> None:
    letter = dead_letter(seen(COMMANDS, 5, value=b"{"))
    assert (letter.kind, letter.cause, title(letter), details(letter)) == (
        Kind.DEAD_LETTER,
        (COMMANDS, 0, 5),
        "dead letter",
        "not_json: Why.",
    )


@pytest.mark.parametrize(
    "value, words",
    [
        (None, "no value"),
        (b"", "0 bytes that are not a message"),
        (b"{", "1 bytes that are not a message"),
        (b"[1]", "3 bytes that are not a message"),
        (b"\xff\xfe", "2 bytes that are not a message"),
    ],
)
def test_what_is_no_message_is_told_by_its_size(value: bytes | None, words: str) -> None:
    assert (title(seen(value=value)), details(seen(value=value))) == ("unreadable", words)


def test_colours_tell_asked_happened_refused_swept_and_dead() -> None:
    asked, swept = command(), command(source="/caremesh/booking")
    assert [colour(asked), colour(swept)] == ["cyan", "magenta"]
    assert [colour(event(of=asked)), colour(event(of=swept))] == ["green", "magenta"]
    assert colour(event(of=asked, type_="booking.appointment.rejected.v1")) == "yellow"
    assert colour(dead_letter(asked)) == "bold red"
    assert colour(seen("telemed.calls.sessions.v1", value={})) == "blue"


@pytest.mark.parametrize("identifier", ["doctor-1", "c-1", "/tests", "patient-9", "deep-1"])
def test_it_names_what_stands_in_its_key_its_headers_or_anywhere_in_its_value(identifier: str) -> None:
    assert command(patient_id="patient-9", inner={"list": [{"id": "deep-1"}]}).names(identifier)


@pytest.mark.parametrize("identifier", ["doctor", "octor-1", "patient-99", "patient_id", "1"])
def test_it_does_not_name_what_is_only_a_part_of_it(identifier: str) -> None:
    assert not command(patient_id="patient-9", number=1).names(identifier)


def test_bytes_that_are_no_message_name_what_they_hold() -> None:
    assert seen(key=None, value=b'{"appointment_id": "apt-1"').names("apt-1")


def test_whatever_is_in_a_record_nothing_of_it_acts_on_the_terminal() -> None:
    evil = "\x1b]0;owned\x07\x1b[2J"
    records = [
        seen(key=evil, value={"type": evil}, id=evil, type=f"a.{evil}.{evil}.v1", subject=evil),
        seen(value={evil: evil, "status": evil, "actor": {"role": evil, "id": evil}, "x_at": evil, "who_id": evil}),
        event(of=command(), type_="a.b.rejected.v1", reason=evil, message=evil, status_code=evil),
        dead_letter(command(), message=evil),
    ]
    for record in records:
        assert "\x1b" not in title(record) + details(record)


@pytest.mark.parametrize(
    "value", [{"decision": 1}, {"decision": {"command": 1, "offset": "x"}}, {"actor": []}, {"status": {}}, {"x_at": "soon"}]
)
def test_no_shape_of_a_value_is_stumbled_over(value: dict[str, object]) -> None:
    odd = seen(EVENTS, value=value, type="..", id="x")
    assert odd.cause is None
    assert isinstance(title(odd) + details(odd) + colour(odd), str)


def test_for_programs_a_record_is_whole() -> None:
    plain = as_json(command(offset=3))
    assert plain["value"] == {"doctor_id": "doctor-1"}
    assert plain["headers"] == {"ce_id": "c-1", "ce_source": "/tests", "ce_type": "booking.appointment.book.v1"}
    assert (plain["topic"], plain["partition"], plain["offset"], plain["key"]) == (COMMANDS, 0, 3, "doctor-1")
    assert as_json(seen(key=None, value=b"{"))["value"] == "{"
    assert as_json(seen(key=None))["key"] is None
