"""One appointment's story, from the wish to what became of it; and a doctor's day off."""

from typing import Any, Final

_APPOINTMENT_ID: Final = "apt_7271b9fe-e6c9-5e0d-a3b6-a23cb86dceee"
_PATIENT: Final = {"role": "patient", "id": "patient-1"}
_DOCTOR: Final = {"role": "doctor", "id": "doctor-7"}
_ADMIN: Final = {"role": "admin", "id": "admin-1"}
_BOOKED_AT: Final = "2030-01-07T12:00:00Z"
_STARTS_AT: Final = "2030-01-09T09:00:00Z"
_ENDS_AT: Final = "2030-01-09T09:30:00Z"
_PROPOSED_STARTS_AT: Final = "2030-01-09T15:00:00Z"

_NAMED: Final = {"appointment_id": _APPOINTMENT_ID, "doctor_id": "doctor-7"}
_TIME_OFF: Final = {
    "time_off_id": "off_doctor-7_2030-02",
    "doctor_id": "doctor-7",
    "starts_at": "2030-02-04T00:00:00Z",
    "ends_at": "2030-02-09T00:00:00Z",
}
#: As it stands when it was booked.
_PENDING: Final = {
    "time": _BOOKED_AT,
    "version": 1,
    "appointment_id": _APPOINTMENT_ID,
    "doctor_id": "doctor-7",
    "patient_id": "patient-1",
    "starts_at": _STARTS_AT,
    "duration_minutes": 30,
    "modality": "video",
    "user_timezone": "Africa/Blantyre",
    "status": "pending",
    "created_at": _BOOKED_AT,
    "expires_at": "2030-01-08T12:00:00Z",
    "cancelled_by": None,
    "cancellation_reason": None,
    "proposed_starts_at": None,
    "status_before_proposal": None,
    "absent": None,
}
_CONFIRMED: Final = _PENDING | {"time": "2030-01-07T12:30:00Z", "version": 2, "status": "confirmed", "expires_at": None}
_PROPOSED: Final = _CONFIRMED | {
    "time": "2030-01-07T13:00:00Z",
    "version": 3,
    "status": "reschedule_proposed",
    "expires_at": _STARTS_AT,
    "proposed_starts_at": _PROPOSED_STARTS_AT,
    "status_before_proposal": "confirmed",
}
_AFTER_PROPOSAL: Final = _CONFIRMED | {"time": "2030-01-07T14:00:00Z", "version": 4}

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "booking.appointment.book.v1": {
        "doctor_id": "doctor-7",
        "patient_id": "patient-1",
        "starts_at": "2030-01-09T11:00:00+02:00",
        "duration_minutes": 30,
        "modality": "video",
        "user_timezone": "Africa/Blantyre",
        "actor": _PATIENT,
    },
    "booking.appointment.import.v1": {
        "appointment_id": "old-4711",
        "doctor_id": "doctor-7",
        "patient_id": "patient-1",
        "starts_at": "2029-12-20T09:00:00Z",
        "duration_minutes": 20,
        "modality": "voice",
        "user_timezone": "UTC",
        "actor": _ADMIN,
        "status": "completed",
        "created_at": "2029-12-18T10:00:00Z",
    },
    "booking.appointment.confirm.v1": _NAMED | {"actor": _DOCTOR},
    "booking.appointment.decline.v1": _NAMED | {"actor": _DOCTOR, "reason_code": "on_leave"},
    "booking.appointment.cancel.v1": _NAMED | {"actor": _PATIENT, "reason_code": "feels_better"},
    "booking.appointment.propose_reschedule.v1": _NAMED | {"starts_at": _PROPOSED_STARTS_AT, "actor": _DOCTOR},
    "booking.appointment.accept_reschedule.v1": _NAMED | {"actor": _PATIENT},
    "booking.appointment.reject_reschedule.v1": _NAMED | {"actor": _PATIENT},
    "booking.appointment.withdraw_reschedule.v1": _NAMED | {"actor": _DOCTOR},
    "booking.appointment.complete.v1": _NAMED | {"actor": _DOCTOR},
    "booking.appointment.mark_no_show.v1": _NAMED | {"absent": "patient", "actor": _DOCTOR},
    "booking.appointment.expire.v1": dict(_NAMED),
    "booking.appointment.warn_expiry.v1": dict(_NAMED),
    "booking.time_off.block.v1": _TIME_OFF | {"actor": _DOCTOR},
    "booking.time_off.unblock.v1": {"time_off_id": _TIME_OFF["time_off_id"], "doctor_id": "doctor-7", "actor": _DOCTOR},
    "booking.appointment.booked.v1": _PENDING,
    "booking.appointment.confirmed.v1": _CONFIRMED,
    "booking.appointment.declined.v1": _CONFIRMED | {"status": "cancelled", "cancelled_by": "doctor", "cancellation_reason": "on_leave"},
    "booking.appointment.cancelled.v1": _CONFIRMED
    | {
        "time": "2030-01-08T08:00:00Z",
        "version": 3,
        "status": "cancelled",
        "cancelled_by": "patient",
        "cancellation_reason": "feels_better",
    },
    "booking.appointment.reschedule_proposed.v1": _PROPOSED,
    "booking.appointment.rescheduled.v1": _AFTER_PROPOSAL | {"starts_at": _PROPOSED_STARTS_AT},
    "booking.appointment.reschedule_rejected.v1": _AFTER_PROPOSAL,
    "booking.appointment.reschedule_withdrawn.v1": _AFTER_PROPOSAL,
    "booking.appointment.completed.v1": _CONFIRMED | {"time": "2030-01-09T09:25:00Z", "version": 3, "status": "completed"},
    "booking.appointment.no_show.v1": _CONFIRMED | {"time": "2030-01-09T09:15:00Z", "version": 3, "status": "no_show", "absent": "patient"},
    "booking.appointment.imported.v1": _PENDING
    | {
        "appointment_id": "old-4711",
        "starts_at": "2029-12-20T09:00:00Z",
        "duration_minutes": 20,
        "modality": "voice",
        "user_timezone": "UTC",
        "status": "completed",
        "created_at": "2029-12-18T10:00:00Z",
        "expires_at": None,
    },
    "booking.appointment.expired.v1": _PENDING
    | {
        "time": "2030-01-08T12:00:00Z",
        "version": 2,
        "status": "cancelled",
        "expires_at": None,
        "cancelled_by": "system",
        "cancellation_reason": "Automatically expired - No doctor response within 24 hours",
    },
    "booking.appointment.expiring.v1": _PENDING | {"time": "2030-01-08T10:00:00Z"},
    "booking.appointment.state.v1": _CONFIRMED,
    "booking.appointment.rejected.v1": {
        "time": "2030-01-07T12:00:01Z",
        "version": 0,
        "command": "booking.appointment.book.v1",
        "status_code": 409,
        "reason": "slot_already_booked",
        "message": "This time slot is already booked. Please select a different time.",
        "conflict": {"appointment_id": _APPOINTMENT_ID, "starts_at": _STARTS_AT, "ends_at": _ENDS_AT},
        "doctor_id": "doctor-7",
        "patient_id": "patient-2",
        "appointment_id": "apt_ce338491-6292-5fc5-87ca-b978349d3870",
    },
    "booking.time_off.blocked.v1": _TIME_OFF | {"time": _BOOKED_AT, "version": 1, "status": "blocked", "created_at": _BOOKED_AT},
    "booking.time_off.unblocked.v1": _TIME_OFF
    | {"time": "2030-01-10T08:00:00Z", "version": 2, "status": "unblocked", "created_at": _BOOKED_AT},
    "booking.time_off.rejected.v1": {
        "time": _BOOKED_AT,
        "version": 0,
        "command": "booking.time_off.block.v1",
        "status_code": 409,
        "reason": "slot_already_booked",
        "message": "An appointment holds a part of this time.",
        "conflict": {"appointment_id": _APPOINTMENT_ID, "starts_at": _STARTS_AT, "ends_at": _ENDS_AT},
        "time_off_id": "off_doctor-7_2030-01",
        "doctor_id": "doctor-7",
    },
}
