"""Dead letters: what could not be decided, kept whole, with Kafka Connect's text headers.

Copies collapse by ``caremesh_dead_letter_id``, which depends on nothing but where the record lay.
"""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b, sha256
from typing import Final

from shared.codec.decode import Malformed, Received, Unreadable
from shared.codec.events import Ignored
from shared.codec.record import MAX_VALUE_BYTES, Headers, OutgoingMessage, Record
from shared.messages.fields import Explained
from shared.topics import dead_letter_topic

MAX_KEY_AND_HEADERS_BYTES: Final = 16 * 1024
_MAX_MESSAGE_CHARACTERS: Final = 1000


class Stage(StrEnum):
    """Where it failed, in the words of Kafka Connect."""

    #: The record could not be read.
    VALUE_CONVERTER = "VALUE_CONVERTER"
    #: The command was read, but could not be decided.
    TASK_PUT = "TASK_PUT"


class UndecidableReason(Explained):
    """Why a readable command came to no decision."""

    IDEMPOTENCY_CONFLICT = "idempotency_conflict", "Its identity was used before with another type or data; the first outcome stands."
    HANDLER_FAILED = "handler_failed", "The service failed on it alone; a fault of ours."


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is set aside, and why."""

    record: Record
    stage: Stage
    reason: str
    message: str


def dead_letter_of(decoded: Unreadable | Received | Ignored) -> DeadLetter | None:
    """The dead letter that a decoded record calls for by itself, if any."""
    match decoded:
        case Unreadable(record, reason, message):
            return DeadLetter(record, Stage.VALUE_CONVERTER, reason, message)
        case Received(record=record, content=Malformed(refusal=refusal)):
            return DeadLetter(record, Stage.VALUE_CONVERTER, str(refusal.reason), refusal.message)
        case Received() | Ignored():
            return None


def encode_dead_letter(letter: DeadLetter, *, service: str, group: str) -> OutgoingMessage:
    """Make the message of a dead letter: the original key, value and headers within bounds, and why it lies there."""
    record = letter.record
    place = f"{group}\n{record.topic}\n{record.partition}\n{record.offset}"
    key, headers = _within_bounds(record)
    value = record.value
    if value is not None and len(value) > MAX_VALUE_BYTES:
        headers += _cut_notes("value", value)
        value = value[:MAX_VALUE_BYTES]
    headers += [
        ("caremesh_dead_letter_id", blake2b(place.encode(), digest_size=16).hexdigest().encode()),
        ("__connect.errors.topic", record.topic.encode()),
        ("__connect.errors.partition", str(record.partition).encode()),
        ("__connect.errors.offset", str(record.offset).encode()),
        ("__connect.errors.stage", letter.stage.encode()),
        ("__connect.errors.class.name", service.encode()),
        ("__connect.errors.exception.class.name", letter.reason.encode()),
        ("__connect.errors.exception.message", letter.message[:_MAX_MESSAGE_CHARACTERS].encode()),
    ]
    return OutgoingMessage(dead_letter_topic(record.topic), key, value, headers, partition=record.partition)


def _within_bounds(record: Record) -> tuple[bytes | None, list[tuple[str, bytes]]]:
    """The key and headers, or as much of them as 16 KiB hold, with the hash and length of what was cut."""
    # A header whose value is null cannot be told from an empty one by most clients; it is kept as empty.
    # A name that is not UTF-8 is from here on the text that shows it.
    headers = [(str(name), value or b"") for name, value in record.headers]
    key = record.key
    if len(key or b"") + _size(headers) <= MAX_KEY_AND_HEADERS_BYTES:
        return key, headers
    notes: list[tuple[str, bytes]] = []
    if key is not None and len(key) > MAX_KEY_AND_HEADERS_BYTES // 2:
        notes += _cut_notes("key", key)
        key = key[: MAX_KEY_AND_HEADERS_BYTES // 2]
    room = MAX_KEY_AND_HEADERS_BYTES - len(key or b"")
    kept: list[tuple[str, bytes]] = []
    for header in headers:
        room -= _size([header])
        if room < 0:
            everything = b"".join(name.encode() + b"\n" + value + b"\n" for name, value in headers)
            return key, kept + notes + _cut_notes("headers", everything)
        kept.append(header)
    return key, kept + notes


def _size(headers: Headers) -> int:
    return sum(len(name.encode()) + len(value) for name, value in headers)


def _cut_notes(part: str, whole: bytes) -> list[tuple[str, bytes]]:
    return [
        (f"caremesh_{part}_sha256", sha256(whole).hexdigest().encode()),
        (f"caremesh_{part}_length", str(len(whole)).encode()),
    ]
