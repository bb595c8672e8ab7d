"""Reading the events of others: unknown types are not ours, what cannot be read is a dead letter."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

import orjson
from pydantic import ValidationError

from shared.codec.decode import UNREADABLE_NAME, Received, Unreadable, UnreadableReason, describe_invalid
from shared.codec.record import Record, has_unreadable_name
from shared.messages.fields import EventData


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event of a type that this reader does not want."""

    record: Record


def decode_event(record: Record, events: Mapping[str, type[EventData]]) -> Received | Unreadable | Ignored:
    """Read one event. Never raises for what is in the record.

    Args:
        record: from an events topic.
        events: the types that the reader wants, with the models that read them.
    """
    if record.value is None:
        return Unreadable(record, UnreadableReason.TOMBSTONE, "The record has no value; an event is a JSON object.")
    try:
        value = orjson.loads(record.value)
    except orjson.JSONDecodeError as error:
        return Unreadable(record, UnreadableReason.NOT_JSON, f"The value is not JSON in UTF-8: {error.msg}.")
    type_ = value.get("type") if isinstance(value, dict) else None
    if not isinstance(type_, str):
        return Unreadable(record, UnreadableReason.INVALID_ENVELOPE, "The value is not an event: it has no type.")
    model = events.get(type_)
    if model is None:
        return Ignored(record)
    data = _data(record, model)
    if isinstance(data, Unreadable):
        return data
    headers = dict(record.headers)
    return Received(
        record,
        _text(headers.get("ce_source")) or "",
        data.id,
        type_,
        data.time,
        datetime.fromtimestamp(record.timestamp / 1000, UTC),
        _text(headers.get("ce_correlationid")) or data.id,
        _text(headers.get("traceparent")),
        blake2b(b"%s\n%s\n%s" % (type_.encode(), record.key or b"", record.value), digest_size=16).digest(),
        data,
    )


def _data(record: Record, model: type[EventData]) -> EventData | Unreadable:
    if has_unreadable_name(record.headers):
        return Unreadable(record, UnreadableReason.INVALID_ENVELOPE, UNREADABLE_NAME)
    try:
        return model.model_validate_json(record.value or b"")
    except ValidationError as error:
        return Unreadable(record, UnreadableReason.INVALID_ENVELOPE, f"The event breaks its schema: {describe_invalid(error)}")


def _text(header: bytes | None) -> str | None:
    return header.decode(errors="replace") if header is not None else None
