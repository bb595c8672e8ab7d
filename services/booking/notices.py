"""Who is told what about an appointment: from an event to notification requests. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from shared.messages.booking import AppointmentEvent, AppointmentEventType
from shared.messages.fields import EventData, Role, format_time
from shared.messages.notify import About, ParameterValue, Priority, Template
from shared.notices import Notice

#: What people must hear even in their quiet hours.
_CRITICAL: Final = frozenset({Template.APPOINTMENT_EXPIRED})

_Recipients = Callable[[AppointmentEvent], tuple[str, ...]]


def notices_of(event: EventData) -> Sequence[Notice]:
    """Who is told what, as the contract's table says."""
    if not isinstance(event, AppointmentEvent):
        return ()
    told = _TOLD.get(event.type, ())
    return [_notice(event, recipient_id, template) for recipients, template in told for recipient_id in recipients(event)]


def _doctor(appointment: AppointmentEvent) -> tuple[str, ...]:
    return (appointment.doctor_id,)


def _patient(appointment: AppointmentEvent) -> tuple[str, ...]:
    return (appointment.patient_id,)


def _both(appointment: AppointmentEvent) -> tuple[str, ...]:
    return appointment.doctor_id, appointment.patient_id


def _other_parties(appointment: AppointmentEvent) -> tuple[str, ...]:
    """Who did not cancel it themselves."""
    match appointment.cancelled_by:
        case Role.PATIENT:
            return (appointment.doctor_id,)
        case Role.DOCTOR:
            return (appointment.patient_id,)
        case _:
            return (appointment.doctor_id, appointment.patient_id)


#: Event → who is told, and by which template. Nobody is told of what was imported, or that all went well.
_TOLD: Final[Mapping[str, Sequence[tuple[_Recipients, Template]]]] = {
    AppointmentEventType.BOOKED: ((_doctor, Template.APPOINTMENT_REQUESTED), (_patient, Template.APPOINTMENT_BOOKED)),
    AppointmentEventType.CONFIRMED: ((_patient, Template.APPOINTMENT_CONFIRMED),),
    AppointmentEventType.DECLINED: ((_patient, Template.APPOINTMENT_DECLINED),),
    AppointmentEventType.CANCELLED: ((_other_parties, Template.APPOINTMENT_CANCELLED),),
    AppointmentEventType.RESCHEDULE_PROPOSED: ((_patient, Template.RESCHEDULE_PROPOSED),),
    AppointmentEventType.RESCHEDULED: ((_patient, Template.RESCHEDULED),),
    AppointmentEventType.RESCHEDULE_REJECTED: ((_doctor, Template.RESCHEDULE_REJECTED),),
    AppointmentEventType.RESCHEDULE_WITHDRAWN: ((_patient, Template.RESCHEDULE_WITHDRAWN),),
    AppointmentEventType.EXPIRING: ((_both, Template.APPOINTMENT_EXPIRING),),
    AppointmentEventType.EXPIRED: ((_patient, Template.APPOINTMENT_EXPIRED),),
    AppointmentEventType.NO_SHOW: ((_both, Template.APPOINTMENT_NO_SHOW),),
}


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
    if appointment.proposed_starts_at is not None:
        params["proposed_starts_at"] = format_time(appointment.proposed_starts_at)
    if appointment.absent is not None:
        params["absent"] = appointment.absent
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
