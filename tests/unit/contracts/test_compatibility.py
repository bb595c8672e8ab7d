"""What may change within v1, and what may not: each kind of change on the real contract."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from shared.contracts.compatibility import breaks
from shared.contracts.schemas import documents

Schemas = dict[str, Any]
RELEASED = documents()
BOOK, BOOKED, REJECTED, SEND = (
    "booking.appointment.book.v1",
    "booking.appointment.booked.v1",
    "booking.appointment.rejected.v1",
    "notify.notification.send.v1",
)
TEXT = {"type": "string"}
MAYBE_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}


def after(change: Callable[[Schemas], object]) -> list[str]:
    current = deepcopy(RELEASED)
    change(current)
    return breaks(RELEASED, current)


def fields(schemas: Schemas, type_: str, part: str | None = None) -> Schemas:
    return dict_of(schemas[type_] if part is None else schemas[type_]["$defs"][part], "properties")


def dict_of(schema: Schemas, name: str) -> Schemas:
    found: Schemas = schema[name]
    return found


def require(schema: Schemas, field: str) -> object:
    return schema.update(required=[*schema["required"], field])


def relax(schema: Schemas, field: str) -> None:
    schema["required"] = [name for name in schema["required"] if name != field]


HARMLESS: dict[str, Callable[[Schemas], object]] = {
    "nothing": lambda _: None,
    "a new command": lambda s: s.update({"booking.appointment.transfer.v1": s[BOOK]}),
    "a new event": lambda s: s.update({"booking.appointment.transferred.v1": s[BOOKED]}),
    "another description": lambda s: fields(s, BOOK)["doctor_id"].update(description="Whose?"),
    "a command gains an optional field": lambda s: fields(s, BOOK).update(note_code=MAYBE_TEXT),
    "a part of a command gains an optional field": lambda s: fields(s, BOOK, "Actor").update(on_behalf_of=MAYBE_TEXT),
    "a command needs a field no longer": lambda s: relax(s[BOOK], "modality"),
    "a command's enumeration grows": lambda s: s[BOOK]["$defs"]["Modality"]["enum"].append("chat"),
    "a command's bound is widened": lambda s: fields(s, BOOK)["duration_minutes"].update(maximum=600, minimum=1),
    "a command's pattern falls": lambda s: fields(s, BOOK)["doctor_id"].pop("pattern"),
    "a command's field may be null": lambda s: fields(s, BOOK).update(
        patient_id={"anyOf": [fields(s, BOOK)["patient_id"], {"type": "null"}]}
    ),
    "an event gains a field": lambda s: fields(s, BOOKED).update(room=TEXT),
    "an event gains a field that is always there": lambda s: (fields(s, BOOKED).update(room=TEXT), require(s[BOOKED], "room")),
    "a part of an event gains a field": lambda s: fields(s, BOOKED, "Decision").update(worker=TEXT),
    "an event's field is always there now": lambda s: require(s[REJECTED], "doctor_id"),
    "an event's field is never null now": lambda s: fields(s, BOOKED).update(expires_at=fields(s, BOOKED)["expires_at"]["anyOf"][0]),
    "an event's enumeration shrinks": lambda s: s[BOOKED]["$defs"]["AppointmentStatus"]["enum"].pop(),
    "a reason is added to a refusal": lambda s: s[REJECTED]["$defs"]["AppointmentReason"]["enum"].append("doctor_on_the_moon"),
}

BREAKING: dict[str, tuple[Callable[[Schemas], object], str]] = {
    "a command is gone": (lambda s: s.pop(BOOK), f"{BOOK} is gone"),
    "an event is gone": (lambda s: s.pop(BOOKED), f"{BOOKED} is gone"),
    "a command loses a field": (lambda s: fields(s, BOOK).pop("user_timezone"), f"{BOOK}.user_timezone is not accepted any more"),
    "a command gains a field that is needed": (
        lambda s: (fields(s, BOOK).update(room=TEXT), require(s[BOOK], "room")),
        f"{BOOK}.room may be missing on one side, and not on the other",
    ),
    "a command needs a field that it did not need": (
        lambda s: require(s[BOOK], "duration_minutes"),
        f"{BOOK}.duration_minutes may be missing on one side, and not on the other",
    ),
    "a part of a command loses a field": (lambda s: fields(s, BOOK, "Actor").pop("id"), f"{BOOK}.actor.id is not accepted any more"),
    "a command's enumeration shrinks": (
        lambda s: s[BOOK]["$defs"]["Modality"]["enum"].remove("text"),
        f"{BOOK}.modality: text is not known there",
    ),
    "a command's bound is tightened": (
        lambda s: fields(s, BOOK)["duration_minutes"].update(maximum=240),
        f"{BOOK}.duration_minutes: maximum 480 lets more through than 240",
    ),
    "a command gains a bound": (
        lambda s: fields(s, BOOK)["user_timezone"].update(minLength=3),
        f"{BOOK}.user_timezone: minLength unbounded lets more through than 3",
    ),
    "a command's pattern changes": (lambda s: fields(s, BOOK)["doctor_id"].update(pattern="^d"), f"{BOOK}.doctor_id: pattern"),
    "a command's field has another type": (
        lambda s: fields(s, BOOK).update(duration_minutes=TEXT),
        f"{BOOK}.duration_minutes: integer is not string",
    ),
    "a command's field may not be null any more": (
        lambda s: fields(s, BOOK)["appointment_id"].update(anyOf=fields(s, BOOK)["appointment_id"]["anyOf"][:1]),
        f"{BOOK}.appointment_id: null (alternative 2) is not among what is known there",
    ),
    "a command's default changes": (
        lambda s: fields(s, BOOK)["duration_minutes"].update(default=60),
        f"{BOOK}.duration_minutes is 60 when it is left out, and not 30",
    ),
    "fewer params of a command": (
        lambda s: fields(s, SEND)["params"].update(maxProperties=8),
        f"{SEND}.params: maxProperties 32 lets more through",
    ),
    "a command's params of fewer kinds": (
        lambda s: next(iter(fields(s, SEND)["params"]["patternProperties"].values()))["anyOf"].pop(0),
        f"{SEND}.params.*: string (alternative 1) is not among what is known there",
    ),
    "a command with another key": (lambda s: s[BOOK].update({"x-key": "patient_id"}), f"{BOOK} is keyed by another field"),
    "a command with another outcome": (lambda s: s[BOOK]["x-outcomes"].append(BOOKED), f"{BOOK} comes to other outcomes"),
    "a message in another topic": (lambda s: s[BOOKED].update({"x-topic": "booking.state.v1"}), f"{BOOKED} lies in another topic"),
    "an event loses a field": (lambda s: fields(s, BOOKED).pop("modality"), f"{BOOKED}.modality is gone"),
    "a part of an event loses a field": (lambda s: fields(s, BOOKED, "Decision").pop("offset"), f"{BOOKED}.decision.offset is gone"),
    "an event's field may be missing": (lambda s: relax(s[BOOKED], "patient_id"), f"{BOOKED}.patient_id may be missing on one side"),
    "an event's field may be null": (
        lambda s: fields(s, BOOKED).update(patient_id={"anyOf": [fields(s, BOOKED)["patient_id"], {"type": "null"}]}),
        f"{BOOKED}.patient_id: null (alternative 2) is not among what is known there",
    ),
    "an event's enumeration grows": (
        lambda s: s[BOOKED]["$defs"]["AppointmentStatus"]["enum"].append("teleported"),
        f"{BOOKED}.status: teleported is not known there",
    ),
    "an event's bound is widened": (
        lambda s: fields(s, BOOKED)["duration_minutes"].update(maximum=600),
        f"{BOOKED}.duration_minutes: maximum 600 lets more through than 480",
    ),
    "an event's pattern falls": (lambda s: fields(s, BOOKED)["doctor_id"].pop("pattern"), f"{BOOKED}.doctor_id: pattern anything is not"),
    "an event's field has another type": (
        lambda s: fields(s, BOOKED).update(duration_minutes=TEXT),
        f"{BOOKED}.duration_minutes: string is not integer",
    ),
    "a word that nobody here understands": (
        lambda s: fields(s, BOOK)["doctor_id"].update({"not": {"const": "doctor-13"}}),
        f"{BOOK}.doctor_id: not has changed",
    ),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS.keys())
def test_growing_breaks_nobody(change: Callable[[Schemas], object]) -> None:
    assert after(change) == []


@pytest.mark.parametrize("change, sentence", BREAKING.values(), ids=BREAKING.keys())
def test_what_breaks_somebody_is_named(change: Callable[[Schemas], object], sentence: str) -> None:
    problems = after(change)
    assert [problem for problem in problems if problem.startswith(sentence)], problems


def test_one_break_is_told_once() -> None:
    assert len(after(lambda s: s[BOOKED]["$defs"]["Modality"]["enum"].append("teleported"))) == 1
    assert len(after(lambda s: fields(s, BOOK)["duration_minutes"].update(maximum=240))) == 1
