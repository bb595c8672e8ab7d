"""What every change of an existing appointment must pass: it exists, the actor is a party, the status allows it, in time."""

from collections.abc import Set as AbstractSet
from datetime import datetime

from services.booking.domain.appointment import Appointment
from services.booking.domain.decision import Known, Moment, refuse
from shared.messages.booking import (
    AcceptReschedule,
    AppointmentReason,
    AppointmentStatus,
    CancelAppointment,
    CompleteAppointment,
    ConfirmAppointment,
    DeclineAppointment,
    ExpireAppointment,
    MarkNoShow,
    ProposeReschedule,
    RejectReschedule,
    WarnAppointmentExpiry,
    WithdrawReschedule,
)
from shared.messages.fields import Actor, Role
from shared.messages.refusal import Refusal

ChangingCommand = (
    ConfirmAppointment
    | DeclineAppointment
    | CancelAppointment
    | ProposeReschedule
    | AcceptReschedule
    | RejectReschedule
    | WithdrawReschedule
    | CompleteAppointment
    | MarkNoShow
    | ExpireAppointment
    | WarnAppointmentExpiry
)


def find(
    known: Known,
    command: ChangingCommand,
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
        return refuse(AppointmentReason.APPOINTMENT_NOT_FOUND, "The doctor has no appointment with this id.")
    if command.actor is not None and not _is_party(appointment, command.actor, by):
        return refuse(AppointmentReason.NOT_A_PARTY, f"Only {_list(by)} of this appointment can do that.")
    if appointment.status not in in_status:
        return _wrong_status(appointment)
    if Role.SYSTEM not in by and appointment.is_lapsed(moment.now):
        return refuse(AppointmentReason.EXPIRED, "The appointment has expired; its slot is free again.")
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


def _wrong_status(appointment: Appointment) -> Refusal:
    """Say what the status is and what made it so: whoever loses a race learns who won."""
    status = appointment.status.replace("_", " ")
    since = f"{appointment.updated_at:%Y-%m-%d %H:%M:%S}"
    conflict = {
        "appointment_id": appointment.appointment_id,
        "starts_at": appointment.starts_at,
        "ends_at": appointment.ends_at,
        "status": appointment.status,
        "since": appointment.updated_at,
        "command": {"type": appointment.changed_by_type, "id": appointment.changed_by_id},
    }
    return refuse(
        AppointmentReason.WRONG_STATUS, f"The appointment is {status} since {since} UTC, by {appointment.changed_by_type}.", conflict
    )


def change(
    appointment: Appointment, command_type: str, moment: Moment, *, status: AppointmentStatus, expires_at: datetime | None = None
) -> Appointment:
    """The appointment in another status: what was waited for or proposed until now is settled."""
    return appointment._replace(
        status=status,
        updated_at=moment.now,
        expires_at=expires_at,
        proposed_starts_at=None,
        status_before_proposal=None,
        changed_by_id=moment.command_id,
        changed_by_type=command_type,
        version=appointment.version + 1,
    )
