"""Commands as the contract words them, made without any of the project's own models."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

SOURCE = "/tests"
#: The start of slot 0.
BASE = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0) + timedelta(days=3)
_SLOT = timedelta(minutes=30)

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A record to publish; without a partition the key decides."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None

    def on(self, partition: int) -> "Message":
        """The same, on this partition."""
        return replace(self, partition=partition)


def slot(number: int) -> str:
    """The start of the n-th half hour from a morning three days ahead."""
    return (BASE + number * _SLOT).isoformat().replace("+00:00", "Z")


def in_seconds(seconds: float) -> str:
    """A start so long after now."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def command(type_: str, data: dict[str, Any], *, identifier: str, source: str = SOURCE, key: str = "doctor_id") -> Message:
    """A command in binary mode."""
    headers = {"content-type": "application/json", "ce_specversion": "1.0", "ce_id": identifier, "ce_source": source, "ce_type": type_}
    return Message(
        key=str(data[key]).encode(),
        value=json.dumps(data).encode(),
        headers=tuple((name, value.encode()) for name, value in headers.items()),
    )


def structured(type_: str, data: dict[str, Any], *, identifier: str, source: str = SOURCE) -> Message:
    """A command in structured mode: one line of JSON, no header at all."""
    envelope = {"specversion": "1.0", "id": identifier, "source": source, "type": type_, "data": data}
    return Message(key=str(data["doctor_id"]).encode(), value=json.dumps(envelope).encode())


def book_data(doctor: str, patient: str, starts_at: str, *, appointment_id: str | None = None, minutes: int = 30) -> dict[str, Any]:
    """What asks for a slot."""
    data: dict[str, Any] = {
        "doctor_id": doctor,
        "patient_id": patient,
        "starts_at": starts_at,
        "duration_minutes": minutes,
        "modality": "video",
        "actor": {"role": "patient", "id": patient},
    }
    return data if appointment_id is None else data | {"appointment_id": appointment_id}


def book(doctor: str, patient: str, starts_at: str, identifier: str, appointment_id: str | None = None, minutes: int = 30) -> Message:
    """Ask for a slot."""
    return command(
        "booking.appointment.book.v1",
        book_data(doctor, patient, starts_at, appointment_id=appointment_id, minutes=minutes),
        identifier=identifier,
    )


def confirm(appointment_id: str, doctor: str, identifier: str) -> Message:
    """The doctor takes it."""
    return _by_doctor("confirm", appointment_id, doctor, identifier)


def decline(appointment_id: str, doctor: str, identifier: str) -> Message:
    """The doctor turns it down."""
    return _by_doctor("decline", appointment_id, doctor, identifier)


def cancel(appointment_id: str, doctor: str, identifier: str, *, patient: str) -> Message:
    """The patient calls it off."""
    return _by_patient("cancel", appointment_id, doctor, identifier, patient)


def call_off(appointment_id: str, doctor: str, identifier: str) -> Message:
    """The doctor calls it off."""
    return _by_doctor("cancel", appointment_id, doctor, identifier)


def propose(appointment_id: str, doctor: str, starts_at: str, identifier: str) -> Message:
    """The doctor asks for another time."""
    return _by_doctor("propose_reschedule", appointment_id, doctor, identifier, starts_at=starts_at)


def withdraw(appointment_id: str, doctor: str, identifier: str) -> Message:
    """The doctor takes the proposal back."""
    return _by_doctor("withdraw_reschedule", appointment_id, doctor, identifier)


def accept(appointment_id: str, doctor: str, identifier: str, *, patient: str) -> Message:
    """The patient takes the proposed time."""
    return _by_patient("accept_reschedule", appointment_id, doctor, identifier, patient)


def reject(appointment_id: str, doctor: str, identifier: str, *, patient: str) -> Message:
    """The patient keeps the old time."""
    return _by_patient("reject_reschedule", appointment_id, doctor, identifier, patient)


def complete(appointment_id: str, doctor: str, identifier: str) -> Message:
    """The system has seen that it took place."""
    data = {"appointment_id": appointment_id, "doctor_id": doctor, "actor": {"role": "system", "id": "calls"}}
    return command("booking.appointment.complete.v1", data, identifier=identifier)


def mark_no_show(appointment_id: str, doctor: str, identifier: str) -> Message:
    """The patient did not come."""
    return _by_doctor("mark_no_show", appointment_id, doctor, identifier, absent="patient")


def take_in(doctor: str, patient: str, starts_at: str, identifier: str, appointment_id: str, *, status: str = "confirmed") -> Message:
    """An appointment that was made elsewhere."""
    data = book_data(doctor, patient, starts_at, appointment_id=appointment_id)
    made = {"status": status, "created_at": slot(-1000), "actor": {"role": "admin", "id": "admin"}}
    return command("booking.appointment.import.v1", data | made, identifier=identifier)


def block(time_off_id: str, doctor: str, starts_at: str, ends_at: str, identifier: str) -> Message:
    """The doctor sees nobody in this time."""
    data = {"time_off_id": time_off_id, "doctor_id": doctor, "starts_at": starts_at, "ends_at": ends_at}
    return command("booking.time_off.block.v1", data | {"actor": {"role": "doctor", "id": doctor}}, identifier=identifier)


def unblock(time_off_id: str, doctor: str, identifier: str) -> Message:
    """The time is free again."""
    data = {"time_off_id": time_off_id, "doctor_id": doctor, "actor": {"role": "doctor", "id": doctor}}
    return command("booking.time_off.unblock.v1", data, identifier=identifier)


def _by_patient(action: str, appointment_id: str, doctor: str, identifier: str, patient: str) -> Message:
    data = {"appointment_id": appointment_id, "doctor_id": doctor, "actor": {"role": "patient", "id": patient}}
    return command(f"booking.appointment.{action}.v1", data, identifier=identifier)


def _by_doctor(action: str, appointment_id: str, doctor: str, identifier: str, **more: str) -> Message:
    data = {"appointment_id": appointment_id, "doctor_id": doctor, **more, "actor": {"role": "doctor", "id": doctor}}
    return command(f"booking.appointment.{action}.v1", data, identifier=identifier)
