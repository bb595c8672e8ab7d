"""The vocabulary of calls: a valid example of everything, of which a test states only what it is about."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from services.calls.domain.appointment import Appointment
from services.calls.domain.session import Call, CallsEvent, Cause, Changed, Moment, Refused, Rules, Session, TextSession
from shared.messages.booking import AppointmentEvent, AppointmentEventType, AppointmentStatus
from shared.messages.calls import (
    CallStatus,
    CancelCall,
    ConnectCall,
    DeclineCall,
    DisconnectCall,
    EndCall,
    EndTextSession,
    ReconnectCall,
    RecordActivity,
    StartCall,
    StartTextSession,
    TextSessionStatus,
    TimeOutCall,
    TimeOutTextSession,
)
from shared.messages.fields import Actor, Modality, Role
from shared.messages.refusal import Refusal
from tests.examples import APPOINTMENT, DOCTOR, NOW, PATIENT, SOURCE, as_published, doctor, minutes, patient

RULES: Final = Rules()
CALL: Final = "call-1"
TEXT_SESSION: Final = "session-1"

_LIVE_CALLS: Final = (CallStatus.CONNECTING, CallStatus.CONNECTED, CallStatus.RECONNECTING)
_LIVE_TEXT_SESSIONS: Final = (TextSessionStatus.WAITING, TextSessionStatus.ACTIVE)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def example_start(
    *,
    call_id: str | None = CALL,
    appointment_id: str | None = None,
    doctor_id: str = DOCTOR,
    patient_id: str = PATIENT,
    modality: Modality = Modality.VIDEO,
    actor: Actor | None = None,
) -> StartCall:
    """A patient rings their doctor."""
    body = {
        "call_id": call_id,
        "appointment_id": appointment_id,
        "doctor_id": doctor_id,
        "patient_id": patient_id,
        "modality": modality,
        "actor": actor or patient(patient_id),
    }
    return as_published(StartCall, body)


def example_connect(*, call_id: str = CALL, doctor_id: str = DOCTOR, actor: Actor | None = None) -> ConnectCall:
    return as_published(ConnectCall, {"call_id": call_id, "doctor_id": doctor_id, "actor": actor or doctor(doctor_id)})


def example_decline_call(*, call_id: str = CALL, doctor_id: str = DOCTOR, actor: Actor | None = None) -> DeclineCall:
    """The doctor, who is called, turns it down."""
    return as_published(DeclineCall, {"call_id": call_id, "doctor_id": doctor_id, "actor": actor or doctor(doctor_id)})


def example_cancel_call(*, call_id: str = CALL, doctor_id: str = DOCTOR, actor: Actor | None = None) -> CancelCall:
    """The patient, who has started it, takes it back."""
    return as_published(CancelCall, {"call_id": call_id, "doctor_id": doctor_id, "actor": actor or patient()})


def example_disconnect(*, call_id: str = CALL, doctor_id: str = DOCTOR, actor: Actor | None = None) -> DisconnectCall:
    return as_published(DisconnectCall, {"call_id": call_id, "doctor_id": doctor_id, "actor": actor or patient()})


def example_reconnect(*, call_id: str = CALL, doctor_id: str = DOCTOR, actor: Actor | None = None) -> ReconnectCall:
    return as_published(ReconnectCall, {"call_id": call_id, "doctor_id": doctor_id, "actor": actor or patient()})


def example_end(*, call_id: str = CALL, doctor_id: str = DOCTOR, actor: Actor | None = None, reason_code: str | None = None) -> EndCall:
    body = {"call_id": call_id, "doctor_id": doctor_id, "actor": actor or patient(), "reason_code": reason_code}
    return as_published(EndCall, body)


def example_time_out(*, call_id: str = CALL, doctor_id: str = DOCTOR, actor: Actor | None = None) -> TimeOutCall:
    return as_published(TimeOutCall, {"call_id": call_id, "doctor_id": doctor_id, "actor": actor})


def example_text_start(
    *,
    session_id: str | None = TEXT_SESSION,
    appointment_id: str | None = None,
    doctor_id: str = DOCTOR,
    patient_id: str = PATIENT,
    actor: Actor | None = None,
) -> StartTextSession:
    """A patient opens a text session with their doctor."""
    body = {
        "session_id": session_id,
        "appointment_id": appointment_id,
        "doctor_id": doctor_id,
        "patient_id": patient_id,
        "actor": actor or patient(patient_id),
    }
    return as_published(StartTextSession, body)


def example_activity(*, session_id: str = TEXT_SESSION, doctor_id: str = DOCTOR, actor: Actor | None = None) -> RecordActivity:
    """The doctor writes."""
    return as_published(RecordActivity, {"session_id": session_id, "doctor_id": doctor_id, "actor": actor or doctor(doctor_id)})


def example_text_end(
    *, session_id: str = TEXT_SESSION, doctor_id: str = DOCTOR, actor: Actor | None = None, reason_code: str | None = None
) -> EndTextSession:
    body = {"session_id": session_id, "doctor_id": doctor_id, "actor": actor or patient(), "reason_code": reason_code}
    return as_published(EndTextSession, body)


def example_text_time_out(*, session_id: str = TEXT_SESSION, doctor_id: str = DOCTOR, actor: Actor | None = None) -> TimeOutTextSession:
    return as_published(TimeOutTextSession, {"session_id": session_id, "doctor_id": doctor_id, "actor": actor})


def example_call(*, status: CallStatus = CallStatus.CONNECTING, **fields: Any) -> Call:
    """A call that the patient started half a minute ago; in another status, as the fitting command left it."""
    started_at: datetime = fields.setdefault("started_at", NOW - seconds(30))
    if status is CallStatus.CONNECTING:
        fields.setdefault("deadline_at", started_at + RULES.connect_timeout)
    if status in {CallStatus.CONNECTED, CallStatus.RECONNECTING, CallStatus.ENDED}:
        fields.setdefault("connected_at", started_at + seconds(10))
    if status is CallStatus.RECONNECTING:
        fields.setdefault("disconnected_at", started_at + seconds(20))
        fields.setdefault("deadline_at", fields["disconnected_at"] + RULES.reconnect_timeout)
    if status not in _LIVE_CALLS:
        fields.setdefault("ended_at", started_at + seconds(20))
        fields.setdefault("ended_by", Role.PATIENT)
        fields.setdefault("reason", "ended_by_party")
    made_so_by = StartCall if status is CallStatus.CONNECTING else ConnectCall if status is CallStatus.CONNECTED else EndCall
    defaults: dict[str, Any] = {
        "session_id": CALL,
        "doctor_id": DOCTOR,
        "patient_id": PATIENT,
        "modality": Modality.VIDEO,
        "started_by": Role.PATIENT,
        "updated_at": fields.get("ended_at") or fields.get("disconnected_at") or fields.get("connected_at") or started_at,
        "version": 1 if status is CallStatus.CONNECTING else 2,
        **_earlier(made_so_by.type)._asdict(),
    }
    return Call(status=status, **defaults | fields)


def example_text_session(*, status: TextSessionStatus = TextSessionStatus.WAITING, **fields: Any) -> TextSession:
    """A text session that the patient opened a minute ago; in another status, as the fitting command left it."""
    started_at: datetime = fields.setdefault("started_at", NOW - minutes(1))
    if status is TextSessionStatus.WAITING:
        fields.setdefault("deadline_at", started_at + RULES.response_timeout)
    elif status is not TextSessionStatus.EXPIRED:
        fields.setdefault("activated_at", started_at + seconds(20))
        fields.setdefault("last_activity_at", fields["activated_at"])
        fields.setdefault("doctor_activity_count", 1)
    if status is TextSessionStatus.ACTIVE:
        fields.setdefault("deadline_at", fields["last_activity_at"] + RULES.inactivity_timeout)
    if status not in _LIVE_TEXT_SESSIONS:
        fields.setdefault("ended_at", started_at + seconds(40))
        fields.setdefault("ended_by", Role.PATIENT)
        fields.setdefault("reason", "ended_by_party")
    made_so_by = StartTextSession if status is TextSessionStatus.WAITING else EndTextSession
    defaults: dict[str, Any] = {
        "session_id": TEXT_SESSION,
        "doctor_id": DOCTOR,
        "patient_id": PATIENT,
        "started_by": Role.PATIENT,
        "updated_at": fields.get("ended_at") or fields.get("last_activity_at") or started_at,
        "version": 1 if status is TextSessionStatus.WAITING else 3,
        **_earlier(made_so_by.type)._asdict(),
    }
    return TextSession(status=status, **defaults | fields)


def example_known_appointment(**fields: Any) -> Appointment:
    """A confirmed video appointment that starts now, as calls knows of it."""
    starts_at: datetime = fields.setdefault("starts_at", NOW)
    defaults: dict[str, Any] = {
        "appointment_id": APPOINTMENT,
        "doctor_id": DOCTOR,
        "patient_id": PATIENT,
        "ends_at": starts_at + minutes(30),
        "modality": Modality.VIDEO,
        "status": AppointmentStatus.CONFIRMED,
        "version": 2,
    }
    return Appointment(**defaults | fields)


def example_calls_moment(*, now: datetime = NOW, command_id: str = "command-1", command_type: str = "", session_id: str = CALL) -> Moment:
    return Moment(now=now, cause=Cause(SOURCE, command_id, command_type), session_id=session_id)


def _earlier(command_type: str) -> Cause:
    return Cause(SOURCE, "earlier-command", command_type)


def the_change(events: Sequence[CallsEvent]) -> Changed:
    """What happened: one thing, and nothing else."""
    assert len(events) == 1, events
    assert isinstance(events[0], Changed), events[0]
    return events[0]


def the_changes(events: Sequence[CallsEvent]) -> list[Changed]:
    """What happened: one thing, and what else it caused."""
    changes = [event for event in events if isinstance(event, Changed)]
    assert len(changes) == len(events), events
    return changes


def the_call(events: Sequence[CallsEvent]) -> Call:
    """The call after the one thing that happened."""
    session: Session = the_change(events).session
    assert isinstance(session, Call)
    return session


def the_text_session(events: Sequence[CallsEvent]) -> TextSession:
    """The text session after the first thing that happened."""
    session: Session = the_changes(events)[0].session
    assert isinstance(session, TextSession)
    return session


def the_refusal(events: Sequence[CallsEvent]) -> Refusal:
    """Why nothing happened."""
    assert len(events) == 1, events
    assert isinstance(events[0], Refused), events[0]
    return events[0].refusal


def example_heard(**fields: Any) -> AppointmentEvent:
    """What booking says of an appointment: by default that the doctor has taken it."""
    return AppointmentEvent.model_validate_json(example_heard_value(**fields))


def example_heard_value(
    *,
    identifier: str = "event-1",
    appointment_id: str = APPOINTMENT,
    doctor_id: str = DOCTOR,
    patient_id: str = PATIENT,
    starts_at: datetime = NOW,
    duration_minutes: int = 30,
    modality: Modality = Modality.VIDEO,
    status: AppointmentStatus = AppointmentStatus.CONFIRMED,
    version: int = 2,
) -> bytes:
    """The same as it lies in booking's events topic."""
    type_ = _TOLD_BY[status]
    cause = {"source": SOURCE, "id": identifier, "type": "booking.appointment.confirm.v1"}
    value = {
        "type": type_,
        "id": identifier,
        "time": NOW,
        "appointment_id": appointment_id,
        "doctor_id": doctor_id,
        "patient_id": patient_id,
        "starts_at": starts_at,
        "duration_minutes": duration_minutes,
        "modality": modality,
        "user_timezone": "UTC",
        "status": status,
        "created_at": NOW,
        "expires_at": None,
        "cancelled_by": None,
        "cancellation_reason": None,
        "proposed_starts_at": None,
        "status_before_proposal": None,
        "absent": None,
        "version": version,
        "decision": {"decided_at": NOW, "index": 0, "command": cause, "topic": "test.booking.commands.v1", "partition": 0, "offset": 0},
    }
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


_TOLD_BY: Final = {
    AppointmentStatus.PENDING: AppointmentEventType.BOOKED,
    AppointmentStatus.CONFIRMED: AppointmentEventType.CONFIRMED,
    AppointmentStatus.RESCHEDULE_PROPOSED: AppointmentEventType.RESCHEDULE_PROPOSED,
    AppointmentStatus.CANCELLED: AppointmentEventType.CANCELLED,
    AppointmentStatus.COMPLETED: AppointmentEventType.COMPLETED,
    AppointmentStatus.NO_SHOW: AppointmentEventType.NO_SHOW,
}
