"""Every event that booking can make keeps to the contract, as it is written there and here once more."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from hypothesis import given, settings

from shared.codec.decode import Received
from shared.codec.encode import encode_event
from tests.examples import NOW, hours, received
from tests.unit.booking.days import days
from tests.unit.booking.naive import Shelf

Check = Callable[[Any], bool]


def is_id(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", value) is not None


def is_time(value: Any) -> bool:
    return isinstance(value, str) and value.endswith("Z") and datetime.fromisoformat(value).tzinfo is not None


def is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


def one_of(*words: Any) -> Check:
    return lambda value: value in words


def maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def is_like(**fields: Check) -> Check:
    return lambda value: (
        isinstance(value, dict) and value.keys() == fields.keys() and all(check(value[name]) for name, check in fields.items())
    )


ENVELOPE: dict[str, Check] = {
    "type": is_text,
    "id": is_id,
    "time": is_time,
    "version": is_count,
    "decision": is_like(
        decided_at=is_time,
        index=is_count,
        command=is_like(source=is_text, id=is_id, type=is_text),
        topic=is_text,
        partition=is_count,
        offset=is_count,
    ),
}
APPOINTMENT: dict[str, Check] = {
    "appointment_id": is_id,
    "doctor_id": is_id,
    "patient_id": is_id,
    "starts_at": is_time,
    "duration_minutes": lambda value: is_count(value) and 5 <= value <= 480,
    "modality": one_of("text", "voice", "video"),
    "user_timezone": is_text,
    "status": one_of("pending", "confirmed", "reschedule_proposed", "cancelled", "completed", "no_show"),
    "created_at": is_time,
    "expires_at": maybe(is_time),
    "cancelled_by": maybe(one_of("patient", "doctor", "admin", "system")),
    "cancellation_reason": maybe(is_text),
    "proposed_starts_at": maybe(is_time),
    "status_before_proposal": maybe(one_of("pending", "confirmed")),
    "absent": maybe(one_of("patient", "doctor", "both")),
}
TIME_OFF: dict[str, Check] = {
    "time_off_id": is_id,
    "doctor_id": is_id,
    "starts_at": is_time,
    "ends_at": is_time,
    "status": one_of("blocked", "unblocked"),
    "created_at": is_time,
}
REJECTED: dict[str, Check] = {
    "command": is_text,
    "status_code": one_of(403, 404, 409, 422),
    "reason": is_text,
    "message": is_text,
    "doctor_id": is_id,
}


def is_conflict(**more: Check) -> Check:
    """An appointment in the way, or a time off."""
    held = {"starts_at": is_time, "ends_at": is_time, **more}
    by_appointment, by_time_off = is_like(appointment_id=is_id, **held), is_like(time_off_id=is_id, **held)
    return lambda value: by_appointment(value) or by_time_off(value)


CONFLICT = is_conflict()
WRONG_STATUS = is_conflict(status=is_text, since=is_time, command=is_like(type=is_text, id=is_id))
#: What each event says of the appointment.
AFTER: dict[str, Check] = {
    "booked": lambda value: (value["status"], value["version"]) == ("pending", 1) and value["expires_at"] is not None,
    "imported": lambda value: value["version"] == 1,
    "confirmed": lambda value: (value["status"], value["expires_at"]) == ("confirmed", None),
    "rescheduled": lambda value: (value["status"], value["expires_at"]) == ("confirmed", None),
    "reschedule_proposed": lambda value: value["status"] == "reschedule_proposed" and value["version"] > 1,
    "reschedule_rejected": lambda value: value["status"] in {"pending", "confirmed"},
    "reschedule_withdrawn": lambda value: value["status"] in {"pending", "confirmed"},
    "completed": lambda value: value["status"] == "completed",
    "no_show": lambda value: value["status"] == "no_show" and value["absent"] is not None,
    "declined": lambda value: (value["status"], value["cancelled_by"], value["expires_at"]) == ("cancelled", "doctor", None),
    "cancelled": lambda value: value["status"] == "cancelled" and value["cancelled_by"] in {"patient", "doctor", "admin"},
    "expired": lambda value: (
        (value["status"], value["cancelled_by"]) == ("cancelled", "system")
        and value["cancellation_reason"].startswith("Automatically expired - ")
    ),
    "expiring": lambda value: value["status"] == "pending",
    "blocked": lambda value: (value["status"], value["version"]) == ("blocked", 1),
    "unblocked": lambda value: (value["status"], value["version"]) == ("unblocked", 2),
}


def assert_keeps_to_the_contract(value: dict[str, Any]) -> None:
    service, entity, word, v1 = value["type"].split(".")
    assert (service, v1) == ("booking", "v1")
    state, own_id = (APPOINTMENT, "appointment_id") if entity == "appointment" else (TIME_OFF, "time_off_id")
    if word == "rejected":
        fields = ENVELOPE | REJECTED | {own_id: is_id}
        if value["reason"] in {"slot_already_booked", "patient_already_booked"}:
            fields["conflict"] = CONFLICT
        if value["reason"] == "wrong_status":
            fields["conflict"] = WRONG_STATUS
        assert value.keys() - {"patient_id"} == fields.keys()
    else:
        fields = ENVELOPE | state
        assert value.keys() == fields.keys()
        assert AFTER[word](value), value
    if entity == "appointment" and word != "rejected":
        is_proposed = value["status"] == "reschedule_proposed"
        assert is_proposed == (value["proposed_starts_at"] is not None) == (value["status_before_proposal"] is not None)
        assert (value["expires_at"] is not None) == (value["status"] in {"pending", "reschedule_proposed"})
    for name, check in fields.items():
        assert check(value[name]), (name, value[name])
    assert list(value)[:3] == ["type", "id", "time"]
    assert (value["decision"]["index"] == 0) or word == "expired"


@settings(max_examples=120, deadline=None)
@given(days)
def test_every_event_keeps_to_the_contract(day: list[Received]) -> None:
    for command, events in zip(day, Shelf().decide(day), strict=True):
        for index, event in enumerate(events):
            message = encode_event(event, cause=command, index=index, service="booking", topic="t", decided_at="2030-01-01T00:00:00Z")
            assert_keeps_to_the_contract(orjson.loads(message.value or b""))
            assert message.key == event.key.encode()


def test_the_schema_of_this_test_can_fail() -> None:
    event = Shelf().decide([received()])[0][0]
    message = encode_event(
        event, cause=received(at=NOW + hours(1)), index=0, service="booking", topic="t", decided_at="2030-01-01T00:00:00Z"
    )
    good = orjson.loads(message.value or b"")
    assert_keeps_to_the_contract(good)
    for change in ({"status": "confirmed"}, {"expires_at": "tomorrow"}, {"patient_id": "Jane Doe"}, {"extra": 1}, {"version": None}):
        try:
            assert_keeps_to_the_contract(good | change)
        except (AssertionError, ValueError):
            continue
        message_of_failure = f"{change} was not noticed"
        raise AssertionError(message_of_failure)
