"""A notification's story, and a recipient's preferences."""

from typing import Any, Final

_NOTIFICATION_ID: Final = "ntf_5f0c6a1be7c94d0d8f4b3a2e1d0c9b8a"
_APPOINTMENT_ID: Final = "apt_7271b9fe-e6c9-5e0d-a3b6-a23cb86dceee"
_PATIENT: Final = {"role": "patient", "id": "patient-1"}
_ABOUT: Final = {"entity": "appointment", "entity_id": _APPOINTMENT_ID, "version": 2}
_ACCEPTED_AT: Final = "2030-01-07T12:30:00.050000Z"
_CHOICES: Final = {"email": True, "push": True, "sms": False, "chat": True, "in_app": True}
_QUIET_HOURS: Final = {"start": "22:00", "end": "07:00", "timezone": "Africa/Blantyre"}

_NAMED: Final = {"notification_id": _NOTIFICATION_ID, "recipient_id": "patient-1"}


def _delivery(channel: str, status: str, reason: str | None = None, attempts: int = 0) -> dict[str, Any]:
    return {"channel": channel, "status": status, "reason": reason, "attempts": attempts}


_ACCEPTED: Final = _NAMED | {
    "time": _ACCEPTED_AT,
    "version": 1,
    "template": "appointment_confirmed",
    "priority": "normal",
    "about": _ABOUT,
    "channel": None,
    "reason": None,
    "deliveries": [_delivery("in_app", "sent"), _delivery("email", "waiting")],
    "accepted_at": _ACCEPTED_AT,
    "read_at": None,
}

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "notify.notification.send.v1": _NAMED
    | {
        "template": "appointment_confirmed",
        "params": {
            "appointment_id": _APPOINTMENT_ID,
            "doctor_id": "doctor-7",
            "patient_id": "patient-1",
            "starts_at": "2030-01-09T09:00:00Z",
            "duration_minutes": 30,
            "modality": "video",
            "user_timezone": "Africa/Blantyre",
        },
        "priority": "normal",
        "about": _ABOUT,
    },
    "notify.notification.record_delivery.v1": _NAMED | {"channel": "email", "status": "sent", "attempts": 1},
    "notify.notification.mark_read.v1": _NAMED | {"actor": _PATIENT},
    "notify.preferences.set.v1": {"recipient_id": "patient-1", "channels": _CHOICES, "quiet_hours": _QUIET_HOURS, "actor": _PATIENT},
    "notify.notification.accepted.v1": _ACCEPTED,
    "notify.notification.suppressed.v1": _ACCEPTED | {"reason": "opted_out", "deliveries": []},
    "notify.notification.sent.v1": _ACCEPTED
    | {
        "time": "2030-01-07T12:30:01Z",
        "version": 2,
        "channel": "email",
        "deliveries": [_delivery("in_app", "sent"), _delivery("email", "sent", attempts=1)],
    },
    "notify.notification.unsent.v1": _ACCEPTED
    | {
        "time": "2030-01-07T13:30:00Z",
        "version": 2,
        "channel": "email",
        "reason": "refused",
        "deliveries": [_delivery("in_app", "sent"), _delivery("email", "unsent", "refused", attempts=1)],
    },
    "notify.notification.read.v1": _ACCEPTED
    | {
        "time": "2030-01-07T18:00:00Z",
        "version": 3,
        "channel": "in_app",
        "deliveries": [_delivery("in_app", "sent"), _delivery("email", "sent", attempts=1)],
        "read_at": "2030-01-07T18:00:00Z",
    },
    "notify.notification.rejected.v1": {
        "time": "2030-01-07T18:00:00Z",
        "version": 0,
        "command": "notify.notification.mark_read.v1",
        "status_code": 404,
        "reason": "notification_not_found",
        "message": "The recipient has no notification with this id.",
    }
    | _NAMED,
    "notify.preferences.changed.v1": {
        "time": "2030-01-05T10:00:00Z",
        "version": 1,
        "recipient_id": "patient-1",
        "channels": _CHOICES,
        "quiet_hours": _QUIET_HOURS,
    },
    "notify.preferences.rejected.v1": {
        "time": "2030-01-05T10:00:00Z",
        "version": 1,
        "command": "notify.preferences.set.v1",
        "status_code": 403,
        "reason": "not_a_party",
        "message": "Only the recipient, or an administrator, can do that.",
        "recipient_id": "patient-1",
    },
}
