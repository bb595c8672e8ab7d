"""Who came to an appointment, and what booking is asked because of it."""

from dataclasses import replace
from typing import Final

from services.calls.domain.appointment import Appointment
from services.calls.domain.session import Changed, Session, TextSession
from shared.messages.booking import Absent, CompleteAppointment, MarkNoShow
from shared.messages.fields import Actor, Role

#: Who asks booking: nobody in person.
_CALLS: Final = Actor(role=Role.SYSTEM, id="calls")


def attended(appointment: Appointment, session: Session) -> Appointment:
    """The appointment after something happened in a session for it: who has started, joined or written has come."""
    doctor_came = appointment.doctor_came or session.started_by is Role.DOCTOR or session.took_place
    patient_came = appointment.patient_came or session.started_by is Role.PATIENT or session.took_place
    if isinstance(session, TextSession):
        patient_came = patient_came or session.patient_activity_count > 0
    if (doctor_came, patient_came, session.took_place) == (appointment.doctor_came, appointment.patient_came, appointment.took_place):
        return appointment
    return replace(appointment, doctor_came=doctor_came, patient_came=patient_came, took_place=appointment.took_place or session.took_place)


def no_show(appointment_id: str, doctor_id: str, *, doctor_came: bool, patient_came: bool) -> MarkNoShow:
    """What booking is asked when an appointment did not take place.

    Args:
        appointment_id: which.
        doctor_id: whose.
        doctor_came: whether the doctor started, joined or wrote in a session for it.
        patient_came: the same of the patient. Not both: then nobody was absent.
    """
    assert not (doctor_came and patient_came)
    absent = Absent.PATIENT if doctor_came else Absent.DOCTOR if patient_came else Absent.BOTH
    return MarkNoShow(appointment_id=appointment_id, doctor_id=doctor_id, absent=absent, actor=_CALLS)


def completion(change: Changed) -> CompleteAppointment | None:
    """What booking is asked when a session for an appointment is over in which the two met."""
    session = change.session
    if session.appointment_id is None or session.is_live or not session.took_place:
        return None
    return CompleteAppointment(appointment_id=session.appointment_id, doctor_id=session.doctor_id, actor=_CALLS)
