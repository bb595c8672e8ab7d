"""Reading events: unknown types are not ours, what cannot be read is a dead letter."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from pydantic import ValidationError

from shared.codec.decode import Unreadable, UnreadableReason, describe_invalid
from shared.codec.record import Record
from shared.messages.fields import EventData


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event as its reader needs it.

    Attributes:
        record: where it lay.
        data: the value.
        correlation_id: follows a conversation across services.
        traceparent: W3C trace context, passed on.
    """

    record: Record
    data: EventData
    correlation_id: str
    traceparent: str | None


def decode_event(record: Record, events: Mapping[str, type[EventData]]) -> ReceivedEvent | Unreadable | None:
    """Read one event.

    Args:
        record: from an events topic.
        events: the types that the reader wants.

    Returns:
        The event; ``None`` when its type is not one of those; or why it cannot be read.
    """
    if record.value is None:
        return Unreadable(record, UnreadableReason.TOMBSTONE, "The record has no value; an event is a JSON object.")
    headers = dict(record.headers)
    try:
        value = orjson.loads(record.value)
    except orjson.JSONDecodeError as error:
        return Unreadable(record, UnreadableReason.NOT_JSON, f"The value is not JSON in UTF-8: {error.msg}.")
    type_ = value.get("type") if isinstance(value, dict) else None
    if not isinstance(type_, str):
        return Unreadable(record, UnreadableReason.INVALID_ENVELOPE, "The value is not an event: it has no type.")
    model = events.get(type_)
    if model is None:
        return None
    try:
        data = model.model_validate_json(record.value)
    except ValidationError as error:
        return Unreadable(record, UnreadableReason.INVALID_ENVELOPE, f"The event breaks its schema: {describe_invalid(error)}")
    correlation_id = headers.get("ce_correlationid", data.id.encode()).decode(errors="replace")
    traceparent = headers["traceparent"].decode(errors="replace") if "traceparent" in headers else None
    return ReceivedEvent(record, data, correlation_id, traceparent)
