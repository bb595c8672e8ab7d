"""Commands as CloudEvents: whether a record can be read at all, and if so, who sent what.

Decided from the contract alone. Where the contract is silent (an empty key, JSON that some parsers take and others refuse, …) a record is
`Readability.EITHER`: the mesh may decide it or set it aside, but must do one of the two.
"""

import json
import re
from collections.abc import Container
from enum import Enum, auto
from typing import Any, Final, NamedTuple

import orjson

from shared.auditor.instants import is_time
from shared.auditor.records import Record

VALUE_LIMIT_BYTES: Final = 64 * 1024
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9._:\-]{1,128}")
_URI_REFERENCE: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_WRONG_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SOURCE_SURELY_ACCEPTED_CHARACTERS: Final = 128
_REQUIRED: Final = ("specversion", "id", "source", "type")
_STRUCTURED: Final = "application/cloudevents"


class Readability(Enum):
    """Whether a record is a command."""

    READABLE = auto()
    UNREADABLE = auto()
    #: The contract does not say.
    EITHER = auto()


class Envelope(NamedTuple):
    """A record as a command."""

    readability: Readability
    source: str = ""
    id: str = ""
    type: str = ""
    data: Any = None


_UNREADABLE: Final = Envelope(Readability.UNREADABLE)


def is_identifier(value: object) -> bool:
    """Whether the value is an id of the contract."""
    return isinstance(value, str) and _IDENTIFIER.fullmatch(value) is not None


def decode(record: Record, known_types: Container[str]) -> Envelope:
    """The command in this record, binary or structured mode.

    Args:
        record: of a commands topic.
        known_types: the types of command that its consumer decides.
    """
    if record.key is None or record.value is None or len(record.value) > VALUE_LIMIT_BYTES:
        return _UNREADABLE
    body, body_is_plain = _parse(record.value)
    if not isinstance(body, dict) or any(type(name) is not str for name, _ in record.headers):
        # A name that is not UTF-8 comes as something else than a plain text.
        return _UNREADABLE
    headers = {name: value for name, value in record.headers if name.startswith("ce_") or name == "content-type"}
    content_type = _text(headers.pop("content-type", None)) or ""
    if headers and not content_type.startswith(_STRUCTURED):
        attributes: dict[str, Any] = {name[3:]: _text(value) for name, value in headers.items()}
        envelope = _judge(attributes, body, content_type, known_types)
        if envelope.readability is Readability.UNREADABLE:
            return _doubted(_judge(body, body.get("data"), "", known_types))
        doubtful = _is_complete(body) or len(headers) != sum(name.startswith("ce_") for name, _ in record.headers)
    else:
        envelope = _judge(body, body.get("data"), str(body.get("datacontenttype") or ""), known_types)
        doubtful = bool(headers) or not isinstance(body.get("data"), dict)
    if not body_is_plain or doubtful or not _is_plain_key(record.key):
        return _doubted(envelope)
    return envelope


def canonical(data: object) -> bytes | None:
    """The data as bytes that do not depend on the order of fields, on spaces or on the mode of the record; None if it has no such form."""
    try:
        return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # Nested too deeply, or half of a surrogate pair.
        return None


def _judge(attributes: dict[str, Any], data: object, content_type: str, known_types: Container[str]) -> Envelope:
    """The envelope that these CloudEvents attributes make."""
    if attributes.get("specversion") != "1.0" or not is_identifier(attributes.get("id")):
        return _UNREADABLE
    source, kind = attributes.get("source"), attributes.get("type")
    if not isinstance(source, str) or not _URI_REFERENCE.fullmatch(source) or not isinstance(kind, str) or kind not in known_types:
        return _UNREADABLE
    envelope = Envelope(Readability.READABLE, source, attributes["id"], kind, data)
    time = attributes.get("time")
    is_usual = (
        len(source) <= _SOURCE_SURELY_ACCEPTED_CHARACTERS
        and not _WRONG_ESCAPE.search(source)
        and (time is None or (isinstance(time, str) and is_time(time)))
        and (not content_type or content_type.startswith("application/json"))
    )
    return envelope if is_usual else _doubted(envelope)


def _doubted(envelope: Envelope) -> Envelope:
    """The same, if it could be read at all, as one that the contract does not decide."""
    if envelope.readability is Readability.UNREADABLE:
        return envelope
    return envelope._replace(readability=Readability.EITHER)


def _parse(value: bytes) -> tuple[object, bool]:
    """The JSON value, and whether every parser would have read it so."""
    try:
        return orjson.loads(value), True
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(value), False
    except (ValueError, RecursionError):
        return None, False


def _text(value: bytes | None) -> str | None:
    """A header's text, None if it is not UTF-8."""
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _is_complete(body: dict[str, Any]) -> bool:
    """Whether the body has what a structured command needs."""
    return all(name in body for name in _REQUIRED)


def _is_plain_key(key: bytes) -> bool:
    """Whether the key is a text that is not empty."""
    return bool(key) and _text(key) is not None
