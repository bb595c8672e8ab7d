"""Reading dead letters back: the record that was set aside, as it was, for those who publish it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.codec.record import Headers, Record

_IDENTIFIER: Final = "caremesh_dead_letter_id"
_NOTES: Final = (
    _IDENTIFIER,
    "__connect.errors.topic",
    "__connect.errors.partition",
    "__connect.errors.offset",
    "__connect.errors.stage",
    "__connect.errors.class.name",
    "__connect.errors.exception.class.name",
    "__connect.errors.exception.message",
)
_CUT_SUFFIXES: Final = ("_sha256", "_length")
_PARTS: Final = ("key", "value", "headers")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A record that was set aside.

    Attributes:
        id: the same for every copy of the dead letter.
        topic: where it lay.
        partition: where it lay.
        offset: where it lay.
        stage: where it failed, in the words of Kafka Connect.
        service: whose consumer set it aside.
        reason: why, as one word.
        message: why, as a sentence.
        key: as it was, unless it was cut.
        value: as it was, unless it was cut.
        headers: as they were, unless they were cut; a null is kept as empty.
        cut: the parts (key, value, headers) that were cut to fit, with their lengths before, in bytes.
    """

    id: str
    topic: str
    partition: int
    offset: int
    stage: str
    service: str
    reason: str
    message: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    cut: Mapping[str, int]


def set_aside(record: Record) -> SetAside | None:
    """Read a dead letter back; ``None`` when it is none of the mesh's.

    Ours are the last headers: a record that was itself a dead letter keeps the notes that it came with.

    Args:
        record: from a dead letter topic.
    """
    headers = list(record.headers)
    notes = headers[-len(_NOTES) :]
    if tuple(name for name, _ in notes) != _NOTES:
        return None
    values = [(value or b"").decode(errors="replace") for _, value in notes]
    identifier, topic, partition, offset, stage, service, reason, message = values
    if not (partition.isdecimal() and offset.isdecimal()):
        return None
    original, cut = _without_cut_notes(headers[: -len(_NOTES)])
    return SetAside(
        id=identifier,
        topic=topic,
        partition=int(partition),
        offset=int(offset),
        stage=stage,
        service=service,
        reason=reason,
        message=message,
        key=record.key,
        value=record.value,
        headers=original,
        cut=cut,
    )


def _without_cut_notes(headers: list[tuple[str, bytes]]) -> tuple[Headers, Mapping[str, int]]:
    cut: dict[str, int] = {}
    while len(headers) >= len(_CUT_SUFFIXES):
        names = [name for name, _ in headers[-len(_CUT_SUFFIXES) :]]
        part = next((part for part in _PARTS if names == [f"caremesh_{part}{suffix}" for suffix in _CUT_SUFFIXES]), None)
        length = (headers[-1][1] or b"").decode(errors="replace")
        if part is None or part in cut or not length.isdecimal():
            break
        cut[part] = int(length)
        headers = headers[: -len(_CUT_SUFFIXES)]
    return headers, cut
