"""From a decision's events to messages: CloudEvents 1.0 in binary mode, readable in any topic browser."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b, sha1
from typing import Final

import orjson

from shared.codec.decode import Received
from shared.codec.record import OutgoingMessage
from shared.messages.events import Event
from shared.messages.fields import Command

_OPTIONS: Final = orjson.OPT_UTC_Z
_CONTENT_TYPE: Final = ("content-type", b"application/json")
_SPECVERSION: Final = ("ce_specversion", b"1.0")

#: The namespace of every id that the mesh derives, fixed for ever: a command's entity is the same wherever it is decided.
DERIVED_ID_NAMESPACE: Final = uuid.UUID("5a0c7f7e-3f61-5d1b-9d55-0c9e6f3f2b10")


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC, with Z."""
    return time.isoformat().replace("+00:00", "Z")


def source_of(service: str) -> str:
    """The ``ce_source`` of a service of the mesh."""
    return f"/caremesh/{service}"


def derived_id(prefix: str, source: str, identifier: str) -> str:
    """The id of an entity whose command names none: prefix and UUIDv5 of (namespace, source + LF + id)."""
    digest = sha1(DERIVED_ID_NAMESPACE.bytes + f"{source}\n{identifier}".encode(), usedforsecurity=False).digest()
    return f"{prefix}{uuid.UUID(bytes=digest[:16], version=5)}"


def event_id(service: str, source: str, identifier: str, index: int) -> str:
    """The id of a decision's event: the same whoever decides it, and however often."""
    return blake2b(f"{service}\n{source}\n{identifier}\n{index}".encode(), digest_size=16).hexdigest()


def encode_event(  # noqa: PLR0913 - what an event says of itself, of its cause and of its place, each once
    event: Event, *, cause: Received, index: int, service: str, topic: str, decided_at: str
) -> OutgoingMessage:
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
                "topic": cause.record.topic,
                "partition": cause.record.partition,
                "offset": cause.record.offset,
            },
        },
        option=_OPTIONS,
    )
    key = event.key.encode()
    headers = [
        _CONTENT_TYPE,
        _SPECVERSION,
        ("ce_id", identifier.encode()),
        ("ce_source", source_of(service).encode()),
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


def encode_command(  # noqa: PLR0913 - the attributes of an envelope, each once
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
    for name, value in (context or {}).items():
        headers.append((name if name == "traceparent" else f"ce_{name}", value.encode()))
    value = orjson.dumps(command.model_dump(exclude_none=True), option=_OPTIONS)
    return OutgoingMessage(topic, key, value, headers)


def pack(messages: list[OutgoingMessage]) -> bytes:
    """Keep messages to the byte, in one column that psql can show: JSON with the values as strings."""
    return orjson.dumps(
        [
            {
                "topic": message.topic,
                "key": message.key.decode() if message.key is not None else None,
                "headers": [[name, value.decode()] for name, value in message.headers],
                "value": message.value.decode() if message.value is not None else None,
            }
            for message in messages
        ],
    )


def unpack(packed: bytes) -> list[OutgoingMessage]:
    """Read messages back as ``pack`` was given them."""
    return [
        OutgoingMessage(
            topic=message["topic"],
            key=message["key"].encode() if message["key"] is not None else None,
            value=message["value"].encode() if message["value"] is not None else None,
            headers=[(name, value.encode()) for name, value in message["headers"]],
        )
        for message in orjson.loads(packed)
    ]
