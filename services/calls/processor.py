"""Calls' stream processor: its events become notification requests and states, and what falls due becomes a command."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.calls.notices import notices_of
from services.calls.states import STATES
from services.calls.sweeps import sweeps
from shared.messages.calls import CALLS_EVENTS, SessionEvent
from shared.messages.fields import EventData
from shared.runtimes import processor
from shared.settings import Settings


async def run_processor(settings: Settings) -> None:
    """Run it until told to stop."""
    await processor.run_processor(
        settings,
        "calls",
        events={type_: model for type_, model in CALLS_EVENTS.items() if issubclass(model, SessionEvent)},
        notices_of=notices_of,
        deadlines_of=deadlines_of,
        sweeps=sweeps(timedelta(seconds=settings.no_show_after_seconds)),
        states=STATES,
    )


def deadlines_of(event: EventData) -> Sequence[datetime]:
    """When the call or text session is over by itself."""
    return (event.deadline_at,) if isinstance(event, SessionEvent) and event.deadline_at is not None else ()
