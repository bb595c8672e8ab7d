"""What nothing can be made of, or not all of it: each kind gets its reason, and nothing raises."""

import random
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.codec.decode import Malformed, Received, Unreadable, UnreadableReason, decode
from shared.codec.record import MAX_VALUE_BYTES, StoredRecord, UnreadableName
from shared.messages.booking import BOOKING_COMMANDS
from shared.messages.refusal import DataReason
from tests.examples import APPOINTMENT, DOCTOR, PATIENT, example_confirm, example_record, read
from tests.unit.codec.records import body_of, in_structured_mode, with_body, with_fields, with_headers

R = UnreadableReason
EXAMPLE = example_record()


def nested(levels: int) -> bytes:
    return b'{"x":' + b"[" * levels + b"]" * levels + b"}"


def padded(size: int) -> bytes:
    """A valid command of exactly so many bytes."""
    assert EXAMPLE.value is not None
    return EXAMPLE.value + b" " * (size - len(EXAMPLE.value))


UNREADABLE = [
    pytest.param(replace(EXAMPLE, value=None), R.TOMBSTONE, id="a tombstone"),
    pytest.param(replace(EXAMPLE, value=None, key=None, headers=()), R.TOMBSTONE, id="nothing at all"),
    pytest.param(replace(EXAMPLE, key=None), R.NO_KEY, id="no key"),
    pytest.param(replace(EXAMPLE, key=b""), R.NO_KEY, id="an empty key"),
    pytest.param(replace(EXAMPLE, value=padded(MAX_VALUE_BYTES + 1)), R.TOO_LARGE, id="a byte too large"),
    pytest.param(replace(EXAMPLE, value=b""), R.NOT_JSON, id="an empty value"),
    pytest.param(replace(EXAMPLE, value=b"\xff\xfe{}"), R.NOT_JSON, id="not UTF-8"),
    pytest.param(replace(EXAMPLE, value=b'{"doctor_id":"\xc3\x28"}'), R.NOT_JSON, id="not UTF-8 within a string"),
    pytest.param(replace(EXAMPLE, value=b'{"doctor_id":"\\ud800"}'), R.NOT_JSON, id="half a surrogate pair"),
    pytest.param(replace(EXAMPLE, value="{}".encode("utf-16")), R.NOT_JSON, id="UTF-16"),
    pytest.param(replace(EXAMPLE, value=b"\xef\xbb\xbf{}"), R.NOT_JSON, id="a byte order mark"),
    pytest.param(replace(EXAMPLE, value=b"\x00\x00\x00\x00\x01{}"), R.NOT_JSON, id="a schema registry's magic bytes"),
    pytest.param(replace(EXAMPLE, value=b"{'a': 1}"), R.NOT_JSON, id="Python, not JSON"),
    pytest.param(replace(EXAMPLE, value=b'{"a":1'), R.NOT_JSON, id="cut off"),
    pytest.param(replace(EXAMPLE, value=b"{}{}"), R.NOT_JSON, id="two objects"),
    pytest.param(replace(EXAMPLE, value=b'{"duration_minutes":NaN}'), R.NOT_JSON, id="NaN"),
    pytest.param(replace(EXAMPLE, value=b'{"duration_minutes":Infinity}'), R.NOT_JSON, id="Infinity"),
    pytest.param(replace(EXAMPLE, value=b'{"duration_minutes":1e400}'), R.NOT_JSON, id="a number beyond all floats"),
    pytest.param(replace(EXAMPLE, value=b"[]"), R.NOT_JSON, id="an array"),
    pytest.param(replace(EXAMPLE, value=b'"text"'), R.NOT_JSON, id="a string"),
    pytest.param(replace(EXAMPLE, value=b"1"), R.NOT_JSON, id="a number"),
    pytest.param(replace(EXAMPLE, value=b"null"), R.NOT_JSON, id="null"),
    pytest.param(replace(EXAMPLE, value=nested(300)), R.NOT_JSON, id="nested deeper than can be written again"),
    pytest.param(replace(EXAMPLE, value=nested(30_000)), R.NOT_JSON, id="nested deeper than can be read"),
    pytest.param(with_headers(**{UnreadableName(r"\xff"): "x"}), R.INVALID_ENVELOPE, id="a header whose name is not UTF-8"),
    pytest.param(with_headers(ce_id=None), R.INVALID_ENVELOPE, id="no ce_id"),
    pytest.param(with_headers(ce_id=""), R.INVALID_ENVELOPE, id="an empty ce_id"),
    pytest.param(with_headers(ce_id="two words"), R.INVALID_ENVELOPE, id="a space in ce_id"),
    pytest.param(with_headers(ce_id="line\n"), R.INVALID_ENVELOPE, id="a line feed at the end of ce_id"),
    pytest.param(with_headers(ce_id="ä"), R.INVALID_ENVELOPE, id="a letter with an accent in ce_id"),
    pytest.param(with_headers(ce_id="x" * 129), R.INVALID_ENVELOPE, id="129 characters in ce_id"),
    pytest.param(with_headers(ce_id=b"\xff"), R.INVALID_ENVELOPE, id="ce_id is not UTF-8"),
    pytest.param(
        replace(EXAMPLE, headers=[(name, None if name == "ce_id" else value) for name, value in EXAMPLE.headers]),  # type: ignore[misc]
        R.INVALID_ENVELOPE,
        id="ce_id is null",
    ),
    pytest.param(with_headers(ce_source=None), R.INVALID_ENVELOPE, id="no ce_source"),
    pytest.param(with_headers(ce_source="two words"), R.INVALID_ENVELOPE, id="a space in ce_source"),
    pytest.param(with_headers(ce_source="/x\n/y"), R.INVALID_ENVELOPE, id="a line feed in ce_source"),
    pytest.param(with_headers(ce_source="x" * 129), R.INVALID_ENVELOPE, id="129 characters in ce_source"),
    pytest.param(with_headers(ce_type=None), R.INVALID_ENVELOPE, id="no ce_type"),
    pytest.param(with_headers(ce_type="bad type"), R.INVALID_ENVELOPE, id="a space in ce_type"),
    pytest.param(with_headers(ce_specversion=None), R.INVALID_ENVELOPE, id="no ce_specversion"),
    pytest.param(with_headers(ce_specversion="0.3"), R.INVALID_ENVELOPE, id="another specversion"),
    pytest.param(replace(EXAMPLE, headers=()), R.INVALID_ENVELOPE, id="no headers, and no envelope in the value"),
    pytest.param(in_structured_mode(EXAMPLE, id=...), R.INVALID_ENVELOPE, id="structured without id"),
    pytest.param(in_structured_mode(EXAMPLE, id=7), R.INVALID_ENVELOPE, id="structured with a number as id"),
    pytest.param(in_structured_mode(EXAMPLE, source=["x"]), R.INVALID_ENVELOPE, id="structured with a list as source"),
    pytest.param(in_structured_mode(EXAMPLE, specversion=1.0), R.INVALID_ENVELOPE, id="structured with a number as specversion"),
    pytest.param(in_structured_mode(EXAMPLE, type=None), R.INVALID_ENVELOPE, id="structured with null as type"),
    pytest.param(with_headers(ce_type="booking.appointment.book.v2"), R.UNKNOWN_TYPE, id="a type of the future"),
    pytest.param(with_headers(ce_type="calls.call.start.v1"), R.UNKNOWN_TYPE, id="a type of another service"),
    pytest.param(in_structured_mode(EXAMPLE, type="booking.appointment.booked.v1"), R.UNKNOWN_TYPE, id="an event, not a command"),
    pytest.param(replace(EXAMPLE, timestamp=2**62), R.INVALID_ENVELOPE, id="a timestamp beyond all years"),
    pytest.param(replace(EXAMPLE, timestamp=-1), R.INVALID_ENVELOPE, id="no timestamp"),
]


