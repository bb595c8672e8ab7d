"""What booking publishes of its entities as they stand."""

from collections.abc import Collection, Sequence
from typing import Final

from services.booking.store.show import appointments
from services.booking.wire import standing
from shared.database import Connection
from shared.messages.booking import BOOKING_STATES, AppointmentEvent, AppointmentEventType, AppointmentState
from shared.messages.fields import EventData, type_of
from shared.state_topic import State, StateTopic

[_APPOINTMENTS] = BOOKING_STATES


def changed_appointment(event: EventData) -> str | None:
    """The appointment that an event has changed."""
    # A warning changes nothing that is published.
    if not isinstance(event, AppointmentEvent) or event.type == AppointmentEventType.EXPIRING:
        return None
    return event.appointment_id


async def read_appointments(connection: Connection, appointment_ids: Collection[str]) -> Sequence[State]:
    """The appointments as they stand at this moment."""
    return [standing(appointment) for appointment in await appointments(connection, appointment_ids)]


STATES: Final = (StateTopic(name=_APPOINTMENTS, type=type_of(AppointmentState), entity_of=changed_appointment, read=read_appointments),)
