"""A subscription's story, and a session that is paid from it."""

from typing import Any, Final

_SUBSCRIPTION_ID: Final = "sub_2f9c7c1e-63f5-5a1b-9e0f-6d1a4b8c2e77"
_CALL_ID: Final = "call_0f3c8a52-9d0e-5a3c-9a55-1c3f6d2b7e10"
_PATIENT: Final = {"role": "patient", "id": "patient-1"}
_ADMIN: Final = {"role": "admin", "id": "admin-1"}
_ACTIVATED_AT: Final = "2030-01-01T08:00:00Z"
_ENDS_AT: Final = "2030-02-01T00:00:00Z"
_BEGUN: Final = {"text": 10, "voice": 0, "video": 5}

_EARNING: Final = {"amount_minor": 400_000, "currency": "MWK"}


def _balance(modality: str, sequence: int, before: int, after: int) -> dict[str, Any]:
    return {"patient_id": "patient-1", "modality": modality, "sequence": sequence, "before": before, "after": after}


_ACTIVE: Final = {
    "time": _ACTIVATED_AT,
    "version": 1,
    "subscription_id": _SUBSCRIPTION_ID,
    "patient_id": "patient-1",
    "units": _BEGUN,
    "units_remaining": _BEGUN,
    "currency": "MWK",
    "starts_at": _ACTIVATED_AT,
    "ends_at": _ENDS_AT,
    "status": "active",
    "created_at": _ACTIVATED_AT,
    "cancelled_by": None,
    "cancellation_reason": None,
    "balance": _balance("text", 1, 0, 10),
}
_NOTHING_LEFT: Final = {"units_remaining": {"text": 0, "voice": 0, "video": 0}, "version": 2, "balance": _balance("text", 4, 7, 0)}
_UNIT: Final = {
    "time": "2030-01-09T09:10:12Z",
    "version": 1,
    "deduction_id": f"{_CALL_ID}:1",
    "session_id": _CALL_ID,
    "unit": 1,
    "doctor_id": "doctor-7",
    "patient_id": "patient-1",
    "modality": "video",
    "subscription_id": _SUBSCRIPTION_ID,
    "status": "deducted",
    "due_at": "2030-01-09T09:10:12Z",
    "earning": _EARNING,
    "reason_code": None,
    "balance": _balance("video", 2, 5, 4),
}
_SESSION: Final = {
    "session_id": _CALL_ID,
    "doctor_id": "doctor-7",
    "patient_id": "patient-1",
    "modality": "video",
}

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "billing.subscription.activate.v1": {
        "subscription_id": _SUBSCRIPTION_ID,
        "patient_id": "patient-1",
        "units": _BEGUN,
        "currency": "MWK",
        "ends_at": _ENDS_AT,
        "actor": _ADMIN,
    },
    "billing.subscription.import.v1": {
        "subscription_id": "old-sub-12",
        "patient_id": "patient-1",
        "units": {"text": 3},
        "currency": "USD",
        "starts_at": "2029-12-01T00:00:00Z",
        "ends_at": _ENDS_AT,
        "actor": _ADMIN,
    },
    "billing.subscription.cancel.v1": {
        "subscription_id": _SUBSCRIPTION_ID,
        "patient_id": "patient-1",
        "actor": _PATIENT,
        "reason_code": "moved_away",
    },
    "billing.subscription.expire.v1": {"subscription_id": _SUBSCRIPTION_ID, "patient_id": "patient-1"},
    "billing.session_unit.deduct.v1": _SESSION | {"unit": 1},
    "billing.session_unit.reverse.v1": {
        "deduction_id": f"{_CALL_ID}:1",
        "doctor_id": "doctor-7",
        "actor": _ADMIN,
        "reason_code": "poor_connection",
    },
    "billing.subscription.activated.v1": _ACTIVE,
    "billing.subscription.imported.v1": _ACTIVE
    | {
        "subscription_id": "old-sub-12",
        "units": {"text": 3, "voice": 0, "video": 0},
        "units_remaining": {"text": 3, "voice": 0, "video": 0},
        "currency": "USD",
        "starts_at": "2029-12-01T00:00:00Z",
        "balance": _balance("text", 1, 0, 3),
    },
    "billing.subscription.cancelled.v1": _ACTIVE
    | _NOTHING_LEFT
    | {"time": "2030-01-20T10:00:00Z", "status": "cancelled", "cancelled_by": "patient", "cancellation_reason": "moved_away"},
    "billing.subscription.expired.v1": _ACTIVE | _NOTHING_LEFT | {"time": _ENDS_AT, "status": "expired"},
    "billing.subscription.rejected.v1": {
        "time": _ACTIVATED_AT,
        "version": 1,
        "command": "billing.subscription.activate.v1",
        "status_code": 409,
        "reason": "subscription_exists",
        "message": "A subscription with this id exists already.",
        "subscription_id": _SUBSCRIPTION_ID,
        "patient_id": "patient-1",
    },
    "billing.session_unit.deducted.v1": _UNIT,
    "billing.session_unit.reversed.v1": _UNIT
    | {
        "time": "2030-01-10T08:00:00Z",
        "version": 2,
        "status": "reversed",
        "reason_code": "poor_connection",
        "balance": _balance("video", 3, 4, 5),
    },
    "billing.session_unit.rejected.v1": {
        "time": "2030-01-09T09:10:12Z",
        "version": 0,
        "command": "billing.session_unit.deduct.v1",
        "status_code": 409,
        "reason": "insufficient_balance",
        "message": "The patient has no unit of this modality left.",
        "deduction_id": f"{_CALL_ID}:1",
        "session_id": _CALL_ID,
        "doctor_id": "doctor-7",
        "patient_id": "patient-1",
    },
    "billing.session.settled.v1": _SESSION
    | {
        "time": "2030-01-09T09:20:12Z",
        "version": 1,
        "units_deducted": 3,
        "units_refused": 0,
        "earning": {"amount_minor": 1_200_000, "currency": "MWK"},
        "further_earnings": [],
    },
    "billing.balance.changed.v1": {
        "time": _ACTIVATED_AT,
        "version": 1,
        "patient_id": "patient-1",
        "modality": "video",
        "subscription_id": _SUBSCRIPTION_ID,
        "balance": _balance("video", 1, 0, 5),
    },
    "billing.balance.state.v1": {
        "ce_subject": "patient-1:video",
        "time": "2030-01-09T09:10:12Z",
        "version": 2,
        "patient_id": "patient-1",
        "modality": "video",
        "remaining": 4,
    },
    "billing.balance.low.v1": _SESSION | {"time": "2030-01-09T09:30:12Z", "version": 4, "remaining": 2, "threshold": 2},
    "billing.balance.exhausted.v1": _SESSION | {"time": "2030-01-09T09:50:12Z", "version": 6},
}
