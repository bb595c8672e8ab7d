"""How an appointment looks in an event."""

from services.booking.domain.appointment import Changed
from shared.codec.decode import Received
from shared.codec.encode import derived_id
from shared.messages.booking import BookingCommand
from shared.messages.events import Event


def appointment_id_of(received: Received, command: BookingCommand) -> str:
    """The appointment that a command is about: the one it names, or one derived from its source and id."""
    return command.appointment_id or derived_id("apt_", received.source, received.id)


def changed(event: Changed) -> Event:
    """The event of a change: it carries the appointment's whole state."""
    appointment = event.appointment
    return Event(
        type=event.type,
        key=appointment.doctor_id,
        subject=appointment.appointment_id,
        time=event.at,
        version=appointment.version,
        body={
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
        },
    )
