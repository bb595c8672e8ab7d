"""Taking in an appointment that was made elsewhere: what has passed is allowed, what overlaps is not, and nobody is told."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from services.booking.domain.appointment import Appointment, Rules
from services.booking.domain.book import has_a_new_id
from services.booking.domain.decision import BookingEvent, Changed, Known, Moment, Refused, refuse
from services.booking.domain.slot import finds_the_doctor_free, finds_the_patient_free, lapsed_in_the_way
from shared.messages.booking import AppointmentEventType, AppointmentReason, AppointmentStatus, ImportAppointment
from shared.messages.fields import Role
from shared.messages.refusal import Refusal


def take_in(known: Known, command: ImportAppointment, moment: Moment, rules: Rules) -> tuple[BookingEvent, ...]:
    """Take it in as it stands, unless a rule forbids it."""
    for rule in IMPORT_RULES:
        if (refusal := rule(known, command, moment, rules)) is not None:
            return (Refused(refusal),)
    is_proposed = command.status is AppointmentStatus.RESCHEDULE_PROPOSED
    appointment = Appointment(
        appointment_id=moment.entity_id,
        doctor_id=command.doctor_id,
        patient_id=command.patient_id,
        starts_at=command.starts_at,
        ends_at=command.ends_at,
        modality=command.modality,
        user_timezone=command.user_timezone,
        status=command.status,
        created_at=command.created_at,
        updated_at=moment.now,
        expires_at=_deadline(command, moment, rules),
        held_since=moment.now,
        proposed_starts_at=(command.proposed_starts_at or command.starts_at) if is_proposed else None,
        # What it was before is not said; so a rejected one waits for its doctor, who may confirm it.
        status_before_proposal=AppointmentStatus.PENDING if is_proposed else None,
        changed_by_id=moment.command_id,
        changed_by_type=command.type,
    )
    imported = Changed(AppointmentEventType.IMPORTED, appointment, moment.now)
    return (imported, *lapsed_in_the_way(known, command, moment, rules))


def _deadline(command: ImportAppointment, moment: Moment, rules: Rules) -> datetime | None:
    """Until when somebody must answer. A deadline that has passed elsewhere passes here as soon as the appointment is here."""
    match command.status:
        case AppointmentStatus.PENDING:
            waiting_since = min(command.created_at, moment.now)
            return max(moment.now, min(waiting_since + rules.pending_expiry, command.starts_at))
        case AppointmentStatus.RESCHEDULE_PROPOSED:
            return max(moment.now, min(command.starts_at, command.proposed_starts_at or command.starts_at))
        case _:
            return None


def is_asked_by_an_administrator(_known: Known, command: ImportAppointment, _moment: Moment, _rules: Rules) -> Refusal | None:
    """Nobody else writes history."""
    if command.actor.role is Role.ADMIN:
        return None
    return refuse(AppointmentReason.NOT_A_PARTY, "Only an administrator can import an appointment.")


#: The rules of ``import``, in order of precedence.
IMPORT_RULES: Final[Sequence[Callable[[Known, ImportAppointment, Moment, Rules], Refusal | None]]] = (
    is_asked_by_an_administrator,
    has_a_new_id,
    finds_the_doctor_free,
    finds_the_patient_free,
)
