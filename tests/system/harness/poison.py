"""Records that nobody can decide: one kind for each rule of the contract."""

import json
from dataclasses import replace

from tests.system.harness.commands import Message, book, command, slot

_OVER_THE_LIMIT_BYTES = 64 * 1024 + 1


def _header(message: Message, name: str, value: bytes | None) -> Message:
    others = tuple((other, content) for other, content in message.headers if other != name)
    return replace(message, headers=others if value is None else (*others, (name, value)))


def unreadable(number: int) -> dict[str, Message]:
    """Kind → a record from which no command can be read: one dead letter, no event. The number makes it this one and no other."""
    good = book(f"doctor-{number % 7}", f"patient-{number}", slot(number), f"poison-{number}")
    assert good.value is not None
    return {
        "tombstone": replace(good, value=None),
        "no_key": replace(good, key=None),
        "empty_value": replace(good, value=b""),
        "not_json": replace(good, value=b'{"doctor_id": '),
        "not_an_object": replace(good, value=b"[1, 2, 3]"),
        "not_utf8": replace(good, value=b'{"doctor_id": "\xff\xfe"}'),
        "nan": replace(good, value=b"NaN"),
        "too_deep": replace(good, value=b"[" * 5_000 + b"]" * 5_000),
        "too_large": replace(good, value=json.dumps({"filler": "x" * _OVER_THE_LIMIT_BYTES}).encode()),
        "no_id": _header(good, "ce_id", None),
        "id_with_a_space": _header(good, "ce_id", b"not an id"),
        "id_not_utf8": _header(good, "ce_id", b"\xff\xfe"),
        "id_too_long": _header(good, "ce_id", b"x" * 129),
        "no_source": _header(good, "ce_source", None),
        "no_type": _header(good, "ce_type", None),
        "unknown_type": _header(good, "ce_type", b"booking.appointment.teleport.v1"),
        "wrong_specversion": _header(good, "ce_specversion", b"0.3"),
        "no_envelope_at_all": replace(good, headers=()),
        "surrogate": replace(good, value=b'{"doctor_id": "\\ud800"}'),
        "many_headers": replace(good, value=None, headers=tuple((f"filler-{index}", b"y" * 500) for index in range(50))),
    }


def refused_for_its_data(number: int) -> dict[str, Message]:
    """Kind → a readable command with wrong data: one dead letter, and its `rejected` with 422."""
    doctor, patient = f"doctor-{number % 7}", f"patient-{number}"

    def altered(kind: str, **fields: object) -> Message:
        good = book(doctor, patient, slot(number), f"wrong-{kind}-{number}")
        assert good.value is not None
        return replace(good, value=json.dumps(json.loads(good.value) | fields).encode())

    return {
        "key_mismatch": replace(altered("key_mismatch"), key=b"another-doctor"),
        "time_without_offset": altered("time_without_offset", starts_at="2030-01-31T09:30:00"),
        "year_one": altered("year_one", starts_at="0001-01-01T00:00:00+14:00"),
        "year_9999": altered("year_9999", starts_at="9999-12-31T23:59:59-14:00"),
        "not_a_day": altered("not_a_day", starts_at="2030-02-30T09:30:00Z"),
        "huge_integer": altered("huge_integer", duration_minutes=10**26),
        "fraction": altered("fraction", duration_minutes=30.5),
        "negative": altered("negative", duration_minutes=-30),
        "text_for_number": altered("text_for_number", duration_minutes="30"),
        "null_patient": altered("null_patient", patient_id=None),
        "nul_character": altered("nul_character", patient_id="patient\x00"),
        "unknown_field": altered("unknown_field", status="confirmed"),
        "unknown_zone": altered("unknown_zone", user_timezone="Mars/Olympus"),
        "no_actor": altered("no_actor", actor=None),
        "confirm_without_appointment": command(
            "booking.appointment.confirm.v1",
            {"doctor_id": doctor, "actor": {"role": "doctor", "id": doctor}},
            identifier=f"wrong-confirm_without_appointment-{number}",
        ),
    }
