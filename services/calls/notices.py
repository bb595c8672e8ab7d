"""Who is told what about a call or a text session: from an event to notification requests. Pure."""

from collections.abc import Sequence
from typing import Final, cast

from shared.messages.calls import CallEvent, CallEventType, TextSessionEvent, TextSessionEventType
from shared.messages.fields import EventData, Modality, Role, format_time
from shared.messages.notify import PARAMETERS, About, ParameterValue, Priority, Template
from shared.notices import Notice

#: What costs nothing, and says so.
_FREE: Final = frozenset({CallEventType.FAILED, TextSessionEventType.EXPIRED})
#: What people must hear even in their quiet hours.
_CRITICAL: Final = frozenset({Template.CALL_INCOMING, Template.CALL_FAILED, Template.SESSION_EXPIRED})


def notices_of(event: EventData) -> Sequence[Notice]:
    """Who is told what, as the contract's table says."""
    session = cast("CallEvent | TextSessionEvent", event)
    return [_notice(session, recipient_id, template) for recipient_id, template in _who_is_told(session)]


def _who_is_told(session: CallEvent | TextSessionEvent) -> list[tuple[str, Template]]:
    doctor, patient = session.doctor_id, session.patient_id
    starter, called = (patient, doctor) if session.started_by is Role.PATIENT else (doctor, patient)
    told: list[tuple[str, Template]] = []
    match session.type:
        case CallEventType.STARTED:
            told = [(called, Template.CALL_INCOMING)]
        case CallEventType.DECLINED:
            told = [(starter, Template.CALL_DECLINED)]
        case CallEventType.CANCELLED:
            told = [(called, Template.CALL_MISSED)]
        case CallEventType.FAILED:
            told = [(patient, Template.CALL_FAILED)]
        case TextSessionEventType.STARTED:
            told = [(doctor, Template.SESSION_STARTED)]
        case TextSessionEventType.EXPIRED:
            told = [(patient, Template.SESSION_EXPIRED)]
        case CallEventType.ENDED | TextSessionEventType.ENDED:
            told = [(patient, Template.SESSION_ENDED), (doctor, Template.SESSION_ENDED)]
    return told


def _notice(session: CallEvent | TextSessionEvent, recipient_id: str, template: Template) -> Notice:
    known = _call(session) if isinstance(session, CallEvent) else _text_session(session)
    known |= {
        "appointment_id": session.appointment_id,
        "doctor_id": session.doctor_id,
        "patient_id": session.patient_id,
        "started_at": format_time(session.started_at),
        "deadline_at": format_time(session.deadline_at) if session.deadline_at is not None else None,
        "ended_by": session.ended_by,
        "reason": session.reason,
        "sessions_used": 0 if session.type in _FREE else None,
    }
    entity, entity_id = ("call", session.call_id) if isinstance(session, CallEvent) else ("text_session", session.session_id)
    return Notice(
        recipient_id=recipient_id,
        template=template,
        params={name: value for name, value in known.items() if value is not None and name in PARAMETERS[template]},
        about=About(entity=entity, entity_id=entity_id, version=session.version),
        priority=Priority.CRITICAL if template in _CRITICAL else Priority.NORMAL,
    )


def _call(call: CallEvent) -> dict[str, ParameterValue]:
    return {
        "call_id": call.call_id,
        "modality": call.modality,
        "failure_reason": call.failure_reason,
        "connected_seconds": int(call.connected_seconds),
    }


def _text_session(session: TextSessionEvent) -> dict[str, ParameterValue]:
    return {
        "session_id": session.session_id,
        "modality": Modality.TEXT,
        "active_seconds": int(session.active_seconds),
    }
