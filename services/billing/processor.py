"""Billing's stream processors: commands and what calls tell become units, earnings and balances; events become notices, time commands."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.billing.app import billing, rules_of
from services.billing.notices import notices_of
from services.billing.states import STATES
from services.billing.sweeps import sweeps
from shared.messages.billing import BILLING_EVENTS, SessionUnitDeducted, SubscriptionActivated, SubscriptionImported
from shared.messages.fields import EventData
from shared.messages.refusal import Rejected
from shared.runtimes import processor
from shared.runtimes.stream_processor import run_stream_processor
from shared.settings import Settings

#: What it reads: every event that changes a balance, and those that somebody is told of.
_EVENTS: Final = {type_: model for type_, model in BILLING_EVENTS.items() if not issubclass(model, Rejected)}


async def run_consumer(settings: Settings) -> None:
    """Decide commands and hear what calls tell, until told to stop."""
    await run_stream_processor(settings, billing(settings))


async def run_processor(settings: Settings) -> None:
    """Sweep, and ask for notices, until told to stop."""
    rules = rules_of(settings)

    def deadlines_of(event: EventData) -> Sequence[datetime]:
        match event:
            case SessionUnitDeducted():
                # The next unit of the session.
                return (event.due_at + rules.billing_period,)
            case SubscriptionActivated() | SubscriptionImported():
                return (event.ends_at,)
            case _:
                return ()

    await processor.run_processor(
        settings,
        "billing",
        events=_EVENTS,
        notices_of=notices_of,
        deadlines_of=deadlines_of,
        sweeps=sweeps(),
        states=STATES,
    )
