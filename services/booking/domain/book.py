"""Asking for a slot."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from services.booking.domain.appointment import (
    Appointment,
    BookingEvent,
    Changed,
    Known,
    Moment,
    Reason,
    Refused,
    Rules,
    refuse,
)
from services.booking.domain.deadline import expired
from shared.messages.booking import AppointmentEventType, AppointmentStatus, BookAppointment
from shared.messages.fields import Role
from shared.messages.refusal import Refusal


def book(known: Known, command: BookAppointment, moment: Moment, rules: Rules) -> tuple[BookingEvent, ...]:
    """Give the slot to the first who asks, unless a rule forbids it."""
    for rule in BOOK_RULES:
        if (refusal := rule(known, command, moment, rules)) is not None:
            return (Refused(refusal),)
    appointment = Appointment(
        appointment_id=moment.appointment_id,
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
        changed_by_type=command.type,
        changed_by_id=moment.command_id,
    )
    return (Changed(AppointmentEventType.BOOKED, appointment, moment.now), *_lapsed_in_the_way(known, appointment, moment, rules))


def _lapsed_in_the_way(known: Known, booked: Appointment, moment: Moment, rules: Rules) -> list[BookingEvent]:
    """Close what has lapsed and still stands where the new appointment goes, as a sweep would have by now."""
    return [
        expired(hold, BookAppointment.type, moment, rules)
        for hold in known.of_doctor
        if hold.overlaps(booked.starts_at, booked.ends_at) and hold.is_lapsed(moment.now)
    ]


def _does_not_start_in_the_past(_known: Known, command: BookAppointment, moment: Moment, _rules: Rules) -> Refusal | None:
    if command.starts_at < moment.now:
        return refuse(Reason.STARTS_IN_THE_PAST, "The appointment would start in the past.")
    return None


def _is_not_too_far_ahead(_known: Known, command: BookAppointment, moment: Moment, rules: Rules) -> Refusal | None:
    if command.starts_at > moment.now + rules.max_ahead:
        days = rules.max_ahead / timedelta(days=1)
        return refuse(Reason.TOO_FAR_AHEAD, f"The appointment would start more than {days:g} days ahead.")
    return None


def _is_asked_by_its_patient(_known: Known, command: BookAppointment, _moment: Moment, _rules: Rules) -> Refusal | None:
    if command.actor.role is Role.ADMIN or (command.actor.role is Role.PATIENT and command.actor.id == command.patient_id):
        return None
    return refuse(Reason.NOT_A_PARTY, "Only the patient of an appointment, or an administrator, can book it.")


def _has_a_new_id(known: Known, _command: BookAppointment, _moment: Moment, _rules: Rules) -> Refusal | None:
    if known.appointment is None:
        return None
    return refuse(Reason.APPOINTMENT_EXISTS, "An appointment with this id exists already.")


def _waits_for_few_answers(known: Known, _command: BookAppointment, _moment: Moment, rules: Rules) -> Refusal | None:
    if known.pending_of_patient < rules.max_pending_per_patient:
        return None
    message = f"You have {known.pending_of_patient} appointments that wait for an answer; {rules.max_pending_per_patient} are allowed."
    return refuse(Reason.TOO_MANY_PENDING, message)


def _finds_the_slot_free(known: Known, command: BookAppointment, moment: Moment, _rules: Rules) -> Refusal | None:
    holder = _first_in_the_way(known.of_doctor, command, moment.now)
    if holder is None:
        return None
    if holder.patient_id == command.patient_id:
        message = "You have already booked this time slot."
    elif holder.appointment_id in known.booked_in_this_batch or (moment.asked_at is not None and holder.created_at > moment.asked_at):
        message = "Time slot was just booked by another patient."
    else:
        message = "This time slot is already booked. Please select a different time."
    return refuse(Reason.SLOT_ALREADY_BOOKED, message, holder)


def _finds_the_patient_free(known: Known, command: BookAppointment, moment: Moment, _rules: Rules) -> Refusal | None:
    holder = _first_in_the_way(known.of_patient, command, moment.now)
    if holder is None:
        return None
    return refuse(Reason.PATIENT_ALREADY_BOOKED, "You already have an appointment at this time.", holder)


#: The rules of ``book``, in order of precedence.
BOOK_RULES: Final[Sequence[Callable[[Known, BookAppointment, Moment, Rules], Refusal | None]]] = (
    _does_not_start_in_the_past,
    _is_not_too_far_ahead,
    _is_asked_by_its_patient,
    _has_a_new_id,
    _waits_for_few_answers,
    _finds_the_slot_free,
    _finds_the_patient_free,
)


def _first_in_the_way(holds: Collection[Appointment], command: BookAppointment, now: datetime) -> Appointment | None:
    if not holds:
        return None
    starts_at, ends_at = command.starts_at, command.ends_at
    in_the_way = [hold for hold in holds if hold.overlaps(starts_at, ends_at) and hold.holds_slot(now)]
    return min(in_the_way, key=lambda hold: (hold.starts_at, hold.appointment_id), default=None)
