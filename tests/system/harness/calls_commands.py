"""Commands about calls and text sessions as the contract words them, made without any of the project's own models."""

from typing import Any, Final

from tests.system.harness.commands import Message, command

PATIENT: Final = "patient"
DOCTOR: Final = "doctor"


def start(
    call_id: str | None, doctor: str, patient: str, identifier: str, *, by: str = PATIENT, appointment_id: str | None = None
) -> Message:
    """Ring the other party."""
    data = _parties(doctor, patient, by) | {"patient_id": patient, "modality": "video"}
    return command("calls.call.start.v1", data | _given(call_id=call_id, appointment_id=appointment_id), identifier=identifier)


def on_call(action: str, call_id: str, doctor: str, patient: str, identifier: str, *, by: str = PATIENT, **more: Any) -> Message:
    """Connect, decline, cancel, disconnect, reconnect or end."""
    data = {"call_id": call_id, **_parties(doctor, patient, by), **more}
    return command(f"calls.call.{action}.v1", data, identifier=identifier)


def text_start(session_id: str | None, doctor: str, patient: str, identifier: str, *, appointment_id: str | None = None) -> Message:
    """Open a text session."""
    data = _parties(doctor, patient, PATIENT) | {"patient_id": patient}
    return command(
        "calls.text_session.start.v1", data | _given(session_id=session_id, appointment_id=appointment_id), identifier=identifier
    )


def activity(session_id: str, doctor: str, patient: str, identifier: str, *, by: str = DOCTOR) -> Message:
    """A party writes."""
    return command(
        "calls.text_session.record_activity.v1", {"session_id": session_id, **_parties(doctor, patient, by)}, identifier=identifier
    )


def text_end(session_id: str, doctor: str, patient: str, identifier: str, *, by: str = PATIENT) -> Message:
    """Close a text session."""
    return command("calls.text_session.end.v1", {"session_id": session_id, **_parties(doctor, patient, by)}, identifier=identifier)


def _parties(doctor: str, patient: str, by: str) -> dict[str, Any]:
    return {"doctor_id": doctor, "actor": {"role": by, "id": doctor if by == DOCTOR else patient}}


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}
