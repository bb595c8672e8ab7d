"""Builds the topics of a little mesh, record by record, as the contract says they look; tests then spoil them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from shared.auditor import Record, Report, Scope, Topics, ViolationKind, audit_records
from shared.auditor.partitioning import partition_of

PARTITIONS = 8
TOPICS = Topics.of("telemed")
#: When every story begins, and when its first appointment starts.
MORNING = datetime(2030, 1, 7, 8, 0, tzinfo=UTC)
SLOT = datetime(2030, 1, 9, 9, 0, tzinfo=UTC)
LIMIT = timedelta(hours=24)
DAY_MS = 86_400_000


def iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def at(timestamp_ms: int) -> datetime:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC)


@dataclass
class Appointment:
    """What the mesh knows of one appointment."""

    appointment_id: str
    doctor_id: str
    patient_id: str
    starts_at: datetime
    version: int
    status: str
    expires_at: datetime | None
    events: list[Record] = field(default_factory=list)
    commands: list[Record] = field(default_factory=list)


class MeshLog:
    """The four topics, growing; every helper publishes what a faultless mesh would."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.now_ms = milliseconds(MORNING)
        self._next: dict[tuple[str, int], int] = {}
        self._serial = 0

    def publish(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, str], partition: int | None = None
    ) -> Record:
        place = (partition_of(key, PARTITIONS) if key is not None else 0) if partition is None else partition
        self.now_ms += 1_000
        offset = self._next.get((topic, place), 0)
        self._next[topic, place] = offset + 1
        packed = tuple((name, content.encode()) for name, content in headers.items())
        self.records.append(Record(topic, place, offset, self.now_ms, key, value, packed))
        return self.records[-1]

    def command(
        self, word: str, data: dict[str, Any], *, key: str | None = None, identity: str | None = None, structured: bool = False
    ) -> Record:
        self._serial += 1
        attributes = {
            "specversion": "1.0",
            "id": identity or f"command-{self._serial}",
            "source": "/platform",
            "type": f"booking.appointment.{word}.v1",
        }
        bytes_key = (key or data["doctor_id"]).encode()
        if structured:
            return self.publish(TOPICS.commands, bytes_key, orjson.dumps(attributes | {"data": data}), {})
        return self.publish(TOPICS.commands, bytes_key, orjson.dumps(data), {f"ce_{name}": text for name, text in attributes.items()})

    def event(self, word: str, command: Record, fields: dict[str, Any], *, time: datetime | None = None, index: int = 0) -> Record:
        attributes = {name.removeprefix("ce_"): (text or b"").decode() for name, text in command.headers} or orjson.loads(
            command.value or b""
        )
        type_, identifier = f"booking.appointment.{word}.v1", f"event-{attributes['id']}-{index}"
        moment = iso(time or at(command.timestamp_ms))
        decision = {
            "decided_at": iso(at(self.now_ms)),
            "index": index,
            "command": {name: attributes[name] for name in ("source", "id", "type")},
            "topic": command.topic,
            "partition": command.partition,
            "offset": command.offset,
        }
        value = {"type": type_, "id": identifier, "time": moment, **fields, "decision": decision}
        key = fields.get("doctor_id") or (command.key or b"").decode()
        headers = {
            "content-type": "application/json",
            "ce_specversion": "1.0",
            "ce_id": identifier,
            "ce_source": "/caremesh/booking",
            "ce_type": type_,
            "ce_time": moment,
            "ce_partitionkey": key,
            "ce_causationid": attributes["id"],
        }
        if fields.get("appointment_id"):
            headers["ce_subject"] = fields["appointment_id"]
        return self.publish(TOPICS.events, key.encode(), orjson.dumps(value), headers)

    def notify(self, event: Record, recipient_id: str, template: str, priority: str = "normal") -> Record:
        cause = header(event, "ce_id")
        identifier = f"notice-{cause}-{recipient_id}-{template}"
        value = {"notification_id": identifier, "recipient_id": recipient_id, "template": template, "params": {}, "priority": priority}
        headers = {
            "content-type": "application/json",
            "ce_specversion": "1.0",
            "ce_id": identifier,
            "ce_source": "/caremesh/booking",
            "ce_type": "notify.notification.send.v1",
            "ce_causationid": cause,
        }
        return self.publish(TOPICS.notifications, recipient_id.encode(), orjson.dumps(value), headers)

    def dead_letter(self, record: Record, reason: str, *, letter_id: str | None = None, value: bytes | None = None, **more: str) -> Record:
        headers = {name: (content or b"").decode() for name, content in record.headers} | {
            "caremesh_dead_letter_id": letter_id or f"letter-{record.partition}-{record.offset}",
            "__connect.errors.topic": record.topic,
            "__connect.errors.partition": str(record.partition),
            "__connect.errors.offset": str(record.offset),
            "__connect.errors.stage": "VALUE_CONVERTER",
            "__connect.errors.class.name": "booking",
            "__connect.errors.exception.class.name": reason,
            "__connect.errors.exception.message": "It is bad.",
        }
        return self.publish(TOPICS.dead_letters, record.key, value or record.value, headers | more, partition=record.partition)

    def book(
        self, name: str = "1", *, doctor: str = "doc-a", patient: str = "pat-a", starts_at: datetime = SLOT, **how: Any
    ) -> Appointment:
        appointment = Appointment(f"apt-{name}", doctor, patient, starts_at, 1, "pending", None)
        data = {
            "appointment_id": appointment.appointment_id,
            "doctor_id": doctor,
            "patient_id": patient,
            "starts_at": iso(starts_at),
            "modality": "video",
            "actor": {"role": "patient", "id": patient},
        }
        command = self.command("book", data, **how)
        appointment.expires_at = at(command.timestamp_ms) + LIMIT
        event = self.event("booked", command, state(appointment))
        self.notify(event, doctor, "appointment_requested")
        self.notify(event, patient, "appointment_booked")
        appointment.commands.append(command)
        appointment.events.append(event)
        return appointment

    def change(
        self,
        appointment: Appointment,
        command_word: str,
        event_word: str,
        status: str,
        cancelled_by: str | None = None,
        *,
        tell: bool = True,
    ) -> Record:
        command = self.command(command_word, {"appointment_id": appointment.appointment_id, "doctor_id": appointment.doctor_id})
        appointment.version += 1
        appointment.status, appointment.expires_at = status, None
        event = self.event(event_word, command, state(appointment, cancelled_by))
        appointment.commands.append(command)
        appointment.events.append(event)
        if tell:
            who = {"patient": appointment.doctor_id}.get(cancelled_by or "", appointment.patient_id)
            self.notify(event, who, f"appointment_{event_word}", "critical" if event_word == "expired" else "normal")
        return event

    def confirm(self, appointment: Appointment) -> Record:
        return self.change(appointment, "confirm", "confirmed", "confirmed")

    def cancel(self, appointment: Appointment, by: str = "patient") -> Record:
        return self.change(appointment, "cancel", "cancelled", "cancelled", by)

    def expire(self, appointment: Appointment) -> Record:
        assert appointment.expires_at is not None
        self.now_ms = max(self.now_ms, milliseconds(appointment.expires_at))
        return self.change(appointment, "expire", "expired", "cancelled", "system")

    def warn_of_expiry(self, appointment: Appointment) -> Record:
        command = self.command("warn_expiry", {"appointment_id": appointment.appointment_id, "doctor_id": appointment.doctor_id})
        event = self.event("expiring", command, state(appointment))
        for recipient in (appointment.doctor_id, appointment.patient_id):
            self.notify(event, recipient, "appointment_expiring")
        return event

    def refuse(self, command: Record, reason: str, status_code: int = 409, version: int = 0, **fields: Any) -> Record:
        word = header(command, "ce_type")
        body = {"command": word, "status_code": status_code, "reason": reason, "message": "No.", "version": version}
        return self.event("rejected", command, {"doctor_id": (command.key or b"").decode(), **fields, **body})

    def refused_book(self, winner: Appointment, **fields: Any) -> Record:
        data = {"doctor_id": winner.doctor_id, "patient_id": "pat-late", "starts_at": iso(winner.starts_at), "modality": "video"}
        command = self.command("book", data)
        conflict = {"appointment_id": winner.appointment_id, "starts_at": iso(winner.starts_at), "ends_at": iso(winner.starts_at)}
        return self.refuse(command, "slot_already_booked", appointment_id=f"apt-late-{self._serial}", conflict=conflict, **fields)

    def copy(self, record: Record) -> Record:
        packed = {name: (content or b"").decode() for name, content in record.headers}
        return self.publish(record.topic, record.key, record.value, packed, partition=record.partition)

    def remove(self, record: Record) -> None:
        self.records.remove(record)

    def spoil(self, record: Record, **value: Any) -> Record:
        """Change fields of the record's JSON value; of an event, the headers that repeat them follow."""
        body = orjson.loads(record.value or b"") | value
        repeated = {f"ce_{name}": str(content).encode() for name, content in value.items() if name in {"type", "id", "time"}}
        headers = tuple((name, repeated.get(name, content)) for name, content in record.headers)
        return self.put(record, record._replace(value=orjson.dumps(body), headers=headers))

    def spoil_header(self, record: Record, name: str, content: str) -> Record:
        headers = tuple((known, content.encode() if known == name else before) for known, before in record.headers)
        return self.put(record, record._replace(headers=headers))

    def put(self, record: Record, instead: Record) -> Record:
        self.records[self.records.index(record)] = instead
        return instead

    def audit(self, **scope: Any) -> Report:
        return audit_records(self.records, Scope(partition_counts=dict.fromkeys(TOPICS.all, PARTITIONS), **scope))


def header(record: Record, name: str) -> str:
    return (dict(record.headers)[name] or b"").decode()


def state(appointment: Appointment, cancelled_by: str | None = None) -> dict[str, Any]:
    return {
        "appointment_id": appointment.appointment_id,
        "doctor_id": appointment.doctor_id,
        "patient_id": appointment.patient_id,
        "starts_at": iso(appointment.starts_at),
        "duration_minutes": 30,
        "modality": "video",
        "user_timezone": "UTC",
        "status": appointment.status,
        "expires_at": None if appointment.expires_at is None else iso(appointment.expires_at),
        "created_at": iso(MORNING),
        "cancelled_by": cancelled_by,
        "cancellation_reason": None,
        "version": appointment.version,
    }


def expect(log: MeshLog, *kinds: ViolationKind, proof: Record | None = None) -> None:
    report = log.audit()
    assert report.kinds() == set(kinds), report.violations
    if proof is not None:
        places = {(record.topic, record.partition, record.offset) for violation in report.violations for record in violation.records}
        assert (proof.topic, proof.partition, proof.offset) in places