@pytest.mark.parametrize("record, reason", UNREADABLE)
def test_of_these_nothing_can_be_made(record: StoredRecord, reason: UnreadableReason) -> None:
    decoded = decode(record, BOOKING_COMMANDS)
    assert isinstance(decoded, Unreadable)
    assert decoded.reason is reason
    assert decoded.record is record
    assert decoded.message.endswith(".")


def test_of_several_reasons_the_first_in_order_is_given() -> None:
    bad = replace(with_headers(ce_id=None, ce_type="unknown"), value=None, key=None)
    reasons = []
    for value, key in ((None, None), (b"x" * 70_000, None), (b"x" * 70_000, b"key"), (b"[", b"key"), (b"{}", b"key")):
        decoded = decode(replace(bad, value=value, key=key), BOOKING_COMMANDS)
        assert isinstance(decoded, Unreadable)
        reasons.append(decoded.reason)
    assert [*reasons, R.UNKNOWN_TYPE] == list(R)


MALFORMED = [
    pytest.param(with_fields(doctor_id=...), id="no doctor"),
    pytest.param(with_fields(patient_id=...), id="no patient"),
    pytest.param(with_fields(patient_id=None), id="null as patient"),
    pytest.param(with_fields(patient_id=7), id="a number as patient"),
    pytest.param(with_fields(patient_id=""), id="an empty patient"),
    pytest.param(with_fields(patient_id="Jane Doe"), id="a name as patient"),
    pytest.param(with_fields(patient_id="jane\n"), id="a line feed at the end of the patient"),
    pytest.param(with_fields(patient_id="x" * 129), id="129 characters as patient"),
    pytest.param(with_fields(appointment_id="a/b"), id="a slash in the id"),
    pytest.param(with_fields(starts_at=...), id="no start"),
    pytest.param(with_fields(starts_at="2030-01-31T09:30:00"), id="a time without an offset"),
    pytest.param(with_fields(starts_at="2030-01-31"), id="a date"),
    pytest.param(with_fields(starts_at=1893456000), id="seconds since 1970"),
    pytest.param(with_fields(starts_at="0001-01-01T00:00:00+14:00"), id="year 1 at +14:00"),
    pytest.param(with_fields(starts_at="9999-12-31T23:59:59-14:00"), id="year 9999 at -14:00"),
    pytest.param(with_fields(starts_at="1969-12-31T23:59:59Z"), id="a year before 1970"),
    pytest.param(with_fields(starts_at="2201-01-01T00:00:00Z"), id="a year after 2200"),
    pytest.param(with_fields(starts_at="2030-02-29T00:00:00Z"), id="a day that does not exist"),
    pytest.param(with_fields(starts_at="2030-01-01T24:00:00Z"), id="hour 24"),
    pytest.param(with_fields(starts_at="2030-01-01T23:59:60Z"), id="second 60"),
    pytest.param(with_fields(starts_at="2030-01-01T00:00:00+24:00"), id="an offset of a day"),
    pytest.param(with_fields(starts_at="\uff12\uff10\uff13\uff10-01-01T00:00:00Z"), id="digits of another script"),
    pytest.param(with_fields(starts_at="2030-01-01T00:00:00Z\n"), id="a line feed after the time"),
    pytest.param(with_fields(duration_minutes=4), id="too short"),
    pytest.param(with_fields(duration_minutes=481), id="too long"),
    pytest.param(with_fields(duration_minutes=30.0), id="a fraction as duration"),
    pytest.param(with_fields(duration_minutes="30"), id="text as duration"),
    pytest.param(with_fields(duration_minutes=True), id="true as duration"),
    pytest.param(replace(EXAMPLE, value=b'{"duration_minutes":1' + b"0" * 26 + b"}"), id="an integer of 27 digits"),
    pytest.param(with_fields(duration_minutes=2**64 - 1), id="an integer of 64 bits"),
    pytest.param(with_fields(modality="carrier pigeon"), id="an unknown modality"),
    pytest.param(with_fields(user_timezone="Mars/Olympus"), id="an unknown time zone"),
    pytest.param(with_fields(user_timezone="../../etc/passwd"), id="a path as time zone"),
    pytest.param(with_fields(user_timezone="x" * 60_000), id="a very long time zone"),
    pytest.param(with_fields(actor=...), id="no actor"),
    pytest.param(with_fields(actor="patient"), id="text as actor"),
    pytest.param(with_fields(actor={"role": "boss", "id": "x"}), id="an unknown role"),
    pytest.param(with_fields(actor={"role": "patient"}), id="an actor without id"),
    pytest.param(with_fields(status="confirmed"), id="a client that sets the status"),
    pytest.param(with_fields(actor={"role": "patient", "id": PATIENT, "name": "x"}), id="an unknown field of the actor"),
    pytest.param(with_body(EXAMPLE, {}), id="an empty object"),
    pytest.param(in_structured_mode(EXAMPLE, data=...), id="structured without data"),
    pytest.param(in_structured_mode(EXAMPLE, data=[]), id="structured with a list as data"),
    pytest.param(in_structured_mode(EXAMPLE, data="{}"), id="structured with text as data"),
    pytest.param(in_structured_mode(EXAMPLE, data=None), id="structured with null as data"),
]


