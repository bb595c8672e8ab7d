"""How a call and a text session look in an event, and in the state topic."""

from services.calls.domain.session import Call, Changed, Session, TextSession
from shared.codec.decode import Received
from shared.codec.encode import derived_id
from shared.messages.calls import CallEventType, CallStatus, TextSessionEventType
from shared.messages.events import Event
from shared.messages.fields import Command
from shared.state_topic import State

#: The beginnings of derived ids, by kind of entity.
_PREFIXES = {"call": "call_", "text_session": "txt_"}


def session_id_of(received: Received, command: Command) -> str:
    """The call or text session that a command is about: the one it names, or one derived from its source and id."""
    return command.entity_id or derived_id(_PREFIXES[command.entity], received.source, received.id)


def changed(event: Changed) -> Event:
    """The event of a change: it carries the whole state."""
    session = event.session
    body = _call(session, event) if isinstance(session, Call) else _text_session(session, event)
    if event.type in {CallEventType.FAILED, TextSessionEventType.EXPIRED}:
        body["sessions_used"] = 0
    return Event(
        type=event.type,
        key=session.doctor_id,
        subject=session.session_id,
        time=event.at,
        version=session.version,
        body=body,
    )


def standing(session: Session) -> State:
    """The state of a call or a text session, for the state topic: what the other kind has is null."""
    return State(
        entity_id=session.session_id,
        partition_key=session.doctor_id,
        version=session.version,
        time=session.updated_at,
        body={
            "session_id": session.session_id,
            "modality": session.modality,
            "status": session.status,
            **_common(session),
            **{name: getattr(session, name, None) for name in _OF_ONE_KIND},
        },
    )


_OF_ONE_KIND = (
    "connected_at",
    "disconnected_at",
    "failure_reason",
    "activated_at",
    "last_activity_at",
    "patient_activity_count",
    "doctor_activity_count",
)


def _call(call: Call, event: Changed) -> dict[str, object]:
    return {
        "call_id": call.session_id,
        **_common(call),
        "modality": call.modality,
        "status": call.status,
        "connected_at": call.connected_at,
        "disconnected_at": call.disconnected_at,
        "failure_reason": call.failure_reason,
        "is_connected": call.status is CallStatus.CONNECTED,
        "connected_seconds": call.connected_until(event.at).total_seconds(),
    }


def _text_session(session: TextSession, event: Changed) -> dict[str, object]:
    return {
        "session_id": session.session_id,
        **_common(session),
        "status": session.status,
        "activated_at": session.activated_at,
        "last_activity_at": session.last_activity_at,
        "patient_activity_count": session.patient_activity_count,
        "doctor_activity_count": session.doctor_activity_count,
        "active_seconds": session.active_until(event.at).total_seconds(),
    }


def _common(session: Session) -> dict[str, object]:
    return {
        "appointment_id": session.appointment_id,
        "doctor_id": session.doctor_id,
        "patient_id": session.patient_id,
        "started_by": session.started_by,
        "started_at": session.started_at,
        "deadline_at": session.deadline_at,
        "ended_at": session.ended_at,
        "ended_by": session.ended_by,
        "reason": session.reason,
    }
