"""What booking really publishes, in random histories, is what the published schemas say; and what each command comes to."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from shared.codec.decode import Received
from shared.codec.encode import encode_event
from shared.contracts.examples import example_of
from shared.messages.fields import type_of
from shared.messages.registry import COMMANDS, EVENTS
from tests.contract import assert_as_published
from tests.examples import received
from tests.unit.booking.days import days
from tests.unit.booking.naive import Shelf


def published(day: list[Received]) -> list[tuple[Received, list[dict[str, Any]]]]:
    """Each command with the values of the events that it came to."""
    return [
        (
            command,
            [
                orjson.loads(
                    encode_event(event, cause=command, index=index, service="booking", topic="t", decided_at="2030-01-01T00:00:00Z").value
                    or b""
                )
                for index, event in enumerate(events)
            ],
        )
        for command, events in zip(day, Shelf().decide(day), strict=True)
    ]


@settings(max_examples=150, deadline=None)
@given(days)
def test_what_is_published_is_what_the_schemas_say(day: list[Received]) -> None:
    for command, values in published(day):
        model = COMMANDS[command.type]
        outcome, *others = (value["type"] for value in values)
        assert outcome in {type_of(event) for event in (*model.outcomes, model.rejection)}, f"{command.type} does not say so"
        assert set(others) <= {type_of(event) for event in model.also_causes}, f"{command.type} does not say so"
        for value in values:
            assert_as_published(value)


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
    ((_, (value,)),) = published([received()])
    assert_as_published(value)
    with pytest.raises((AssertionError, ValidationError)):
        assert_as_published(value | change)


def test_a_missing_field_would_be_noticed() -> None:
    ((_, (value,)),) = published([received()])
    for name in value.keys() - {"type"}:
        with pytest.raises(AssertionError):
            assert_as_published({other: field for other, field in value.items() if other != name})


@pytest.mark.parametrize("type_", EVENTS)
def test_the_examples_of_events_are_as_strict(type_: str) -> None:
    assert_as_published(dict(example_of(type_).value))