@pytest.mark.parametrize("record", MALFORMED)
def test_wrong_data_is_readable_and_refused_with_422(record: StoredRecord) -> None:
    content = read(record).content
    assert isinstance(content, Malformed)
    assert (content.refusal.status_code, content.refusal.reason) == (422, DataReason.INVALID_DATA)


@pytest.mark.parametrize(
    "key, reason",
    [(b"doctor-2", DataReason.KEY_MISMATCH), (b"doctor-1 ", DataReason.KEY_MISMATCH), (b"\xff\xfe", DataReason.KEY_MISMATCH)],
)
def test_a_key_unlike_the_body_is_refused_under_the_bodys_key(key: bytes, reason: DataReason) -> None:
    content = read(replace(EXAMPLE, key=key)).content
    assert isinstance(content, Malformed)
    assert (content.refusal.status_code, content.refusal.reason) == (422, reason)
    assert content.key == DOCTOR
    assert content.entity_id == APPOINTMENT


def test_what_is_valid_in_wrong_data_is_named_and_nothing_else() -> None:
    content = read(with_fields(patient_id="Jane Doe", reason_id="not-a-field", starts_at="soon")).content
    assert isinstance(content, Malformed)
    assert content.ids == {"appointment_id": APPOINTMENT, "doctor_id": DOCTOR}


