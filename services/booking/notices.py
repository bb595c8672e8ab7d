"""Who is told what about an appointment: from an event to notification requests. Pure."""

from collections.abc import Sequence
from typing import Final, cast

from shared.codec.encode import format_time
from shared.messages.booking import AppointmentEvent, AppointmentEventType
from shared.messages.fields import EventData, Role
from shared.messages.notify import About, ParameterValue, Priority, Template
from shared.notices import Notice

#: The events that somebody is told about, with the model that reads them.
NOTICED_EVENTS: Final[dict[str, type[EventData]]] = {
    event_type: AppointmentEvent
    for event_type in (
        AppointmentEventType.BOOKED,
        AppointmentEventType.CONFIRMED,
        AppointmentEventType.DECLINED,
        AppointmentEventType.CANCELLED,
        AppointmentEventType.EXPIRING,
        AppointmentEventType.EXPIRED,
    )
}


def notices_of(event: EventData) -> Sequence[Notice]:
    """Who is told what, as the contract's table says."""
    appointment = cast(AppointmentEvent, event)
    doctor, patient = appointment.doctor_id, appointment.patient_id
    match appointment.type:
        case AppointmentEventType.BOOKED:
            return [
                _notice(appointment, doctor, Template.APPOINTMENT_REQUESTED),
                _notice(appointment, patient, Template.APPOINTMENT_BOOKED),
            ]
        case AppointmentEventType.CONFIRMED:
            return [_notice(appointment, patient, Template.APPOINTMENT_CONFIRMED)]
        case AppointmentEventType.DECLINED:
            return [_notice(appointment, patient, Template.APPOINTMENT_DECLINED)]
        case AppointmentEventType.CANCELLED:
            return [_notice(appointment, party, Template.APPOINTMENT_CANCELLED) for party in _other_parties(appointment)]
        case AppointmentEventType.EXPIRING:
            return [_notice(appointment, party, Template.APPOINTMENT_EXPIRING) for party in (doctor, patient)]
        case AppointmentEventType.EXPIRED:
            return [_notice(appointment, patient, Template.APPOINTMENT_EXPIRED, Priority.CRITICAL)]
        case _:
            return []


def _other_parties(appointment: AppointmentEvent) -> tuple[str, ...]:
    """Who did not cancel it themselves."""
    match appointment.cancelled_by:
        case Role.PATIENT:
            return (appointment.doctor_id,)
        case Role.DOCTOR:
            return (appointment.patient_id,)
        case _:
            return (appointment.doctor_id, appointment.patient_id)


def _notice(
    appointment: AppointmentEvent, recipient_id: str, template: Template, priority: Priority = Priority.NORMAL
) -> Notice:
    params: dict[str, ParameterValue] = {
        "appointment_id": appointment.appointment_id,
        "doctor_id": appointment.doctor_id,
        "patient_id": appointment.patient_id,
        "starts_at": format_time(appointment.starts_at),
        "duration_minutes": appointment.duration_minutes,
        "modality": appointment.modality,
        "user_timezone": appointment.user_timezone,
    }
    if appointment.expires_at is not None:
        params["expires_at"] = format_time(appointment.expires_at)
    if appointment.cancelled_by is not None:
        params["cancelled_by"] = appointment.cancelled_by
        params["cancellation_reason"] = appointment.cancellation_reason
    return Notice(
        recipient_id=recipient_id,
        template=template,
        params=params,
        about=About(entity="appointment", entity_id=appointment.appointment_id),
        priority=priority,
    )
