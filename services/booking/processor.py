"""Booking's stream processor: its events become notification requests and states, and what falls due becomes a command."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.booking.app import rules_of
from services.booking.notices import notices_of
from services.booking.states import STATES
from services.booking.sweeps import sweeps
from shared.messages.booking import AppointmentEvent, AppointmentEventType
from shared.messages.fields import EventData
from shared.runtimes import processor
from shared.settings import Settings

#: What it reads: every event that changes an appointment, and the warnings.
_EVENTS: Final[dict[str, type[EventData]]] = {
    type_: AppointmentEvent for type_ in AppointmentEventType if type_ != AppointmentEventType.REJECTED
}


async def run_processor(settings: Settings) -> None:
    """Run it until told to stop."""
    rules = rules_of(settings)

    def deadlines_of(event: EventData) -> Sequence[datetime]:
        if not isinstance(event, AppointmentEvent) or event.expires_at is None:
            return ()
        return (event.expires_at, event.expires_at - rules.expiry_warning)

    await processor.run_processor(
        settings, "booking", events=_EVENTS, notices_of=notices_of, deadlines_of=deadlines_of, sweeps=sweeps(rules), states=STATES
    )
