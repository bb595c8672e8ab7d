"""Intake of the commands topic."""

from hashlib import sha256
from sys import intern
from typing import Final

from shared.auditor.envelopes import VALUE_LIMIT_BYTES, Readability, canonical, decode, is_identifier
from shared.auditor.history import Command, History, Oversize
from shared.auditor.instants import MICROSECONDS_PER_MILLISECOND
from shared.auditor.intake.fields import Headers, digest, record_digest, text
from shared.auditor.partitioning import partition_of
from shared.auditor.records import Record

#: A cut value surely keeps this much of its beginning.
HEAD_BYTES: Final = VALUE_LIMIT_BYTES - 4 * 1024
_NAMES_LIMIT_BYTES: Final = 16 * 1024
#: Headers that a dead letter adds; a replayed one may bring them along.
_ADDED: Final = ("__connect.", "caremesh_")


def take(history: History, record: Record) -> None:
    """Remember one command."""
    envelope = decode(record)
    data = envelope.data if isinstance(envelope.data, dict) else {}
    key = text(record.key)
    doctor_id = data.get("doctor_id")
    readability = envelope.readability
    readable = readability is not Readability.UNREADABLE
    body = canonical(envelope.data) if readable else b""
    if body is None:
        readability = Readability.EITHER
    history.commands[record.partition][record.offset] = Command(
        partition=record.partition,
        offset=record.offset,
        log_time_us=record.timestamp_ms * MICROSECONDS_PER_MILLISECOND,
        readability=readability,
        identity=intern(f"{envelope.source}\n{envelope.id}") if readable else "",
        type=intern(envelope.type),
        key=None if key is None else intern(key),
        body_digest=digest(envelope.type.encode(), body) if readable else b"",
        raw_digest=original_digest(record.key, record.value, record.headers),
        appointment_id=_identifier(data.get("appointment_id")),
        patient_id=_identifier(data.get("patient_id")),
        key_is_wrong=isinstance(doctor_id, str) and doctor_id != key,
        oversize=_oversize(record),
    )
    count = history.scope.partition_counts.get(record.topic)
    if count is not None and record.key is not None and partition_of(record.key, count) != record.partition:
        history.misrouted_commands += 1


def original_digest(key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    """A digest of what a dead letter keeps of a record: the same for both."""
    # Most clients cannot tell a header without a value from an empty one.
    return record_digest(key, value, tuple((name, content or b"") for name, content in headers if not name.startswith(_ADDED)))


def value_head(value: bytes | None) -> bytes:
    """A digest of the part of a value that every cut keeps."""
    return digest(None if value is None else value[:HEAD_BYTES])


def _identifier(value: object) -> str | None:
    return intern(value) if isinstance(value, str) and is_identifier(value) else None


def _oversize(record: Record) -> Oversize | None:
    """What to remember of a record that a dead letter must cut; None if it fits."""
    names_bytes = len(record.key or b"") + sum(len(name) + len(content or b"") for name, content in record.headers)
    value = record.value or b""
    # Near the limit the contract does not say what counts (names, separators): such headers are judged as cut, so not compared.
    names_are_cut = names_bytes > _NAMES_LIMIT_BYTES // 2
    if len(value) <= VALUE_LIMIT_BYTES and not names_are_cut:
        return None
    return Oversize(value_head(record.value), sha256(value).hexdigest(), len(value), len(value) > VALUE_LIMIT_BYTES, names_are_cut)
