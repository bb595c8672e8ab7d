"""Billing's commands, and what calls tell of a call, as the contract words them, made without any of the project's own models."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.system.harness.commands import Message, command

RATES = {"MWK": {"text": 400_000, "voice": 400_000, "video": 400_000}}


def text_of(moment: datetime) -> str:
    """A moment on the wire."""
    return moment.isoformat().replace("+00:00", "Z")


def moment_of(text: str) -> datetime:
    """A moment from the wire."""
    return datetime.fromisoformat(text)


def activate(
    subscription_id: str,
    patient: str,
    identifier: str,
    *,
    starts_at: datetime | None = None,
    lasts: timedelta = timedelta(days=30),
    currency: str = "MWK",
    **units: int,
) -> Message:
    """A payment gives a patient units."""
    data: dict[str, Any] = {
        "subscription_id": subscription_id,
        "patient_id": patient,
        "units": units,
        "currency": currency,
        "ends_at": text_of(datetime.now(UTC) + lasts),
        "actor": {"role": "system", "id": "payments"},
    }
    if starts_at is not None:
        data["starts_at"] = text_of(starts_at)
    return _of_patient("activate", data, identifier)


def cancel_subscription(subscription_id: str, patient: str, identifier: str) -> Message:
    """The patient ends it."""
    data = {"subscription_id": subscription_id, "patient_id": patient, "actor": {"role": "patient", "id": patient}}
    return _of_patient("cancel", data, identifier)


def _of_patient(action: str, data: dict[str, Any], identifier: str) -> Message:
    message = command(f"billing.subscription.{action}.v1", data | {"doctor_id": "nobody"}, identifier=identifier)
    return replace(message, key=data["patient_id"].encode(), value=json.dumps(data).encode())


def deduct(session_id: str, unit: int, doctor: str, patient: str, identifier: str, *, modality: str = "voice") -> Message:
    """Somebody asks for a unit."""
    data = {"session_id": session_id, "unit": unit, "doctor_id": doctor, "patient_id": patient, "modality": modality}
    return command("billing.session_unit.deduct.v1", data, identifier=identifier)


def reverse(deduction_id: str, doctor: str, identifier: str) -> Message:
    """An administrator gives a unit back."""
    data = {
        "deduction_id": deduction_id,
        "doctor_id": doctor,
        "actor": {"role": "admin", "id": "admin-1"},
        "reason_code": "complaint",
    }
    return command("billing.session_unit.reverse.v1", data, identifier=identifier)


def call_event(
    word: str,
    version: int,
    call_id: str,
    doctor: str,
    patient: str,
    *,
    connected_at: datetime,
    ended_at: datetime | None = None,
    ended_by: str | None = None,
) -> Message:
    """What calls publish of a voice call: ``connected`` or ``ended``."""
    identifier, time = f"{call_id}-{version}", text_of(ended_at or connected_at)
    value = {
        "type": f"calls.call.{word}.v1",
        "id": identifier,
        "time": time,
        "call_id": call_id,
        "appointment_id": None,
        "doctor_id": doctor,
        "patient_id": patient,
        "modality": "voice",
        "status": word,
        "started_by": "patient",
        "started_at": text_of(connected_at),
        "deadline_at": None,
        "connected_at": text_of(connected_at),
        "disconnected_at": None,
        "ended_at": text_of(ended_at) if ended_at is not None else None,
        "ended_by": ended_by,
        "reason": None if ended_at is None else "ended_by_party",
        "failure_reason": None,
        "is_connected": ended_at is None,
        "connected_seconds": 0 if ended_at is None else (ended_at - connected_at).total_seconds(),
        "version": version,
        "decision": {
            "decided_at": time,
            "index": 0,
            "command": {
                "source": "/tests",
                "id": f"of-{identifier}",
                "type": f"calls.call.{'connect' if word == 'connected' else 'end'}.v1",
            },
            "topic": "calls.commands.v1",
            "partition": 0,
            "offset": version,
        },
    }
    headers = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": identifier,
        "ce_source": "/caremesh/calls",
        "ce_type": str(value["type"]),
        "ce_time": time,
        "ce_subject": call_id,
        "ce_partitionkey": doctor,
        "ce_correlationid": identifier,
        "ce_causationid": f"of-{identifier}",
    }
    encoded = tuple((name, text.encode()) for name, text in headers.items())
    return Message(key=doctor.encode(), value=json.dumps(value).encode(), headers=encoded)
