"""Records as they lie in topics, for what looks at them."""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.cli.seen import Seen
from shared.codec.record import StoredRecord

PREFIX = "telemed"
COMMANDS = f"{PREFIX}.booking.commands.v1"
EVENTS = f"{PREFIX}.booking.events.v1"
REQUESTS = f"{PREFIX}.notify.commands.v1"
BEGAN = 1_900_000_000_000


def seen(
    topic: str = COMMANDS,
    offset: int = 0,
    *,
    after_ms: int = 0,
    partition: int = 0,
    key: str | None = "doctor-1",
    value: Mapping[str, Any] | bytes | None = None,
    **attributes: str,
) -> Seen:
    """A record in binary mode; ``attributes`` become ``ce_`` headers."""
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    raw = value if isinstance(value, bytes) or value is None else orjson.dumps(value)
    return Seen(StoredRecord(topic, partition, offset, BEGAN + after_ms, key.encode() if key is not None else None, raw, headers))


def command(offset: int = 0, identifier: str = "c-1", **data: Any) -> Seen:
    after_ms = data.pop("after_ms", 0)
    source = data.pop("source", "/tests")
    body = {"doctor_id": "doctor-1", **data}
    return seen(COMMANDS, offset, after_ms=after_ms, value=body, id=identifier, source=source, type="booking.appointment.book.v1")


def event(
    offset: int = 0, *, of: Seen, identifier: str = "e-1", after_ms: int = 5, type_: str = "booking.appointment.booked.v1", **data: Any
) -> Seen:
    topic, partition, at = of.place
    decision = {
        "topic": topic,
        "partition": partition,
        "offset": at,
        "command": {"id": of.id, "source": of.attributes["source"], "type": of.type},
    }
    body = {"type": type_, "id": identifier, "appointment_id": "apt-1", "doctor_id": "doctor-1", **data, "decision": decision}
    attributes: dict[str, Any] = {
        "id": identifier,
        "source": "/caremesh/booking",
        "type": type_,
        "causationid": of.id,
        "correlationid": of.id,
    }
    return seen(EVENTS, offset, after_ms=after_ms, value=body, subject="apt-1", **attributes)


def request(offset: int = 0, *, of: Seen, identifier: str = "n-1", after_ms: int = 9) -> Seen:
    body = {
        "notification_id": identifier,
        "recipient_id": "patient-1",
        "template": "appointment_booked",
        "about": {"entity": "appointment", "entity_id": "apt-1"},
    }
    attributes: dict[str, Any] = {
        "id": identifier,
        "source": "/caremesh/booking",
        "type": "notify.notification.send.v1",
        "causationid": of.id,
    }
    return seen(REQUESTS, offset, after_ms=after_ms, key="patient-1", value=body, **attributes)
