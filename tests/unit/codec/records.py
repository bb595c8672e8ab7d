"""Records as producers of every kind write them."""

from dataclasses import replace
from typing import Any

import orjson

from shared.codec.record import StoredRecord
from tests.examples import example_record


def body_of(record: StoredRecord) -> dict[str, Any]:
    assert record.value is not None
    body: dict[str, Any] = orjson.loads(record.value)
    return body


def with_body(record: StoredRecord, body: object) -> StoredRecord:
    return replace(record, value=orjson.dumps(body))


def with_fields(**changes: object) -> StoredRecord:
    """The example with other fields in its body; ``...`` takes one away."""
    record = example_record()
    body = body_of(record) | changes
    return with_body(record, {name: value for name, value in body.items() if value is not ...})


def with_headers(**changes: str | bytes | None) -> StoredRecord:
    """The example with other headers; ``None`` takes one away."""
    record = example_record()
    headers = dict(record.headers)
    for name, value in changes.items():
        headers.pop(name, None)
        if value is not None:
            headers[name] = value.encode() if isinstance(value, str) else value
    return replace(record, headers=tuple(headers.items()))


def in_structured_mode(record: StoredRecord, **attributes: object) -> StoredRecord:
    """The same command as one JSON object, as somebody pipes it into kcat: no headers; ``...`` takes an attribute away."""
    headers = {name.removeprefix("ce_"): value.decode() for name, value in record.headers if name.startswith("ce_")}
    envelope = headers | {"data": body_of(record)} | attributes
    return with_body(replace(record, headers=()), {name: value for name, value in envelope.items() if value is not ...})
