"""The way for other Python services to ask the mesh for something, and to hear what became of it.

    async with CaremeshClient(source="/platform/web") as client:
        match await client.request(BookAppointment(...)):
            case AppointmentBooked(appointment_id=appointment_id, expires_at=expires_at):
                ...
            case Rejected(reason=AppointmentReason.SLOT_ALREADY_BOOKED, message=message):
                ...
            case Rejected(status_code=status_code, message=message):
                ...

Commands and events are in ``shared.messages``; nothing else has to be known, about Kafka least of all.
"""

from shared.client.client import CaremeshClient
from shared.client.errors import (
    CaremeshError,
    NoOutcomeError,
    NotPublishedError,
    RequestError,
    UnreachableError,
    UnreadableOutcomeError,
)
from shared.client.listener import Listener, Message
from shared.messages.refusal import Rejected

__all__ = [
    "CaremeshClient",
    "CaremeshError",
    "Listener",
    "Message",
    "NoOutcomeError",
    "NotPublishedError",
    "Rejected",
    "RequestError",
    "UnreachableError",
    "UnreadableOutcomeError",
]