def test_without_a_valid_doctor_the_refusal_goes_under_the_records_key() -> None:
    content = read(with_fields(doctor_id="Dr. Who?")).content
    assert isinstance(content, Malformed)
    assert content.key == DOCTOR


@pytest.mark.parametrize("key", [b"x" * 300_000, b"\xff" * 300_000, "ü".encode() * 300_000])
def test_a_key_of_any_size_gives_a_refusal_that_fits_into_a_topic(key: bytes) -> None:
    content = read(replace(with_fields(doctor_id=...), key=key)).content
    assert isinstance(content, Malformed)
    assert 0 < len(content.key.encode()) < 1024


@pytest.mark.parametrize("size", [MAX_VALUE_BYTES - 1, MAX_VALUE_BYTES])
def test_64_kib_are_not_too_large(size: int) -> None:
    assert isinstance(decode(replace(EXAMPLE, value=padded(size)), BOOKING_COMMANDS), Received)


def test_moderate_nesting_is_wrong_data_and_not_unreadable() -> None:
    assert isinstance(read(replace(EXAMPLE, value=nested(100))).content, Malformed)


SECRET = "Jane-Roe-555-0100"


@pytest.mark.parametrize(
    "field", ["appointment_id", "doctor_id", "patient_id", "starts_at", "duration_minutes", "modality", "user_timezone", "actor"]
)
@pytest.mark.parametrize("shape", ["text", "list", "object", "actor's role", "actor's id"])
def test_a_refusal_never_repeats_what_was_in_the_data(field: str, shape: str) -> None:
    secret = SECRET + "?"
    value: Any = {
        "text": secret,
        "list": [secret],
        "object": {"x": secret},
        "actor's role": {"role": secret, "id": "x"},
        "actor's id": {"role": "patient", "id": secret},
    }[shape]
    content = read(with_fields(**{field: value})).content
    assert isinstance(content, Malformed)
    assert SECRET not in repr(content.refusal)
    assert SECRET not in repr(content.ids)


