"""What calls knows of an appointment: what booking said of it last, and who came to it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.messages.booking import AppointmentEvent, AppointmentStatus
from shared.messages.fields import Modality


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """One appointment, as booking's events tell of it.

    Attributes:
        starts_at: UTC.
        ends_at: UTC.
        version: of booking's; an older one never takes its place.
        doctor_came: whether the doctor started, joined or wrote in a session for it.
        patient_came: the same of the patient.
        took_place: whether a session for it connected or became active.
    """

    appointment_id: str
    doctor_id: str
    patient_id: str
    starts_at: datetime
    ends_at: datetime
    modality: Modality
    status: AppointmentStatus
    version: int
    doctor_came: bool = False
    patient_came: bool = False
    took_place: bool = False


def heard(known: Appointment | None, event: AppointmentEvent) -> Appointment | None:
    """The appointment after an event of booking's, or ``None`` when it says nothing new."""
    if known is not None and event.version <= known.version:
        return None
    appointment = Appointment(
        appointment_id=event.appointment_id,
        doctor_id=event.doctor_id,
        patient_id=event.patient_id,
        starts_at=event.starts_at,
        ends_at=event.starts_at + timedelta(minutes=event.duration_minutes),
        modality=event.modality,
        status=event.status,
        version=event.version,
    )
    if known is None or known.starts_at != appointment.starts_at:
        # Who came at the old time says nothing about the new one.
        return appointment
    return replace(appointment, doctor_came=known.doctor_came, patient_came=known.patient_came, took_place=known.took_place)
