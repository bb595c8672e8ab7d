"""How appointments and time off look in events."""

from services.booking.domain.appointment import Appointment
from services.booking.domain.decision import Changed, TimeOffChanged
from shared.codec.decode import Received
from shared.codec.encode import derived_id
from shared.messages.booking import BookingCommand
from shared.messages.events import Event
from shared.state_topic import State


def entity_id_of(received: Received, command: BookingCommand) -> str:
    """The appointment or time off that a command is about: the one it names, or one derived from its source and id."""
    return command.entity_id or derived_id("apt_", received.source, received.id)


def changed(event: Changed) -> Event:
    """The event of a change: it carries the appointment's whole state."""
    appointment = event.appointment
    return Event(
        type=event.type,
        key=appointment.doctor_id,
        subject=appointment.appointment_id,
        time=event.at,
        version=appointment.version,
        body=_fields(appointment),
    )


def standing(appointment: Appointment) -> State:
    """The appointment as it stands, for the state topic."""
    return State(
        entity_id=appointment.appointment_id,
        partition_key=appointment.doctor_id,
        version=appointment.version,
        time=appointment.updated_at,
        body=_fields(appointment),
    )


def _fields(appointment: Appointment) -> dict[str, object]:
    return {
        "appointment_id": appointment.appointment_id,
        "doctor_id": appointment.doctor_id,
        "patient_id": appointment.patient_id,
        "starts_at": appointment.starts_at,
        "duration_minutes": appointment.duration_minutes,
        "modality": appointment.modality,
        "user_timezone": appointment.user_timezone,
        "status": appointment.status,
        "created_at": appointment.created_at,
        "expires_at": appointment.expires_at,
        "cancelled_by": appointment.cancelled_by,
        "cancellation_reason": appointment.cancellation_reason,
        "proposed_starts_at": appointment.proposed_starts_at,
        "status_before_proposal": appointment.status_before_proposal,
        "absent": appointment.absent,
    }


def time_off_changed(event: TimeOffChanged) -> Event:
    """The event of a change: it carries the time off's whole state."""
    time_off = event.time_off
    return Event(
        type=event.type,
        key=time_off.doctor_id,
        subject=time_off.time_off_id,
        time=event.at,
        version=time_off.version,
        body={
            "time_off_id": time_off.time_off_id,
            "doctor_id": time_off.doctor_id,
            "starts_at": time_off.starts_at,
            "ends_at": time_off.ends_at,
            "status": time_off.status,
            "created_at": time_off.created_at,
        },
    )