@pytest.mark.parametrize("name", [f"{SECRET} wrote", f"name of {SECRET}", SECRET + "\n" + SECRET, "x" * 5_000])
def test_a_refusal_never_repeats_text_that_stands_in_for_a_fields_name(name: str) -> None:
    for record in (with_fields(**{name: 1}), with_fields(actor={"role": "patient", "id": PATIENT, name: 1})):
        content = read(record).content
        assert isinstance(content, Malformed)
        assert SECRET not in content.refusal.message
        assert "xxxx" not in content.refusal.message


def test_a_refusal_names_the_fields_that_are_wrong() -> None:
    content = read(with_fields(duration_minutes=4, starts_at="soon", colour="red", actor={"role": "boss", "id": "x"})).content
    assert isinstance(content, Malformed)
    message = content.refusal.message
    assert "duration_minutes: " in message
    assert "starts_at: a time is RFC 3339 with an offset" in message
    assert "colour: " in message
    assert "actor.role: " in message


_headers = st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_source", "ce_type", "ce_specversion", "ce_time", "content-type", "traceparent", "id", "x"])
        | st.text(),
        st.binary() | st.none() | st.sampled_from([b"1.0", b"booking.appointment.book.v1", b"application/cloudevents+json"]),
    ),
    max_size=8,
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from([*body_of(EXAMPLE)]), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(value=st.binary() | st.none(), key=st.binary() | st.none(), headers=_headers, timestamp=st.integers(-(2**63), 2**63 - 1))
def test_no_bytes_make_decoding_raise(value: bytes | None, key: bytes | None, headers: Any, timestamp: int) -> None:
    decode(StoredRecord("topic", 0, 0, timestamp, key, value, headers), BOOKING_COMMANDS)


@settings(max_examples=300, deadline=None)
@given(changes=st.dictionaries(st.sampled_from([*body_of(EXAMPLE)]) | st.text(), _json, max_size=5), seed=st.integers(0, 2**32))
def test_no_json_makes_decoding_raise(changes: dict[str, Any], seed: int) -> None:
    body = body_of(EXAMPLE) | changes
    kept = {name: value for name, value in body.items() if random.Random(seed + len(name)).random() > 0.1}
    decoded = decode(with_body(EXAMPLE, kept), BOOKING_COMMANDS)
    assert isinstance(decoded, Received)
    assert isinstance(decode(in_structured_mode(EXAMPLE, data=kept), BOOKING_COMMANDS), Received)


@settings(max_examples=200, deadline=None)
@given(envelope=st.dictionaries(st.sampled_from(["id", "source", "type", "specversion", "data", "time", "subject"]), _json))
def test_no_structured_envelope_makes_decoding_raise(envelope: dict[str, Any]) -> None:
    decode(replace(EXAMPLE, value=orjson.dumps(envelope), headers=()), BOOKING_COMMANDS)


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_flipped_byte_never_makes_decoding_raise(position: int, byte: int) -> None:
    record = example_record(example_confirm())
    assert record.value is not None
    value = bytearray(record.value)
    value[position % len(value)] = byte
    decode(replace(record, value=bytes(value)), BOOKING_COMMANDS)
