"""A call's story and a text session's: how each begins, goes on and is over."""

from typing import Any, Final

_CALL_ID: Final = "call_0f3c8a52-9d0e-5a3c-9a55-1c3f6d2b7e10"
_SESSION_ID: Final = "ses_4b1de0f6-7a57-5d0b-8f7a-55c9d3a1b2c3"
_PATIENT: Final = {"role": "patient", "id": "patient-1"}
_DOCTOR: Final = {"role": "doctor", "id": "doctor-7"}
_APPOINTMENT_ID: Final = "apt_7271b9fe-e6c9-5e0d-a3b6-a23cb86dceee"
_STARTED_AT: Final = "2030-01-09T09:00:00Z"

_CALL: Final = {"call_id": _CALL_ID, "doctor_id": "doctor-7"}
_SESSION: Final = {"session_id": _SESSION_ID, "doctor_id": "doctor-7"}
#: As it stands when it was started.
_CONNECTING: Final = {
    "time": _STARTED_AT,
    "version": 1,
    "call_id": _CALL_ID,
    "appointment_id": _APPOINTMENT_ID,
    "doctor_id": "doctor-7",
    "patient_id": "patient-1",
    "modality": "video",
    "status": "connecting",
    "started_by": "doctor",
    "started_at": _STARTED_AT,
    "connected_at": None,
    "disconnected_at": None,
    "deadline_at": "2030-01-09T09:01:30Z",
    "ended_at": None,
    "ended_by": None,
    "reason": None,
    "failure_reason": None,
    "is_connected": False,
    "connected_seconds": 0,
}
_CONNECTED: Final = _CONNECTING | {
    "time": "2030-01-09T09:00:12Z",
    "version": 2,
    "status": "connected",
    "connected_at": "2030-01-09T09:00:12Z",
    "deadline_at": None,
    "is_connected": True,
}
_WAITING: Final = {
    "time": _STARTED_AT,
    "version": 1,
    "session_id": _SESSION_ID,
    "appointment_id": None,
    "doctor_id": "doctor-7",
    "patient_id": "patient-1",
    "status": "waiting",
    "started_by": "patient",
    "started_at": _STARTED_AT,
    "activated_at": None,
    "last_activity_at": None,
    "deadline_at": "2030-01-09T09:05:00Z",
    "ended_at": None,
    "ended_by": None,
    "reason": None,
    "patient_activity_count": 0,
    "doctor_activity_count": 0,
    "active_seconds": 0,
}
_ACTIVE: Final = _WAITING | {
    "time": "2030-01-09T09:02:00Z",
    "version": 3,
    "status": "active",
    "activated_at": "2030-01-09T09:02:00Z",
    "last_activity_at": "2030-01-09T09:02:00Z",
    "deadline_at": "2030-01-09T09:22:00Z",
    "patient_activity_count": 1,
    "doctor_activity_count": 1,
}


def _over(before: dict[str, Any], at: str, by: str, reason: str, **more: object) -> dict[str, Any]:
    state = before | {"time": at, "version": before["version"] + 1, "deadline_at": None, "ended_at": at, "ended_by": by, "reason": reason}
    return state | more


EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "calls.call.start.v1": {
        "appointment_id": _APPOINTMENT_ID,
        "doctor_id": "doctor-7",
        "patient_id": "patient-1",
        "modality": "video",
        "actor": _DOCTOR,
    },
    "calls.call.connect.v1": _CALL | {"actor": _PATIENT},
    "calls.call.decline.v1": _CALL | {"actor": _PATIENT},
    "calls.call.cancel.v1": _CALL | {"actor": _DOCTOR},
    "calls.call.disconnect.v1": _CALL | {"actor": _PATIENT},
    "calls.call.reconnect.v1": _CALL | {"actor": _PATIENT},
    "calls.call.end.v1": _CALL | {"actor": _DOCTOR},
    "calls.call.time_out.v1": dict(_CALL),
    "calls.text_session.start.v1": {"doctor_id": "doctor-7", "patient_id": "patient-1", "actor": _PATIENT},
    "calls.text_session.record_activity.v1": _SESSION | {"actor": _DOCTOR},
    "calls.text_session.end.v1": _SESSION | {"actor": _PATIENT},
    "calls.text_session.time_out.v1": dict(_SESSION),
    "calls.call.started.v1": _CONNECTING,
    "calls.call.connected.v1": _CONNECTED,
    "calls.call.declined.v1": _over(_CONNECTING, "2030-01-09T09:00:20Z", "patient", "declined", status="declined"),
    "calls.call.cancelled.v1": _over(_CONNECTING, "2030-01-09T09:00:20Z", "doctor", "cancelled", status="cancelled"),
    "calls.call.reconnecting.v1": _CONNECTED
    | {
        "time": "2030-01-09T09:10:12Z",
        "version": 3,
        "status": "reconnecting",
        "disconnected_at": "2030-01-09T09:10:12Z",
        "deadline_at": "2030-01-09T09:11:12Z",
        "is_connected": False,
        "connected_seconds": 600,
    },
    "calls.call.reconnected.v1": _CONNECTED | {"time": "2030-01-09T09:10:30Z", "version": 4, "connected_seconds": 618},
    "calls.call.ended.v1": _over(
        _CONNECTED,
        "2030-01-09T09:20:12Z",
        "doctor",
        "ended_by_party",
        status="ended",
        is_connected=False,
        connected_seconds=1200,
    ),
    "calls.call.failed.v1": _over(
        _CONNECTING,
        "2030-01-09T09:01:30Z",
        "system",
        "connect_timeout",
        status="failed",
        failure_reason="Connection timeout after 90 seconds",
        sessions_used=0,
    ),
    "calls.session.state.v1": {
        "time": "2030-01-09T09:00:12Z",
        "version": 2,
        "session_id": _CALL_ID,
        "modality": "video",
        "status": "connected",
        "appointment_id": _APPOINTMENT_ID,
        "doctor_id": "doctor-7",
        "patient_id": "patient-1",
        "started_by": "doctor",
        "started_at": _STARTED_AT,
        "deadline_at": None,
        "ended_at": None,
        "ended_by": None,
        "reason": None,
        "connected_at": "2030-01-09T09:00:12Z",
        "disconnected_at": None,
        "failure_reason": None,
        "activated_at": None,
        "last_activity_at": None,
        "patient_activity_count": None,
        "doctor_activity_count": None,
    },
    "calls.call.rejected.v1": {
        "time": "2030-01-09T09:30:00Z",
        "version": 3,
        "command": "calls.call.connect.v1",
        "status_code": 403,
        "reason": "not_a_party",
        "message": "Only the patient or the doctor of this call can do that.",
        "call_id": _CALL_ID,
        "doctor_id": "doctor-7",
    },
    "calls.text_session.started.v1": _WAITING,
    "calls.text_session.activity_recorded.v1": _ACTIVE
    | {"time": "2030-01-09T09:03:00Z", "version": 4, "patient_activity_count": 2, "active_seconds": 60}
    | {"last_activity_at": "2030-01-09T09:03:00Z", "deadline_at": "2030-01-09T09:23:00Z"},
    "calls.text_session.activated.v1": _ACTIVE,
    "calls.text_session.ended.v1": _over(_ACTIVE, "2030-01-09T09:12:00Z", "patient", "ended_by_party", status="ended", active_seconds=600),
    "calls.text_session.expired.v1": _over(_WAITING, "2030-01-09T09:05:00Z", "system", "no_answer", status="expired", sessions_used=0),
    "calls.text_session.rejected.v1": {
        "time": "2030-01-09T09:06:00Z",
        "version": 2,
        "command": "calls.text_session.record_activity.v1",
        "status_code": 409,
        "reason": "session_not_active",
        "message": "This session is over.",
        "session_id": _SESSION_ID,
        "doctor_id": "doctor-7",
    },
}
