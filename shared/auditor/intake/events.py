"""Intake of the events topic: what a single event must get right by itself."""

from itertools import islice
from sys import intern
from typing import Any, Final

import orjson

from shared.auditor.envelopes import is_identifier
from shared.auditor.history import Event, History
from shared.auditor.instants import instant_us
from shared.auditor.intake.fields import header_texts, record_digest, reference, text
from shared.auditor.partitioning import partition_of
from shared.auditor.records import Record
from shared.auditor.report import ViolationKind
from shared.auditor.vocabulary import EVENT_TYPES, REJECTED, SOURCE

_FIRST_FIELDS: Final = ("type", "id", "time")
_IDENTIFIERS_OF_A_CHANGE: Final = ("appointment_id", "doctor_id", "patient_id")


class MalformedError(Exception):
    """An event breaks the contract by itself; the message says how."""


def take(history: History, record: Record) -> None:
    """Remember one event, or find fault with it."""
    headers = header_texts(record)
    identifier = headers.get("ce_id")
    if headers.get("ce_type") not in EVENT_TYPES:
        history.events_of_unknown_type += 1
        return
    known = history.events.get(identifier or "")
    digest = record_digest(record.key, record.value, record.headers)
    if known is not None:
        history.copies[record.topic] += 1
        if known.digest != digest or known.partition != record.partition:
            sentence = f"Two records have the event id {identifier} and differ in partition, key, value or headers."
            history.findings.add(ViolationKind.COPIES_DIFFER, sentence, history.of_event(known), reference(record, identifier))
        elif record.offset < known.offset:
            history.events[known.id] = known._replace(offset=record.offset)
        return
    try:
        value = _value(record)
        _compare(history, record, headers, value)
        event = _event(record, value, digest)
    except MalformedError as fault:
        sentence = f"The event {identifier} breaks the contract: {fault}."
        history.findings.add(ViolationKind.MALFORMED_EVENT, sentence, reference(record, identifier))
        return
    history.events[event.id] = event
    count = history.scope.partition_counts.get(record.topic)
    if count is not None and record.key is not None and partition_of(record.key, count) != record.partition:
        sentence = f"The event {event.id} belongs on partition {partition_of(record.key, count)}, where murmur2 puts its key."
        history.findings.add(ViolationKind.WRONG_PARTITION, sentence, history.of_event(event))


def _value(record: Record) -> dict[str, Any]:
    try:
        value = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        message = "its value is not a JSON object"
        raise MalformedError(message)
    return value


def _compare(history: History, record: Record, headers: dict[str, str], value: dict[str, Any]) -> None:
    """Header against value, value against key.

    Raises:
        MalformedError: they disagree.
    """
    decision = value.get("decision")
    command = decision.get("command") if isinstance(decision, dict) else None
    if not isinstance(decision, dict) or not isinstance(command, dict):
        message = "its value has no decision with a command"
        raise MalformedError(message)
    doctor_id = value.get("doctor_id")
    conflict = value.get("conflict")
    demands = (
        (tuple(islice(value, len(_FIRST_FIELDS))) == _FIRST_FIELDS, "its value does not begin with type, id, time"),
        (all(headers.get(f"ce_{name}") == value.get(name) for name in _FIRST_FIELDS), "type, id or time differ between headers and value"),
        (headers.get("ce_specversion") == "1.0", "ce_specversion is not 1.0"),
        (headers.get("ce_source") == SOURCE, f"ce_source is not {SOURCE}"),
        (headers.get("content-type") == "application/json", "content-type is not application/json"),
        (headers.get("ce_causationid") == command.get("id"), "ce_causationid is not the id of the command"),
        (headers.get("ce_subject") in {None, value.get("appointment_id")}, "ce_subject is not the appointment's id"),
        (headers.get("ce_partitionkey") in {None, text(record.key)}, "ce_partitionkey is not the key"),
        (record.key is not None, "it has no key"),
        (doctor_id == text(record.key) or (doctor_id is None and value["type"] == REJECTED), "its key is not the doctor's id"),
        (decision.get("topic") == history.topics.commands, "its decision was not taken from the commands topic"),
        (not isinstance(conflict, dict) or "patient_id" not in conflict, "its conflict shows a patient's id"),
    )
    for holds, fault in demands:
        if not holds:
            raise MalformedError(fault)


def _event(record: Record, value: dict[str, Any], digest: bytes) -> Event:
    """The event as it is remembered.

    Raises:
        MalformedError: a field is missing or has another type.
    """
    decision, is_change = value["decision"], value["type"] != REJECTED
    conflict = value.get("conflict")
    if is_change:
        for name in _IDENTIFIERS_OF_A_CHANGE:
            if not is_identifier(value.get(name)):
                message = f"{name} is no id"
                raise MalformedError(message)
    return Event(
        id=_text(value, "id"),
        type=intern(_text(value, "type")),
        partition=record.partition,
        offset=record.offset,
        digest=digest,
        doctor_id=intern(text(record.key) or ""),
        patient_id=_name(value.get("patient_id")),
        appointment_id=_name(value.get("appointment_id")),
        time_us=_instant(value, "time"),
        status=_name(value.get("status")),
        starts_us=_instant(value, "starts_at") if is_change else 0,
        proposed_starts_us=_optional_instant(value, "proposed_starts_at"),
        duration_minutes=_number(value, "duration_minutes") if is_change else 0,
        expires_us=_optional_instant(value, "expires_at") if is_change else None,
        cancelled_by=_name(value.get("cancelled_by")),
        version=_number(value, "version"),
        decision_index=_number(decision, "index"),
        decided_us=_instant(decision, "decided_at"),
        identity=intern(f"{decision['command'].get('source')}\n{decision['command'].get('id')}"),
        command_type=intern(_text(decision["command"], "type")),
        decision_partition=_number(decision, "partition"),
        decision_offset=_number(decision, "offset"),
        status_code=None if is_change else _number(value, "status_code"),
        reason=None if is_change else intern(_text(value, "reason")),
        conflict_id=_name(conflict.get("appointment_id")) if isinstance(conflict, dict) else None,
    )


def _name(value: object) -> str | None:
    return intern(value) if isinstance(value, str) else None


def _text(value: dict[str, Any], name: str) -> str:
    if not isinstance(value.get(name), str) or not value[name]:
        message = f"{name} is no text"
        raise MalformedError(message)
    return str(value[name])


def _number(value: dict[str, Any], name: str) -> int:
    number = value.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        message = f"{name} is no number from 0"
        raise MalformedError(message)
    return number


def _instant(value: dict[str, Any], name: str) -> int:
    instant = instant_us(value.get(name))
    if instant is None:
        message = f"{name} is no time in UTC with Z"
        raise MalformedError(message)
    return instant


def _optional_instant(value: dict[str, Any], name: str) -> int | None:
    return None if value.get(name) is None else _instant(value, name)
