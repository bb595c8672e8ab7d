"""Intake of a commands topic."""

from hashlib import sha256
from sys import intern
from typing import Any, Final

from shared.auditor.envelopes import VALUE_LIMIT_BYTES, Readability, canonical, decode, is_identifier
from shared.auditor.facts import Actor, Command, Oversize
from shared.auditor.history import History
from shared.auditor.instants import MICROSECONDS_PER_MILLISECOND
from shared.auditor.intake.fields import Headers, digest, header_texts, record_digest, text
from shared.auditor.partitioning import murmur2
from shared.auditor.records import Record
from shared.auditor.words import entity_of

#: A cut value surely keeps this much of its beginning.
HEAD_BYTES: Final = VALUE_LIMIT_BYTES - 4 * 1024
_NAMES_LIMIT_BYTES: Final = 16 * 1024
#: Headers that a dead letter adds; a replayed one may bring them along.
_ADDED: Final = ("__connect.", "caremesh_")
#: The mesh's own sources: only what these publish is known to have a cause.
_OURS: Final = "/caremesh/"


def take(history: History, record: Record) -> None:
    """Remember one command."""
    envelope = decode(record, history.words.commands)
    data = envelope.data if isinstance(envelope.data, dict) else {}
    key = text(record.key)
    readability = envelope.readability
    readable = readability is not Readability.UNREADABLE
    body = canonical(envelope.data) if readable else b""
    if body is None:
        readability = Readability.EITHER
    entity = history.words.entities.get(entity_of(envelope.type))
    keyed_by = None if entity is None else data.get(entity.key_field)
    history.commands[record.partition][record.offset] = Command(
        partition=record.partition,
        offset=record.offset,
        log_time_us=record.timestamp_ms * MICROSECONDS_PER_MILLISECOND,
        readability=readability,
        identity=intern(f"{envelope.source}\n{envelope.id}") if readable else "",
        type=intern(envelope.type),
        key=None if key is None else intern(key),
        key_hash=None if record.key is None else murmur2(record.key),
        body_digest=digest(envelope.type.encode(), body) if readable else b"",
        raw_digest=original_digest(record.key, record.value, record.headers),
        entity_id=None if entity is None else _identifier(data.get(entity.id_field)),
        patient_id=_identifier(data.get("patient_id")),
        actor=_actor(data.get("actor")),
        cause=header_texts(record).get("ce_causationid") if envelope.source.startswith(_OURS) else None,
        key_is_wrong=isinstance(keyed_by, str) and keyed_by != key,
        oversize=_oversize(record),
    )


def original_digest(key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    """A digest of what a dead letter keeps of a record: the same for both."""
    # Most clients cannot tell a header without a value from an empty one.
    return record_digest(key, value, tuple((name, content or b"") for name, content in headers if not name.startswith(_ADDED)))


def value_head(value: bytes | None) -> bytes:
    """A digest of the part of a value that every cut keeps."""
    return digest(None if value is None else value[:HEAD_BYTES])


def _identifier(value: object) -> str | None:
    return intern(value) if isinstance(value, str) and is_identifier(value) else None


def _actor(value: Any) -> Actor | None:
    if not isinstance(value, dict) or not isinstance(value.get("role"), str) or not isinstance(value.get("id"), str):
        return None
    return Actor(intern(value["role"]), intern(value["id"]))


def _oversize(record: Record) -> Oversize | None:
    """What to remember of a record that a dead letter must cut; None if it fits."""
    names_bytes = len(record.key or b"") + sum(len(name) + len(content or b"") for name, content in record.headers)
    value = record.value or b""
    # Near the limit the contract does not say what counts (names, separators): such headers are judged as cut, so not compared.
    names_are_cut = names_bytes > _NAMES_LIMIT_BYTES // 2
    if len(value) <= VALUE_LIMIT_BYTES and not names_are_cut:
        return None
    return Oversize(value_head(record.value), sha256(value).hexdigest(), len(value), len(value) > VALUE_LIMIT_BYTES, names_are_cut)
