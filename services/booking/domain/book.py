"""Asking for a slot."""

from collections.abc import Callable, Sequence
from typing import Final

from services.booking.domain.appointment import Appointment, Rules
from services.booking.domain.decision import BookingEvent, Changed, Known, Moment, Refused, refuse
from services.booking.domain.slot import (
    finds_the_doctor_free,
    finds_the_patient_free,
    is_not_in_the_past,
    is_not_too_far_ahead,
    lapsed_in_the_way,
)
from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus, BookAppointment, NewAppointment
from shared.messages.fields import Role
from shared.messages.refusal import Refusal


def book(known: Known, command: BookAppointment, moment: Moment, rules: Rules) -> tuple[BookingEvent, ...]:
    """Give the slot to the first who asks, unless a rule forbids it."""
    for rule in BOOK_RULES:
        if (refusal := rule(known, command, moment, rules)) is not None:
            return (Refused(refusal),)
    appointment = Appointment(
        appointment_id=moment.entity_id,
        doctor_id=command.doctor_id,
        patient_id=command.patient_id,
        starts_at=command.starts_at,
        ends_at=command.ends_at,
        modality=command.modality,
        user_timezone=command.user_timezone,
        status=AppointmentStatus.PENDING,
        created_at=moment.now,
        updated_at=moment.now,
        expires_at=min(moment.now + rules.pending_expiry, command.starts_at),
        changed_by_id=moment.command_id,
        changed_by_type=command.type,
    )
    booked = Changed(AppointmentEventType.BOOKED, appointment, moment.now)
    return (booked, *lapsed_in_the_way(known, command, moment, rules))


def is_asked_by_its_patient(_known: Known, command: BookAppointment, _moment: Moment, _rules: Rules) -> Refusal | None:
    """Nobody books for another patient, administrators apart."""
    if command.actor.role is Role.ADMIN or (command.actor.role is Role.PATIENT and command.actor.id == command.patient_id):
        return None
    return refuse(AppointmentReason.NOT_A_PARTY, "Only the patient of an appointment, or an administrator, can book it.")


def has_a_new_id(known: Known, _command: NewAppointment, _moment: Moment, _rules: Rules) -> Refusal | None:
    """An id is used once, and for ever."""
    if known.appointment is None:
        return None
    return refuse(AppointmentReason.APPOINTMENT_EXISTS, "An appointment with this id exists already.")


def waits_for_few_answers(known: Known, _command: BookAppointment, _moment: Moment, rules: Rules) -> Refusal | None:
    """A patient waits for so many answers at the most."""
    if known.pending_of_patient < rules.max_pending_per_patient:
        return None
    message = f"You have {known.pending_of_patient} appointments that wait for an answer; {rules.max_pending_per_patient} are allowed."
    return refuse(AppointmentReason.TOO_MANY_PENDING, message)


#: The rules of ``book``, in order of precedence.
BOOK_RULES: Final[Sequence[Callable[[Known, BookAppointment, Moment, Rules], Refusal | None]]] = (
    is_not_in_the_past,
    is_not_too_far_ahead,
    is_asked_by_its_patient,
    has_a_new_id,
    waits_for_few_answers,
    finds_the_doctor_free,
    finds_the_patient_free,
)
