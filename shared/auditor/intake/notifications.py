"""Intake of the notification requests that a service sends; those of others are passed over."""

from sys import intern

import orjson

from shared.auditor.envelopes import canonical, is_identifier
from shared.auditor.facts import Notification
from shared.auditor.history import History
from shared.auditor.intake.fields import digest, header_texts, reference, text
from shared.auditor.records import Record
from shared.auditor.report import ViolationKind
from shared.auditor.words import NORMAL, SEND_NOTIFICATION


def take(history: History, record: Record) -> None:
    """Remember one notification request of the service's, or find fault with it."""
    headers = header_texts(record)
    if headers.get("ce_type") != SEND_NOTIFICATION or headers.get("ce_source") != history.words.source:
        return
    try:
        value = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        value = None
    fault = _fault(record, headers, value)
    if fault is not None:
        sentence = f"The notification request {headers.get('ce_id')} breaks the contract: {fault}."
        history.findings.add(ViolationKind.MALFORMED_NOTIFICATION, sentence, reference(record, headers.get("ce_id")))
        return
    body = digest(record.key, canonical(value))
    known = history.notifications.get(value["notification_id"])
    if known is None:
        history.notifications[value["notification_id"]] = Notification(
            id=value["notification_id"],
            partition=record.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp_ms,
            digest=body,
            recipient_id=intern(value["recipient_id"]),
            template=intern(str(value.get("template"))),
            priority=intern(str(value.get("priority", NORMAL))),
            cause=intern(headers.get("ce_causationid", "")),
        )
        return
    history.copies[record.topic] += 1
    # Their consumer takes them for the same command as long as the body is the same: headers may differ.
    if known.digest != body:
        sentence = f"Two notification requests have the id {known.id} and differ in key or body."
        history.findings.add(ViolationKind.COPIES_DIFFER, sentence, history.of_notification(known), reference(record, known.id))


def _fault(record: Record, headers: dict[str, str], value: object) -> str | None:
    """What is wrong with the request by itself."""
    if not isinstance(value, dict):
        return "its value is not a JSON object"
    demands = (
        (is_identifier(value.get("notification_id")), "notification_id is no id"),
        (is_identifier(value.get("recipient_id")), "recipient_id is no id"),
        (text(record.key) == value.get("recipient_id"), "its key is not the recipient's id"),
        (headers.get("ce_specversion") == "1.0" and is_identifier(headers.get("ce_id")), "its CloudEvents headers are not complete"),
    )
    return next((fault for holds, fault in demands if not holds), None)
