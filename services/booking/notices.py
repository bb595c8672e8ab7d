"""Who is told what about an appointment: from an event to notification requests. Pure."""

from collections.abc import Sequence
from typing import Final, cast

from shared.codec.encode import format_time
from shared.messages.booking import AppointmentEvent, AppointmentEventType
from shared.messages.fields import EventData, Role
from shared.messages.notify import About, ParameterValue, Priority, Template
from shared.notices import Notice

#: The events that somebody is told about, with the model that reads them.
NOTICED_EVENTS: Final[dict[str, type[EventData]]] = dict.fromkeys(
    (
        AppointmentEventType.BOOKED,
        AppointmentEventType.CONFIRMED,
        AppointmentEventType.DECLINED,
        AppointmentEventType.CANCELLED,
        AppointmentEventType.EXPIRING,
        AppointmentEventType.EXPIRED,
    ),
    AppointmentEvent,
)

#: What people must hear even in their quiet hours.
_CRITICAL: Final = frozenset({Template.APPOINTMENT_EXPIRED})


def notices_of(event: EventData) -> Sequence[Notice]:
    """Who is told what, as the contract's table says."""
    appointment = cast("AppointmentEvent", event)
    return [_notice(appointment, recipient_id, template) for recipient_id, template in _who_is_told(appointment)]


def _who_is_told(appointment: AppointmentEvent) -> list[tuple[str, Template]]:
    doctor, patient = appointment.doctor_id, appointment.patient_id
    told: list[tuple[str, Template]] = []
    match appointment.type:
        case AppointmentEventType.BOOKED:
            told = [(doctor, Template.APPOINTMENT_REQUESTED), (patient, Template.APPOINTMENT_BOOKED)]
        case AppointmentEventType.CONFIRMED:
            told = [(patient, Template.APPOINTMENT_CONFIRMED)]
        case AppointmentEventType.DECLINED:
            told = [(patient, Template.APPOINTMENT_DECLINED)]
        case AppointmentEventType.CANCELLED:
            told = [(party, Template.APPOINTMENT_CANCELLED) for party in _other_parties(appointment)]
        case AppointmentEventType.EXPIRING:
            told = [(doctor, Template.APPOINTMENT_EXPIRING), (patient, Template.APPOINTMENT_EXPIRING)]
        case AppointmentEventType.EXPIRED:
            told = [(patient, Template.APPOINTMENT_EXPIRED)]
    return told


def _other_parties(appointment: AppointmentEvent) -> tuple[str, ...]:
    """Who did not cancel it themselves."""
    match appointment.cancelled_by:
        case Role.PATIENT:
            return (appointment.doctor_id,)
        case Role.DOCTOR:
            return (appointment.patient_id,)
        case _:
            return (appointment.doctor_id, appointment.patient_id)


def _notice(appointment: AppointmentEvent, recipient_id: str, template: Template) -> Notice:
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
        priority=Priority.CRITICAL if template in _CRITICAL else Priority.NORMAL,
    )
