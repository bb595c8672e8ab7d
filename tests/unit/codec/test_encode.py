"""Writing events and commands: readable in any topic browser, the same bytes whoever writes them."""

import uuid
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.codec.encode import (
    DERIVED_ID_NAMESPACE,
    derived_id,
    encode_command,
    encode_event,
    event_id,
    pack,
    unpack,
)
from shared.codec.record import OutgoingMessage
from shared.messages.events import Event
from shared.messages.fields import format_time
from tests.examples import APPOINTMENT, DOCTOR, NOW, SOURCE, example_booking, example_record, read, received
from tests.unit.codec.records import with_headers

EVENT = Event("booking.appointment.booked.v1", DOCTOR, APPOINTMENT, NOW, 1, {"appointment_id": APPOINTMENT, "starts_at": NOW})


def encoded(event: Event = EVENT, *, index: int = 0, identifier: str = "command-1") -> OutgoingMessage:
    cause = received(identifier=identifier, partition=3, offset=14)
    return encode_event(
        event, cause=cause, index=index, service="booking", topic="test.booking.events.v1", decided_at="2030-01-07T12:00:01Z"
    )


def headers_of(message: OutgoingMessage) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers}


def test_an_events_value_begins_with_what_its_headers_say() -> None:
    message = encoded()
    headers, value = headers_of(message), orjson.loads(message.value or b"")
    assert list(value)[:3] == ["type", "id", "time"]
    assert (value["type"], value["id"], value["time"]) == (headers["ce_type"], headers["ce_id"], headers["ce_time"])
    assert headers == {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": event_id("booking", SOURCE, "command-1", 0),
        "ce_source": "/caremesh/booking",
        "ce_type": "booking.appointment.booked.v1",
        "ce_time": "2030-01-07T12:00:00Z",
        "ce_subject": APPOINTMENT,
        "ce_partitionkey": DOCTOR,
        "ce_correlationid": "command-1",
        "ce_causationid": "command-1",
    }
    assert (message.topic, message.key, message.partition) == ("test.booking.events.v1", DOCTOR.encode(), None)


def test_an_event_says_who_asked_and_where_that_lay() -> None:
    value = orjson.loads(encoded(index=1).value or b"")
    assert value["version"] == 1
    assert value["decision"] == {
        "decided_at": "2030-01-07T12:00:01Z",
        "index": 1,
        "command": {"source": SOURCE, "id": "command-1", "type": "booking.appointment.book.v1"},
        "topic": "test.booking.commands.v1",
        "partition": 3,
        "offset": 14,
    }


def test_an_events_id_depends_on_its_command_and_its_place_alone() -> None:
    ids = {
        event_id(service, source, identifier, index)
        for service in ("booking", "calls")
        for source in ("/a", "/b")
        for identifier in ("1", "2")
        for index in (0, 1)
    }
    assert len(ids) == 16
    assert event_id("booking", "/a", "1", 0) == event_id("booking", "/a", "1", 0)


def test_a_conversation_and_a_trace_are_carried_on() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    cause = read(with_headers(ce_correlationid="a-conversation", traceparent=trace))
    headers = headers_of(encode_event(EVENT, cause=cause, index=0, service="booking", topic="t", decided_at="x"))
    assert (headers["ce_correlationid"], headers["ce_causationid"], headers["traceparent"]) == ("a-conversation", "command-1", trace)


def test_an_event_about_nothing_that_can_be_named_has_no_subject() -> None:
    assert "ce_subject" not in headers_of(encoded(EVENT._replace(subject=None)))


@pytest.mark.parametrize(
    "moment, text",
    [
        (NOW, "2030-01-07T12:00:00Z"),
        (NOW + timedelta(milliseconds=1), "2030-01-07T12:00:00.001000Z"),
        (datetime(1970, 1, 1, tzinfo=UTC), "1970-01-01T00:00:00Z"),
    ],
)
def test_times_are_written_in_utc_with_z_in_headers_and_values_alike(moment: datetime, text: str) -> None:
    assert format_time(moment) == text
    message = encoded(EVENT._replace(time=moment, body={"starts_at": moment}))
    assert (headers_of(message)["ce_time"], orjson.loads(message.value or b"")["starts_at"]) == (text, text)


@settings(max_examples=100, deadline=None)
@given(source=st.text("/abc:?=-._~", min_size=1), identifier=st.text("abcXYZ019._:-", min_size=1))
def test_a_derived_id_is_the_uuid5_of_source_and_id(source: str, identifier: str) -> None:
    expected = uuid.uuid5(DERIVED_ID_NAMESPACE, source + "\n" + identifier)
    assert derived_id("apt_", source, identifier) == f"apt_{expected}"


def test_the_namespace_of_derived_ids_is_fixed_for_ever() -> None:
    assert str(DERIVED_ID_NAMESPACE) == "5a0c7f7e-3f61-5d1b-9d55-0c9e6f3f2b10"


def test_a_command_is_read_back_as_it_was_written() -> None:
    command = example_booking(starts_at="2030-01-08T15:00:00.5+01:00")
    back = read(example_record(command, identifier="the-id", source="/web", asked_at=NOW))
    assert back.content == command
    assert (back.id, back.source, back.time) == ("the-id", "/web", NOW)


def test_a_commands_context_travels_as_attributes() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    context = {"correlationid": "c", "causationid": "e", "traceparent": trace}
    headers = headers_of(encode_command(example_booking(), topic="t", source="/x", identifier="i", context=context))
    assert (headers["ce_correlationid"], headers["ce_causationid"], headers["traceparent"]) == ("c", "e", trace)
    assert headers["ce_subject"] == APPOINTMENT


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=100, deadline=None)
@given(
    bodies=st.lists(st.dictionaries(_text, _text | st.integers(-(2**53), 2**53) | st.none(), max_size=4), max_size=3),
    key=_text.filter(bool),
    subject=_text.filter(bool) | st.none(),
)
def test_what_is_kept_of_messages_gives_the_same_bytes(bodies: list[dict[str, object]], key: str, subject: str | None) -> None:
    messages = [encoded(Event("t", key, subject, NOW, 1, body), index=index) for index, body in enumerate(bodies)]
    back = unpack(pack(messages))
    assert [(m.topic, m.key, m.value, list(m.headers)) for m in back] == [(m.topic, m.key, m.value, list(m.headers)) for m in messages]


def test_what_is_kept_of_messages_can_be_read_by_people() -> None:
    assert b'"type":"booking.appointment.booked.v1"' in pack([encoded()]).replace(b'\\"', b'"')
