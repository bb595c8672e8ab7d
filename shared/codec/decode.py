"""From a record to a command: CloudEvents 1.0 in binary and in structured mode, for Kafka.

Source of the rules: the wire contract, and the CloudEvents Kafka protocol binding 1.0.2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple, cast

import orjson
from pydantic import ValidationError

from shared.codec.record import MAX_VALUE_BYTES, Record, has_unreadable_name
from shared.messages.fields import IDENTIFIER_PATTERN, SOURCE_PATTERN, Command, EventData, Explained, parse_time
from shared.messages.refusal import DataReason, Refusal, StatusCode

_IDENTIFIER = re.compile(IDENTIFIER_PATTERN.removesuffix("$") + r"\Z")
_URI_REFERENCE = re.compile(SOURCE_PATTERN.removesuffix("$") + r"\Z")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")
#: The headers of binary mode that a command's reader needs, with their attributes' names.
_ATTRIBUTE_HEADERS: Final = (
    ("ce_specversion", "specversion"),
    ("ce_id", "id"),
    ("ce_source", "source"),
    ("ce_type", "type"),
    ("ce_time", "time"),
    ("ce_correlationid", "correlationid"),
    ("traceparent", "traceparent"),
)
_STRUCTURED: Final = b"application/cloudevents"

# The name of an unknown field is shown if it looks like a field's: any other text may be personal.
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")
_MAX_KEY_CHARACTERS = 128
_EARLIEST_TIMESTAMP, _LATEST_TIMESTAMP = 0, 7_258_118_400_000  # 1970 to 2200, as for times in the data
#: What is said of a record with such a header.
UNREADABLE_NAME: Final = "The name of a header is not UTF-8; it is shown here with backslashes in the place of its bytes."


class UnreadableReason(Explained):
    """Why nothing can be made of a record, in order of precedence."""

    TOMBSTONE = "tombstone", "It has no value."
    NO_KEY = "no_key", "It has no key, so it belongs to nobody's order."
    TOO_LARGE = "too_large", "The value is larger than 64 KiB."
    NOT_JSON = "not_json", "The value is not one JSON object in UTF-8."
    INVALID_ENVELOPE = (
        "invalid_envelope",
        "The envelope has no valid id, source, type or specversion; or the name of a header is not UTF-8.",
    )
    UNKNOWN_TYPE = "unknown_type", "This consumer knows no command of that type."


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that nothing can be made of: a dead letter, and no event."""

    record: Record
    reason: UnreadableReason
    message: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """The content of a command whose data breaks its schema.

    Attributes:
        refusal: why, with 422.
        command_type: the model that it broke.
        key: the key that its ``rejected`` is published under: the body's, if that is valid.
        ids: the valid ids in the body, to name them in the ``rejected``.
    """

    refusal: Refusal
    command_type: type[Command]
    key: str
    ids: Mapping[str, str]

    @property
    def entity_id(self) -> str | None:
        """The entity that it is about, if the body says so."""
        return self.ids.get(self.command_type.id_field)


class Received(NamedTuple):
    """A readable command, or an event of another service that this one hears.

    Attributes:
        record: where it lay.
        source: with ``id`` its identity.
        id: with ``source`` its identity.
        type: the ``ce_type``.
        time: when its publisher says it was made, if at all.
        log_time: the broker's append time: the business time of a command. An event's own is in its data.
        correlation_id: follows a conversation across services; the command's own id where none was given.
        traceparent: W3C trace context, passed on to what the command causes.
        fingerprint: of type, key and data; differs when the same identity comes with another content.
        content: the command, or what is wrong with its data; or the event's data.
    """

    record: Record
    source: str
    id: str
    type: str
    time: datetime | None
    log_time: datetime
    correlation_id: str
    traceparent: str | None
    fingerprint: bytes
    content: Command | Malformed | EventData


class _UnreadableError(Exception):
    def __init__(self, reason: UnreadableReason, message: str) -> None:
        self.reason = reason
        self.message = message


def decode(record: Record, commands: Mapping[str, type[Command]]) -> Received | Unreadable:
    """Read one record. Never raises for what is in the record.

    Args:
        record: from Kafka.
        commands: the commands that this consumer decides, by type.
    """
    try:
        return _decode(record, commands)
    except _UnreadableError as error:
        return Unreadable(record, error.reason, error.message)


def _decode(record: Record, commands: Mapping[str, type[Command]]) -> Received:
    key, value = _present_key_and_value(record)
    headers = dict(record.headers)
    body = _json_object(value)
    if has_unreadable_name(record.headers):
        raise _UnreadableError(UnreadableReason.INVALID_ENVELOPE, UNREADABLE_NAME)
    if _is_structured(headers):
        attributes, data = body, body.get("data")
    else:
        attributes, data = _binary_attributes(headers), body
    source, identifier, type_ = _identity(attributes)
    command_type = commands.get(type_)
    if command_type is None:
        raise _UnreadableError(UnreadableReason.UNKNOWN_TYPE, f"No command of the type {type_} is known here.")
    canonical = _canonical(data)
    time = attributes.get("time")
    correlation_id = attributes.get("correlationid")
    traceparent = attributes.get("traceparent")
    return Received(
        record,
        source,
        identifier,
        type_,
        _optional_time(time) if time is not None else None,
        _log_time(record),
        correlation_id if correlation_id is not None and _is(_IDENTIFIER, correlation_id) else identifier,
        traceparent if traceparent is not None and _is(_TRACEPARENT, traceparent) else None,
        blake2b(b"%s\n%s\n%s" % (type_.encode(), key, canonical), digest_size=16).digest(),
        _content(command_type, key, data, canonical),
    )


