"""Small helpers that every intake needs: digests of whole records, header texts, references."""

from hashlib import blake2b
from typing import Final

from shared.auditor.records import Record
from shared.auditor.report import RecordReference

_DIGEST_BYTES: Final = 12
_LENGTH_BYTES: Final = 5

Headers = tuple[tuple[str, bytes | None], ...]


def digest(*parts: bytes | None) -> bytes:
    """A digest of these parts that tells None from empty and where each part ends."""
    state = blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        state.update(b"\xff" if part is None else len(part).to_bytes(_LENGTH_BYTES, "big"))
        state.update(part or b"")
    return state.digest()


def record_digest(key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    """A digest of everything that copies must share."""
    return digest(key, value, *(part for name, content in headers for part in (name.encode(), content)))


def text(content: bytes | None) -> str | None:
    """The bytes as text; what is not UTF-8 is shown escaped."""
    return None if content is None else content.decode("utf-8", "backslashreplace")


def header_texts(record: Record) -> dict[str, str]:
    """The record's headers as texts; of a name that occurs twice the last."""
    return {name: content.decode("utf-8", "backslashreplace") for name, content in record.headers if content is not None}


def reference(record: Record, identifier: str | None = None, entity_id: str | None = None) -> RecordReference:
    """The record as a proof."""
    return RecordReference(record.topic, record.partition, record.offset, text(record.key), identifier, entity_id)
