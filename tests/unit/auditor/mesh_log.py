"""Builds the topics of a little mesh, record by record, as the contract says they look; tests then spoil them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from shared.auditor import SERVICE_NAMES, Record, Report, Scope, Topics, ViolationKind, audit_records
from shared.auditor.partitioning import partition_of
from shared.auditor.services import SERVICES

PARTITIONS = 8
TOPICS = {name: Topics.of("telemed", name, are_events_read=service.words.has_processor) for name, service in SERVICES.items()}
#: When every story begins.
MORNING = datetime(2030, 1, 7, 8, 0, tzinfo=UTC)


def iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def at(timestamp_ms: int) -> datetime:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC)


Log = TypeVar("Log", bound="MeshLog")


class MeshLog:
    """The topics, growing; every helper publishes what a faultless mesh would."""

    #: Whose commands and events the helpers publish.
    service = "booking"
    #: The services that run: of the others nothing is demanded.
    runs: tuple[str, ...] = ("booking",)

    def __init__(self, partitions: int = PARTITIONS) -> None:
        self.records: list[Record] = []
        self.now_ms = milliseconds(MORNING)
        self.partitions = partitions
        self._next: dict[tuple[str, int], int] = {}
        self._serial = 0

    def of(self, kind: type[Log]) -> Log:
        """The helpers of another service, on the same log."""
        other = kind.__new__(kind)
        other.__dict__ = self.__dict__
        return other

    @property
    def topics(self) -> Topics:
        return TOPICS[self.service]

    def publish(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, str], partition: int | None = None
    ) -> Record:
        place = (partition_of(key, self.partitions) if key is not None else 0) if partition is None else partition
        self.now_ms += 1_000
        offset = self._next.get((topic, place), 0)
        self._next[topic, place] = offset + 1
        packed = tuple((name, content.encode()) for name, content in headers.items())
        self.records.append(Record(topic, place, offset, self.now_ms, key, value, packed))
        return self.records[-1]

    def command_of(
        self,
        type_: str,
        data: dict[str, Any],
        *,
        key: str | None = None,
        identity: str | None = None,
        structured: bool = False,
        partition: int | None = None,
    ) -> Record:
        self._serial += 1
        attributes = {"specversion": "1.0", "id": identifier_of(identity, self._serial), "source": "/platform", "type": type_}
        bytes_key = (key or data.get("doctor_id") or data["patient_id"]).encode()
        topic = TOPICS[type_.split(".", maxsplit=1)[0]].commands
        if structured:
            return self.publish(topic, bytes_key, orjson.dumps(attributes | {"data": data}), {}, partition)
        headers = {f"ce_{name}": text for name, text in attributes.items()}
        return self.publish(topic, bytes_key, orjson.dumps(data), headers, partition)

    def request_of(self, type_: str, data: dict[str, Any], *, cause: str, identity: str | None = None) -> Record:
        """What this service asks another one because of something."""
        self._serial += 1
        key = (data.get("doctor_id") or data["patient_id"]).encode()
        headers = {
            "ce_specversion": "1.0",
            "ce_id": identifier_of(identity, self._serial),
            "ce_source": f"/caremesh/{self.service}",
            "ce_type": type_,
            "ce_causationid": cause,
        }
        return self.publish(TOPICS[type_.split(".", maxsplit=1)[0]].commands, key, orjson.dumps(data), headers)

    def event_of(
        self,
        type_: str,
        cause: Record,
        fields: dict[str, Any],
        *,
        subject: str | None,
        key: str | None = None,
        time: datetime | None = None,
        index: int = 0,
        partition: int | None = None,
    ) -> Record:
        attributes = {name.removeprefix("ce_"): (text or b"").decode() for name, text in cause.headers} or orjson.loads(cause.value or b"")
        service = type_.split(".", maxsplit=1)[0]
        identifier = f"event-{service}-{attributes['id']}-{index}"
        moment = iso(time or at(cause.timestamp_ms))
        decision = {
            "decided_at": iso(at(self.now_ms)),
            "index": index,
            "command": {name: attributes[name] for name in ("source", "id", "type")},
            "topic": cause.topic,
            "partition": cause.partition,
            "offset": cause.offset,
        }
        value = {"type": type_, "id": identifier, "time": moment, **fields, "decision": decision}
        key = key or fields.get("doctor_id") or (cause.key or b"").decode()
        headers = {
            "content-type": "application/json",
            "ce_specversion": "1.0",
            "ce_id": identifier,
            "ce_source": f"/caremesh/{service}",
            "ce_type": type_,
            "ce_time": moment,
            "ce_partitionkey": key,
            "ce_causationid": attributes["id"],
        }
        if subject is not None:
            headers["ce_subject"] = subject
        return self.publish(TOPICS[service].events, key.encode(), orjson.dumps(value), headers, partition)

    def refuse(self, command: Record, reason: str, status_code: int = 409, version: int = 0, **fields: Any) -> Record:
        type_ = header(command, "ce_type")
        service, entity, _, _ = type_.split(".")
        body = {"command": type_, "status_code": status_code, "reason": reason, "message": "No.", "version": version}
        key = (command.key or b"").decode()
        subject = fields.get(
            {"text_session": "session_id", "session_unit": "deduction_id", "preferences": "recipient_id"}.get(entity, f"{entity}_id")
        )
        return self.event_of(f"{service}.{entity}.rejected.v1", command, {"doctor_id": key, **fields, **body}, subject=subject, key=key)

    def notify(self, event: Record, recipient_id: str, template: str, priority: str = "normal") -> Record:
        cause = header(event, "ce_id")
        identifier = f"notice-{cause}-{recipient_id}-{template}"
        value = {"notification_id": identifier, "recipient_id": recipient_id, "template": template, "params": {}, "priority": priority}
        headers = {
            "content-type": "application/json",
            "ce_specversion": "1.0",
            "ce_id": identifier,
            "ce_source": header(event, "ce_source"),
            "ce_type": "notify.notification.send.v1",
            "ce_causationid": cause,
        }
        return self.publish(self.topics.notifications, recipient_id.encode(), orjson.dumps(value), headers)

    def dead_letter(
        self,
        record: Record,
        reason: str,
        *,
        letter_id: str | None = None,
        value: bytes | None = None,
        service: str | None = None,
        **more: str,
    ) -> Record:
        headers = {name: (content or b"").decode() for name, content in record.headers} | {
            "caremesh_dead_letter_id": letter_id or f"letter-{record.partition}-{record.offset}",
            "__connect.errors.topic": record.topic,
            "__connect.errors.partition": str(record.partition),
            "__connect.errors.offset": str(record.offset),
            "__connect.errors.stage": "VALUE_CONVERTER",
            "__connect.errors.class.name": service or self.service,
            "__connect.errors.exception.class.name": reason,
            "__connect.errors.exception.message": "It is bad.",
        }
        return self.publish(f"{record.topic}.dlq", record.key, value or record.value, headers | more, partition=record.partition)

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
        topics = {topic for of_service in TOPICS.values() for topic in (*of_service.all, of_service.notifications)}
        idle = [name for name in SERVICE_NAMES if name not in self.runs]
        committed = {group: {} for name in idle for group in (name, f"{name}-processor")} | scope.pop("committed", {})
        counts = dict.fromkeys(topics, self.partitions)
        return audit_records(self.records, Scope(**{"partition_counts": counts, "committed": committed, **scope}))

    def is_clean(self) -> Report:
        report = self.audit()
        assert report.passed, report.violations
        return report


def identifier_of(identity: str | None, serial: int) -> str:
    return identity or f"command-{serial}"


def header(record: Record, name: str) -> str:
    return (dict(record.headers)[name] or b"").decode()


def value_of(record: Record) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(record.value or b"")
    return body


def expect(log: MeshLog, *kinds: ViolationKind, proof: Record | None = None) -> None:
    report = log.audit()
    assert report.kinds() == set(kinds), report.violations
    if proof is not None:
        places = {(record.topic, record.partition, record.offset) for violation in report.violations for record in violation.records}
        assert (proof.topic, proof.partition, proof.offset) in places
