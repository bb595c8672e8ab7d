"""From a decision's events to messages: CloudEvents 1.0 in binary mode, readable in any topic browser."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b, sha1
from typing import Final

import orjson

from shared.codec.decode import Received
from shared.codec.record import OutgoingMessage
from shared.messages.events import Event
from shared.messages.fields import Command, format_time

_OPTIONS: Final = orjson.OPT_UTC_Z
_CONTENT_TYPE: Final = ("content-type", b"application/json")
_SPECVERSION: Final = ("ce_specversion", b"1.0")

#: The namespace of every id that the mesh derives, fixed for ever: a command's entity is the same wherever it is decided.
DERIVED_ID_NAMESPACE: Final = uuid.UUID("5a0c7f7e-3f61-5d1b-9d55-0c9e6f3f2b10")


def source_of(service: str) -> str:
    """The ``ce_source`` of a service of the mesh."""
    return f"/caremesh/{service}"


@lru_cache(maxsize=4_096)
def derived_id(prefix: str, source: str, identifier: str) -> str:
    """The id of an entity whose command names none: prefix and UUIDv5 of (namespace, source + LF + id)."""
    digest = bytearray(sha1(DERIVED_ID_NAMESPACE.bytes + f"{source}\n{identifier}".encode(), usedforsecurity=False).digest()[:16])
    # As uuid.uuid5 does it, which takes five times as long.
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{prefix}{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def event_id(service: str, source: str, identifier: str, index: int) -> str:
    """The id of a decision's event: the same whoever decides it, and however often."""
    return blake2b(f"{service}\n{source}\n{identifier}\n{index}".encode(), digest_size=16).hexdigest()


def encode_event(event: Event, *, cause: Received, index: int, service: str, topic: str, decided_at: str) -> OutgoingMessage:
    """Make the message of one event of a decision.

    Args:
        event: what happened.
        cause: the command that was decided.
        index: which event of the decision it is; 0 is the outcome.
        service: the deciding service.
        topic: the events topic.
        decided_at: RFC 3339, UTC.
    """
    identifier = event_id(service, cause.source, cause.id, index)
    time = format_time(event.time)
    record = cause.record
    value = orjson.dumps(
        {
            "type": event.type,
            "id": identifier,
            "time": time,
            **event.body,
            "version": event.version,
            "decision": {
                "decided_at": decided_at,
                "index": index,
                "command": {"source": cause.source, "id": cause.id, "type": cause.type},
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
            },
        },
        option=_OPTIONS,
    )
    key = event.key.encode()
    headers = [
        _CONTENT_TYPE,
        _SPECVERSION,
        ("ce_id", identifier.encode()),
        ("ce_source", _source_header(service)),
        ("ce_type", event.type.encode()),
        ("ce_time", time.encode()),
        ("ce_partitionkey", key),
        ("ce_correlationid", cause.correlation_id.encode()),
        ("ce_causationid", cause.id.encode()),
    ]
    if event.subject is not None:
        headers.append(("ce_subject", event.subject.encode()))
    if cause.traceparent is not None:
        headers.append(("traceparent", cause.traceparent.encode()))
    return OutgoingMessage(topic, key, value, headers)


@lru_cache
def _source_header(service: str) -> bytes:
    return source_of(service).encode()


def encode_command(
    command: Command,
    *,
    topic: str,
    source: str,
    identifier: str,
    time: datetime | None = None,
    context: Mapping[str, str] | None = None,
) -> OutgoingMessage:
    """Make the message of a command.

    Args:
        command: the data.
        topic: the commands topic of the service that decides it.
        source: who publishes it.
        identifier: with ``source`` the command's identity.
        time: when it was made; only for people and for the words of a refusal.
        context: further attributes (``correlationid``, ``causationid``) and ``traceparent``.
    """
    key = command.partition_key.encode()
    headers = [
        _CONTENT_TYPE,
        _SPECVERSION,
        ("ce_id", identifier.encode()),
        ("ce_source", source.encode()),
        ("ce_type", command.type.encode()),
        ("ce_partitionkey", key),
    ]
    if time is not None:
        headers.append(("ce_time", format_time(time).encode()))
    if command.entity_id is not None:
        headers.append(("ce_subject", command.entity_id.encode()))
    for name, attribute in (context or {}).items():
        headers.append((name if name == "traceparent" else f"ce_{name}", attribute.encode()))
    value = orjson.dumps(command.model_dump(exclude_none=True), option=_OPTIONS)
    return OutgoingMessage(topic, key, value, headers)


def encode_state(
    *, topic: str, type_: str, service: str, entity_id: str, partition_key: str, version: int, time: datetime, body: Mapping[str, object]
) -> OutgoingMessage:
    """Make the message of an entity as it stands, for a state topic.

    Args:
        topic: the state topic.
        type_: the ``ce_type``.
        service: whose entity it is.
        entity_id: the record's key.
        partition_key: decides the partition: what else is ordered by it lies on the same one of its own topics.
        version: the entity's.
        time: the business time of its last change.
        body: the fields of the value, between ``time`` and ``version``.
    """
    # The same state has the same id, whoever publishes it.
    identifier = event_id(service, type_, entity_id, version)
    at = format_time(time)
    value = orjson.dumps({"type": type_, "id": identifier, "time": at, **body, "version": version}, option=_OPTIONS)
    headers = [
        _CONTENT_TYPE,
        _SPECVERSION,
        ("ce_id", identifier.encode()),
        ("ce_source", _source_header(service)),
        ("ce_type", type_.encode()),
        ("ce_time", at.encode()),
        ("ce_partitionkey", partition_key.encode()),
        ("ce_subject", entity_id.encode()),
    ]
    return OutgoingMessage(topic, entity_id.encode(), value, headers, partition_key=partition_key.encode())


def pack(messages: Sequence[OutgoingMessage]) -> bytes:
    """Keep messages to the byte, in one column that psql can show: two lines each, the envelope and the value.

    Neither holds a line feed: both are compact JSON.
    """
    lines = []
    for message in messages:
        assert message.key is not None
        assert message.value is not None
        headers = {name: value.decode() for name, value in message.headers}
        lines.append(orjson.dumps({"topic": message.topic, "key": message.key.decode(), "headers": headers}))
        lines.append(message.value)
    return b"\n".join(lines)


def unpack(packed: bytes) -> list[OutgoingMessage]:
    """Read messages back as ``pack`` was given them."""
    # Of what was heard often nothing follows.
    lines = packed.split(b"\n") if packed else []
    messages = []
    for envelope, body in zip(lines[::2], lines[1::2], strict=True):
        fields = orjson.loads(envelope)
        headers = [(name, header.encode()) for name, header in fields["headers"].items()]
        messages.append(OutgoingMessage(fields["topic"], fields["key"].encode(), body, headers))
    return messages
