"""What booking really publishes, in random histories, is what the published schemas say; and what each command comes to."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from shared.codec.decode import Received
from shared.codec.encode import encode_event
from shared.codec.record import OutgoingMessage
from shared.contracts.examples import example_of
from shared.messages.registry import EVENTS, STATES
from tests.contract import assert_as_published, assert_declared, assert_headers_as_published
from tests.examples import received
from tests.unit.booking.days import days
from tests.unit.booking.naive import Shelf


def published(day: list[Received]) -> list[tuple[Received, list[OutgoingMessage]]]:
    """Each command with the events that it came to."""
    return [
        (
            command,
            [
                encode_event(event, cause=command, index=index, service="booking", topic="t", decided_at="2030-01-01T00:00:00Z")
                for index, event in enumerate(events)
            ],
        )
        for command, events in zip(day, Shelf().decide(day), strict=True)
    ]


def value_of(message: OutgoingMessage) -> dict[str, Any]:
    value: dict[str, Any] = orjson.loads(message.value or b"")
    return value


def headers_of(message: OutgoingMessage) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers}


def a_booking() -> OutgoingMessage:
    ((_, (message,)),) = published([received()])
    return message


@settings(max_examples=150, deadline=None)
@given(days)
def test_what_is_published_is_what_the_contract_says(day: list[Received]) -> None:
    for _, messages in published(day):
        for message in messages:
            value = value_of(message)
            assert_as_published(value)
            assert_declared(value)
            assert_headers_as_published(headers_of(message), value, (message.key or b"").decode())


@pytest.mark.parametrize(
    "change",
    [
        {"room": "4"},
        {"decision": {}},
        {"status": "teleported"},
        {"patient_id": None},
        {"starts_at": "tomorrow"},
        {"starts_at": "2030-02-31T00:00:00Z"},
    ],
    ids=str,
)
def test_another_value_would_be_noticed(change: dict[str, Any]) -> None:
    value = value_of(a_booking())
    assert_as_published(value)
    with pytest.raises((AssertionError, ValidationError)):
        assert_as_published(value | change)


def test_a_missing_field_would_be_noticed() -> None:
    value = value_of(a_booking())
    for name in value.keys() - {"type"}:
        with pytest.raises(AssertionError):
            assert_as_published({other: field for other, field in value.items() if other != name})


@pytest.mark.parametrize(
    "change", [{"ce_type": "other"}, {"ce_id": "other"}, {"ce_time": "2030-01-01T00:00:00Z"}, {"ce_specversion": "0.3"}], ids=str
)
def test_other_headers_would_be_noticed(change: dict[str, str]) -> None:
    message = a_booking()
    with pytest.raises(AssertionError):
        assert_headers_as_published(headers_of(message) | change, value_of(message), "doctor-1")


def test_another_key_a_missing_header_and_an_outcome_that_nobody_declared_would_be_noticed() -> None:
    message = a_booking()
    value, headers = value_of(message), headers_of(message)
    with pytest.raises(AssertionError):
        assert_headers_as_published(headers, value, "doctor-2")
    for name in headers.keys() - {"ce_subject", "traceparent"}:
        with pytest.raises((AssertionError, KeyError)):
            assert_headers_as_published({other: header for other, header in headers.items() if other != name}, value, "doctor-1")
    confirm = {**value["decision"], "command": {**value["decision"]["command"], "type": "booking.appointment.confirm.v1"}}
    with pytest.raises(AssertionError):
        assert_declared(value | {"decision": confirm})


@pytest.mark.parametrize("type_", [*EVENTS, *STATES])
def test_the_examples_are_as_strict(type_: str) -> None:
    example = example_of(type_)
    assert_as_published(example.value)
    assert_headers_as_published(example.headers, example.value, example.key)
    if type_ in EVENTS:
        assert_declared(example.value)
