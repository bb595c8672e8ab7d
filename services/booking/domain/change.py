"""What every change of an existing appointment must pass: it exists, the actor is a party, the status allows it, in time."""

from collections.abc import Set as AbstractSet

from services.booking.domain.appointment import Appointment, Known, Moment, Reason, refuse
from shared.messages.booking import AppointmentStatus, BookAppointment, BookingCommand
from shared.messages.fields import Actor, Role
from shared.messages.refusal import Refusal


def find(
    known: Known,
    command: BookingCommand,
    moment: Moment,
    *,
    by: AbstractSet[Role],
    in_status: AbstractSet[AppointmentStatus],
) -> Appointment | Refusal:
    """The appointment that a command names, or why the command is refused, in order of precedence.

    Deadlines are not asked here of the system's own commands: they come because a deadline has passed.

    Args:
        known: what there is.
        command: names it.
        moment: when.
        by: the roles that may do this.
        in_status: the statuses in which it can be done.
    """
    appointment = known.appointment
    if appointment is None or appointment.doctor_id != command.doctor_id:
        return refuse(Reason.APPOINTMENT_NOT_FOUND, "The doctor has no appointment with this id.")
    if command.actor is not None and not _is_party(appointment, command.actor, by):
        return refuse(Reason.NOT_A_PARTY, f"Only {_list(by)} of this appointment can do that.")
    if appointment.status not in in_status:
        return _wrong_status(appointment, command)
    if Role.SYSTEM not in by and appointment.is_lapsed(moment.now):
        return refuse(Reason.EXPIRED, "The appointment has expired; its slot is free again.")
    return appointment


def _is_party(appointment: Appointment, actor: Actor, by: AbstractSet[Role]) -> bool:
    if actor.role not in by:
        return False
    match actor.role:
        case Role.PATIENT:
            return actor.id == appointment.patient_id
        case Role.DOCTOR:
            return actor.id == appointment.doctor_id
        case Role.ADMIN | Role.SYSTEM:
            return True


def _list(roles: AbstractSet[Role]) -> str:
    return " or ".join(f"the {role}" for role in Role if role in roles)


def _wrong_status(appointment: Appointment, command: BookingCommand) -> Refusal:
    """Say what the status is and what made it so: whoever loses a race learns who won."""
    assert not isinstance(command, BookAppointment)
    status = appointment.status.replace("_", " ")
    refusal = refuse(
        Reason.WRONG_STATUS,
        f"The appointment is {status} since {appointment.updated_at:%Y-%m-%d %H:%M:%S} UTC, by {appointment.changed_by_type}.",
        appointment,
    )
    assert refusal.conflict is not None
    made_so_by = {"type": appointment.changed_by_type, "id": appointment.changed_by_id}
    conflict = {**refusal.conflict, "status": appointment.status, "since": appointment.updated_at, "command": made_so_by}
    return Refusal(refusal.status_code, refusal.reason, refusal.message, conflict)