def _log_time(record: Record) -> datetime:
    if not _EARLIEST_TIMESTAMP <= record.timestamp <= _LATEST_TIMESTAMP:
        message = "The record's timestamp lies outside 1970 to 2200; the topic's message.timestamp.type is to be LogAppendTime."
        raise _UnreadableError(UnreadableReason.INVALID_ENVELOPE, message)
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


def _present_key_and_value(record: Record) -> tuple[bytes, bytes]:
    if record.value is None:
        raise _UnreadableError(UnreadableReason.TOMBSTONE, "The record has no value; a command is a JSON object.")
    if not record.key:
        raise _UnreadableError(UnreadableReason.NO_KEY, "The record has no key; a command is keyed by the id that orders it.")
    if len(record.value) > MAX_VALUE_BYTES:
        message = f"The value has {len(record.value)} bytes; {MAX_VALUE_BYTES} are allowed."
        raise _UnreadableError(UnreadableReason.TOO_LARGE, message)
    return record.key, record.value


def _json_object(value: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        message = f"The value is not JSON in UTF-8: {error.msg} at line {error.lineno}, column {error.colno}."
        raise _UnreadableError(UnreadableReason.NOT_JSON, message) from error
    if not isinstance(body, dict):
        raise _UnreadableError(UnreadableReason.NOT_JSON, "The value is JSON, but not an object.")
    return body


def _canonical(data: object) -> bytes:
    try:
        return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise _UnreadableError(UnreadableReason.NOT_JSON, "The value is nested too deeply.") from error


def _is_structured(headers: Mapping[str, bytes | None]) -> bool:
    if (headers.get("content-type") or b"").startswith(_STRUCTURED):
        return True
    return "ce_id" not in headers and not any(name.startswith("ce_") for name in headers)


def _binary_attributes(headers: Mapping[str, bytes | None]) -> dict[str, Any]:
    attributes = {}
    for name, attribute in _ATTRIBUTE_HEADERS:
        value = headers.get(name)
        if value is not None:
            try:
                attributes[attribute] = value.decode()
            except UnicodeDecodeError:
                # A required attribute is then found missing, an optional one is absent.
                continue
    return attributes


def _is(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.match(value) is not None


def _identity(attributes: Mapping[str, Any]) -> tuple[str, str, str]:
    source, identifier, type_ = attributes.get("source"), attributes.get("id"), attributes.get("type")
    if attributes.get("specversion") != "1.0":
        problem = "specversion is 1.0"
    elif not _is(_IDENTIFIER, identifier):
        problem = "id is 1 to 128 characters of A-Z a-z 0-9 . _ : -"
    elif not _is(_URI_REFERENCE, source):
        problem = "source is a URI reference of at most 128 characters"
    elif not _is(_IDENTIFIER, type_):
        problem = "type is a name such as booking.appointment.book.v1"
    else:
        assert source is not None
        assert identifier is not None
        assert type_ is not None
        return source, identifier, type_
    message = f"The CloudEvents envelope, in headers (ce_…) or in the value, breaks this rule: {problem}."
    raise _UnreadableError(UnreadableReason.INVALID_ENVELOPE, message)


def _optional_time(value: object) -> datetime | None:
    try:
        return parse_time(value)
    except ValueError:
        return None


def _content(command_type: type[Command], key: bytes, data: object, canonical: bytes) -> Command | Malformed:
    try:
        command = cast("Command", command_type.__pydantic_validator__.validate_json(canonical))
    except ValidationError as error:
        return _malformed(command_type, key, data, DataReason.INVALID_DATA, describe_invalid(error))
    if key != command.partition_key.encode():
        message = f"The record's key is not the {command_type.key_field} in the body."
        return _malformed(command_type, key, data, DataReason.KEY_MISMATCH, message)
    return command


def describe_invalid(error: ValidationError) -> str:
    """Say which fields are wrong and how, without repeating what was in them: it may be personal."""
    problems = [
        f"{'.'.join(map(_field_name, detail['loc'])) or 'data'}: {detail['msg'].removeprefix('Value error, ')}"
        for detail in error.errors(include_url=False, include_context=False, include_input=False)[:5]
    ]
    return "; ".join(problems)[:1000]


def _field_name(part: object) -> str:
    name = str(part)
    return name if _FIELD_NAME.match(name) else "(a field)"


def _malformed(command_type: type[Command], key: bytes, data: object, reason: DataReason, message: str) -> Malformed:
    fields = command_type.model_fields
    body: Mapping[str, Any] = data if isinstance(data, dict) else {}
    ids = {name: body[name] for name in fields if name.endswith("_id") and _is(_IDENTIFIER, body.get(name))}
    return Malformed(
        refusal=Refusal(StatusCode.UNPROCESSABLE, reason, message),
        command_type=command_type,
        key=ids.get(command_type.key_field) or key.decode(errors="replace")[:_MAX_KEY_CHARACTERS],
        ids=ids,
    )
