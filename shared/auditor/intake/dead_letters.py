"""Intake of the dead letters: of commands, and of events that their readers set aside."""

from typing import Final

from shared.auditor.envelopes import VALUE_LIMIT_BYTES
from shared.auditor.facts import DeadLetter
from shared.auditor.history import History
from shared.auditor.intake.commands import HEAD_BYTES, original_digest, value_head
from shared.auditor.intake.fields import header_texts, record_digest, reference
from shared.auditor.records import Record
from shared.auditor.report import ViolationKind

_ID: Final = "caremesh_dead_letter_id"
_PREFIX: Final = "__connect.errors."
_CONNECT: Final = (
    "topic",
    "partition",
    "offset",
    "stage",
    "class.name",
    "exception.class.name",
    "exception.message",
)
#: Longer texts cannot be a digest or a length.
_TEXT_LIMIT_CHARACTERS: Final = 256


def take(history: History, record: Record) -> None:
    """Remember the dead letter of a command, or find fault with it."""
    _take(history, history.dead_letters, history.topics.commands, record)


def take_of_event(history: History, record: Record) -> None:
    """Remember the dead letter of an event, or find fault with it."""
    _take(history, history.event_dead_letters, history.topics.events, record)


def _take(history: History, letters: dict[str, DeadLetter], original_topic: str, record: Record) -> None:
    headers = header_texts(record)
    identifier = headers.get(_ID)
    missing = [_PREFIX + name for name in _CONNECT if not headers.get(_PREFIX + name)]
    if identifier is None:
        missing.append(_ID)
    partition, offset = headers.get(f"{_PREFIX}partition", ""), headers.get(f"{_PREFIX}offset", "")
    if missing or identifier is None or not partition.isdecimal() or not offset.isdecimal():
        sentence = f"A dead letter lacks {', '.join(missing) or 'a number for its original partition or offset'}."
        history.findings.add(ViolationKind.MALFORMED_DEAD_LETTER, sentence, reference(record, identifier))
        return
    if headers[f"{_PREFIX}topic"] != original_topic:
        sentence = f"The dead letter {identifier} says that it comes from the topic {headers[_PREFIX + 'topic']}."
        history.findings.add(ViolationKind.DEAD_LETTER_WITHOUT_CAUSE, sentence, reference(record, identifier))
        return
    digest = record_digest(record.key, record.value, record.headers)
    known = letters.get(identifier)
    if known is None:
        letters[identifier] = _dead_letter(record, headers, digest)
        return
    history.copies[record.topic] += 1
    if known.digest != digest:
        sentence = f"Two records have the dead letter id {identifier} and differ in key, value or headers."
        history.findings.add(ViolationKind.COPIES_DIFFER, sentence, history.of_dead_letter(known), reference(record, identifier))


def _dead_letter(record: Record, headers: dict[str, str], digest: bytes) -> DeadLetter:
    return DeadLetter(
        id=headers[_ID],
        partition=record.partition,
        offset=record.offset,
        digest=digest,
        service=headers[f"{_PREFIX}class.name"],
        original_partition=int(headers[f"{_PREFIX}partition"]),
        original_offset=int(headers[f"{_PREFIX}offset"]),
        reason=headers[f"{_PREFIX}exception.class.name"],
        raw_digest=original_digest(record.key, record.value, record.headers),
        value_head=value_head(record.value),
        texts=_texts_about_a_cut(record, headers),
    )


def _texts_about_a_cut(record: Record, headers: dict[str, str]) -> frozenset[str]:
    """Where a cut value's SHA-256 and length may stand: in the headers, or behind the cut. Empty for a value that was surely not cut."""
    if record.value is None or len(record.value) < HEAD_BYTES:
        return frozenset()
    behind = record.value[HEAD_BYTES : VALUE_LIMIT_BYTES + 1024][-_TEXT_LIMIT_CHARACTERS:].decode("utf-8", "backslashreplace")
    return frozenset({*(content for content in headers.values() if len(content) <= _TEXT_LIMIT_CHARACTERS), behind})
