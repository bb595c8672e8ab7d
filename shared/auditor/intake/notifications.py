"""Intake of the notification requests that booking sends; those of others are passed over."""

from sys import intern

import orjson

from shared.auditor.envelopes import canonical, is_identifier
from shared.auditor.history import History, Notification
from shared.auditor.intake.fields import digest, header_texts, reference, text
from shared.auditor.partitioning import partition_of
from shared.auditor.records import Record
from shared.auditor.report import ViolationKind
from shared.auditor.vocabulary import SEND_NOTIFICATION, SOURCE


def take(history: History, record: Record) -> None:
    """Remember one notification request of booking's, or find fault with it."""
    headers = header_texts(record)
    if headers.get("ce_type") != SEND_NOTIFICATION or not headers.get("ce_source", "").startswith(SOURCE):
        return
    try:
        value = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        value = None
    fault = _fault(history, record, headers, value)
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
            digest=body,
            recipient_id=intern(value["recipient_id"]),
            template=intern(str(value.get("template"))),
            priority=intern(str(value.get("priority", "normal"))),
            cause=intern(headers.get("ce_causationid", "")),
        )
        return
    history.copies[record.topic] += 1
    # Their consumer takes them for the same command as long as the body is the same: headers may differ.
    if known.digest != body:
        sentence = f"Two notification requests have the id {known.id} and differ in key or body."
        history.findings.add(ViolationKind.COPIES_DIFFER, sentence, history.of_notification(known), reference(record, known.id))


def _fault(history: History, record: Record, headers: dict[str, str], value: object) -> str | None:
    """What is wrong with the request by itself."""
    if not isinstance(value, dict):
        return "its value is not a JSON object"
    count = history.scope.partition_counts.get(record.topic)
    key = text(record.key)
    demands = (
        (is_identifier(value.get("notification_id")), "notification_id is no id"),
        (is_identifier(value.get("recipient_id")), "recipient_id is no id"),
        (key == value.get("recipient_id"), "its key is not the recipient's id"),
        (headers.get("ce_specversion") == "1.0" and is_identifier(headers.get("ce_id")), "its CloudEvents headers are not complete"),
        (count is None or partition_of(record.key or b"", count) == record.partition, "it is not on the partition of its key"),
    )
    return next((fault for holds, fault in demands if not holds), None)
