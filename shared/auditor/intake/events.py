"""Intake of an events topic: what a single event must get right by itself."""

from itertools import islice
from sys import intern
from typing import Final

import orjson

from shared.auditor.envelopes import is_identifier
from shared.auditor.facts import Conflict, Event
from shared.auditor.history import History
from shared.auditor.intake.fields import header_texts, record_digest, reference, text
from shared.auditor.records import Record
from shared.auditor.report import ViolationKind
from shared.auditor.values import Fields, MalformedError, inside, instant, name, number, optional_instant
from shared.auditor.values import text as text_in
from shared.auditor.words import EntityWords, ServiceWords, entity_of

_FIRST_FIELDS: Final = ("type", "id", "time")


def take(history: History, record: Record) -> None:
    """Remember one event, or find fault with it."""
    headers = header_texts(record)
    identifier, type_ = headers.get("ce_id"), headers.get("ce_type", "")
    if not history.words.knows(type_):
        history.events_of_unknown_type += 1
        history.unusable_events.add((record.partition, record.offset))
        return
    known = history.events.get(identifier or "")
    digest = record_digest(record.key, record.value, record.headers)
    if known is not None:
        history.copies[record.topic] += 1
        if known.digest != digest:
            history.unusable_events.add((record.partition, record.offset))
            sentence = f"Two records have the event id {identifier} and differ in key, value or headers."
            history.findings.add(ViolationKind.COPIES_DIFFER, sentence, history.of_event(known), reference(record, identifier))
        elif record.partition != known.partition:
            history.moved_copies.append(record._replace(value=None, headers=()))
        elif record.offset < known.offset:
            history.events[known.id] = known._replace(offset=record.offset)
        return
    try:
        value = _value(record)
        entity = history.words.entities[entity_of(type_)]
        _compare(history, record, headers, value)
        event = _event(history.words, entity, record, value, digest)
    except MalformedError as fault:
        history.unusable_events.add((record.partition, record.offset))
        sentence = f"The event {identifier} breaks the contract: {fault}."
        history.findings.add(ViolationKind.MALFORMED_EVENT, sentence, reference(record, identifier))
        return
    history.events[event.id] = event


def _value(record: Record) -> Fields:
    try:
        value = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        message = "its value is not a JSON object"
        raise MalformedError(message)
    return value


def _compare(history: History, record: Record, headers: dict[str, str], value: Fields) -> None:
    """Header against value, value against key.

    Raises:
        MalformedError: they disagree.
    """
    words = history.words
    decision = inside(value, "decision")
    command = inside(decision, "command")
    conflict = value.get("conflict")
    key = text(record.key)
    is_refusal = words.is_rejected(value.get("type", ""))
    entity = words.entities[entity_of(headers["ce_type"])]
    key_field = entity.key_field if is_refusal else words.events[headers["ce_type"]].key_field or entity.key_field
    keyed_by = value.get(key_field)
    demands = (
        (tuple(islice(value, len(_FIRST_FIELDS))) == _FIRST_FIELDS, "its value does not begin with type, id, time"),
        (
            all(headers.get(f"ce_{field}") == value.get(field) for field in _FIRST_FIELDS),
            "type, id or time differ between headers and value",
        ),
        (headers.get("ce_specversion") == "1.0", "ce_specversion is not 1.0"),
        (headers.get("ce_source") == words.source, f"ce_source is not {words.source}"),
        (headers.get("content-type") == "application/json", "content-type is not application/json"),
        (headers.get("ce_causationid") == command.get("id"), "ce_causationid is not the id of what was decided"),
        (headers.get("ce_subject") in {None, _id(entity, value)}, f"ce_subject is not the id of the {entity_of(headers['ce_type'])}"),
        (headers.get("ce_partitionkey") in {None, key}, "ce_partitionkey is not the key"),
        (record.key is not None, "it has no key"),
        (keyed_by == key or (keyed_by is None and is_refusal), f"its key is not its {key_field}"),
        (decision.get("topic") in _deciding_topics(history), "its decision was taken from a topic that the service does not decide on"),
        (not isinstance(conflict, dict) or "patient_id" not in conflict, "its conflict shows a patient's id"),
    )
    for holds, fault in demands:
        if not holds:
            raise MalformedError(fault)


def _deciding_topics(history: History) -> set[str]:
    prefix = history.scope.prefix
    return {history.topics.commands, *(f"{prefix}.{service}.events.v1" for service in history.words.hears)}


def _id(entity: EntityWords, value: Fields) -> str | None:
    return name(value.get(entity.id_field)) if entity.id_of is None else entity.id_of(value)


def _event(words: ServiceWords, entity: EntityWords, record: Record, value: Fields, digest: bytes) -> Event:
    """The event as it is remembered.

    Raises:
        MalformedError: a field is missing or has another type.
    """
    type_ = text_in(value, "type")
    is_refusal = words.is_rejected(type_)
    if not is_refusal:
        for field in (() if entity.id_of else (entity.id_field,)) + (entity.key_field, *entity.ids):
            if not is_identifier(value.get(field)):
                message = f"{field} is no id"
                raise MalformedError(message)
    decision = value["decision"]
    command = decision["command"]
    return Event(
        id=text_in(value, "id"),
        type=intern(type_),
        entity=intern(entity_of(type_)),
        entity_id=_id(entity, value),
        partition=record.partition,
        offset=record.offset,
        digest=digest,
        key=intern(text(record.key) or ""),
        doctor_id=name(value.get("doctor_id")),
        patient_id=name(value.get("patient_id")),
        time_us=instant(value, "time"),
        status=None if is_refusal else entity.status_of(value),
        deadline_us=None if is_refusal else _deadline(entity, value),
        version=number(value, "version"),
        decision_topic=intern(text_in(decision, "topic")),
        decision_partition=number(decision, "partition"),
        decision_offset=number(decision, "offset"),
        decision_index=number(decision, "index"),
        decided_us=instant(decision, "decided_at"),
        identity=intern(f"{command.get('source')}\n{command.get('id')}"),
        command_type=intern(text_in(command, "type")),
        status_code=number(value, "status_code") if is_refusal else None,
        reason=intern(text_in(value, "reason")) if is_refusal else None,
        conflict=_conflict(words, value.get("conflict")) if is_refusal else None,
        state=None if is_refusal else entity.read(value),
    )


def _deadline(entity: EntityWords, value: Fields) -> int | None:
    if entity.deadline_field is None or (entity.deadline_in is not None and value.get("status") not in entity.deadline_in):
        return None
    return optional_instant(value, entity.deadline_field)


def _conflict(words: ServiceWords, conflict: object) -> Conflict | None:
    """What stood in the way, if that is an entity of this service."""
    if not isinstance(conflict, dict):
        return None
    for kind, entity in words.entities.items():
        identifier = name(conflict.get(entity.id_field))
        if identifier is not None:
            return Conflict(kind, identifier, name(conflict.get("status")), optional_instant(conflict, "starts_at"))
    return None
