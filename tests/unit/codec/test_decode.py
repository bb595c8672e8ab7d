"""Reading commands: both modes of CloudEvents, and what is kept of an envelope."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.codec.decode import Received, decode
from shared.messages.booking import BOOKING_COMMANDS, BookAppointment
from tests.examples import MILLISECOND, NOW, SOURCE, example_booking, example_record, read
from tests.unit.codec.records import body_of, in_structured_mode, with_body, with_fields, with_headers


def without_record(received: Received) -> list[object]:
    names = ["source", "id", "type", "time", "log_time", "correlation_id", "traceparent", "fingerprint", "content"]
    return [getattr(received, name) for name in names]


def test_binary_mode_is_read_from_headers_and_value() -> None:
    received = read(example_record(identifier="the-id", source="/web", at=NOW, asked_at=NOW - MILLISECOND, offset=7))
    assert (received.source, received.id, received.type) == ("/web", "the-id", "booking.appointment.book.v1")
    assert (received.log_time, received.time) == (NOW, NOW - MILLISECOND)
    assert received.content == example_booking()
    assert received.record.offset == 7


def test_structured_mode_says_the_same_and_has_the_same_fingerprint() -> None:
    binary = read(example_record(asked_at=NOW))
    structured = read(in_structured_mode(example_record(asked_at=NOW)))
    assert without_record(structured) == without_record(binary)
    assert structured.fingerprint == binary.fingerprint


def test_structured_mode_may_come_with_its_content_type_and_headers_of_others() -> None:
    record = in_structured_mode(example_record())
    for headers in (
        (("content-type", b"application/cloudevents+json; charset=UTF-8"),),
        (("content-type", b"application/cloudevents+json"), ("ce_id", b"not-this-one")),
        (("content-type", b"application/json"), ("traced-by", b"x")),
    ):
        assert read(replace(record, headers=headers)).id == "command-1"


def test_the_fingerprint_depends_on_type_key_and_data_alone() -> None:
    record = example_record()
    same = [
        example_record(identifier="another", source="/another", at=NOW + timedelta(days=1), offset=9, asked_at=NOW),
        replace(record, headers=[*record.headers, ("x", b"y")]),
        with_body(record, dict(reversed(body_of(record).items()))),
        replace(record, value=b"  " + (record.value or b"").replace(b",", b" ,\n")),
    ]
    assert {read(other).fingerprint for other in same} == {read(record).fingerprint}
    different = [
        with_fields(duration_minutes=31),
        with_fields(user_timezone=...),
        replace(record, key=b"doctor-2"),
        with_headers(ce_type="booking.appointment.cancel.v1"),
    ]
    assert len({read(other).fingerprint for other in [record, *different]}) == 5


@pytest.mark.parametrize(
    "header",
    ["id", "source", "type", "specversion", "time", "correlationid"],
)
def test_headers_of_others_with_a_familiar_name_mean_nothing(header: str) -> None:
    record = example_record(asked_at=NOW)
    for headers in ([*record.headers, (header, b"2030-01-01T00:00:00Z")], [(header, b"2030-01-01T00:00:00Z"), *record.headers]):
        assert without_record(read(replace(record, headers=headers))) == without_record(read(record))


def test_the_log_time_is_exact_to_the_millisecond() -> None:
    for milliseconds in (0, 1, 999, 123, 457, 1_893_456_000_001, 4_102_444_799_999, 7_258_118_399_999):
        received = read(replace(example_record(), timestamp=milliseconds))
        assert received.log_time == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize(
    "time", ["yesterday", "2030-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "", "\uff12\uff10\uff13\uff10-01-01T00:00:00Z"]
)
def test_a_time_that_is_none_is_ignored(time: str) -> None:
    assert read(with_headers(ce_time=time)).time is None


def test_a_correlation_is_carried_on_and_begins_with_the_command() -> None:
    assert read(with_headers(ce_correlationid="a-conversation")).correlation_id == "a-conversation"
    assert read(example_record()).correlation_id == "command-1"
    for invalid in ("", "with space", "x" * 129):
        assert read(with_headers(ce_correlationid=invalid)).correlation_id == "command-1"


def test_a_trace_is_carried_on_if_it_is_one() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert read(with_headers(traceparent=trace)).traceparent == trace
    for invalid in ("", "00-zz", trace + "\n"):
        assert read(with_headers(traceparent=invalid)).traceparent is None


def test_defaults_fill_what_a_booking_leaves_out() -> None:
    content = read(with_fields(duration_minutes=..., user_timezone=..., appointment_id=...)).content
    assert isinstance(content, BookAppointment)
    assert (content.duration_minutes, content.user_timezone, content.appointment_id) == (30, "UTC", None)


@pytest.mark.parametrize("length, valid", [(1, True), (128, True), (129, False), (0, False)])
def test_ids_have_1_to_128_characters(length: int, *, valid: bool) -> None:
    text = "x" * length
    assert isinstance(decode(with_headers(ce_id=text), BOOKING_COMMANDS), Received) is valid
    assert isinstance(read(with_fields(patient_id=text)).content, BookAppointment) is valid


@pytest.mark.parametrize(
    "text, instant",
    [
        ("2030-01-31T09:30:00Z", datetime(2030, 1, 31, 9, 30, tzinfo=UTC)),
        ("2030-01-31 09:30:00z", datetime(2030, 1, 31, 9, 30, tzinfo=UTC)),
        ("2030-01-31T11:30:00+02:00", datetime(2030, 1, 31, 9, 30, tzinfo=UTC)),
        ("2030-01-31T15:15:00+05:45", datetime(2030, 1, 31, 9, 30, tzinfo=UTC)),
        ("2030-01-31T23:30:00+14:00", datetime(2030, 1, 31, 9, 30, tzinfo=UTC)),
        ("2030-01-31T09:30:00.1Z", datetime(2030, 1, 31, 9, 30, 0, 100_000, tzinfo=UTC)),
        ("2030-01-31T09:30:00.123456789Z", datetime(2030, 1, 31, 9, 30, 0, 123_456, tzinfo=UTC)),
        ("1970-01-01T00:00:00+14:00", datetime(1969, 12, 31, 10, tzinfo=UTC)),
        ("2200-12-31T23:59:59-12:00", datetime(2201, 1, 1, 11, 59, 59, tzinfo=UTC)),
    ],
)
def test_times_come_with_any_offset_and_are_utc_inside(text: str, instant: datetime) -> None:
    content = read(with_fields(starts_at=text)).content
    assert isinstance(content, BookAppointment)
    assert content.starts_at == instant
    assert content.starts_at.tzinfo is UTC


def test_of_duplicate_keys_the_last_counts_as_in_any_topic_browser() -> None:
    record = example_record()
    assert record.value is not None
    doubled = replace(record, value=b'{"duration_minutes":5,' + record.value[1:])
    assert read(doubled).content == example_booking()
    assert read(doubled).fingerprint == read(record).fingerprint


def test_of_duplicate_headers_the_last_counts() -> None:
    record = example_record()
    assert read(replace(record, headers=[("ce_id", b"first"), *record.headers])).id == "command-1"


def test_a_source_is_any_uri_reference() -> None:
    for source in ("/web", "https://clinic.example/web?x=1", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "x" * 128):
        assert read(with_headers(ce_source=source)).source == source
    assert read(example_record()).source == SOURCE
