"""What billing publishes of balances as they stand."""

from collections.abc import Collection, Sequence
from typing import Final

from services.billing.store.show import standing
from services.billing.wire import standing_balance
from shared.database import Connection
from shared.messages.billing import BILLING_STATES, BalanceChanged, BalanceState, SessionUnitEvent, SubscriptionEvent
from shared.messages.fields import EventData, Modality, type_of
from shared.state_topic import State, StateTopic

[_BALANCES] = BILLING_STATES


def changed_balance(event: EventData) -> str | None:
    """The balance that an event has changed, as ``modality:patient_id``: both can be read from it."""
    if not isinstance(event, SessionUnitEvent | SubscriptionEvent | BalanceChanged) or event.balance is None:
        return None
    return f"{event.balance.modality}:{event.balance.patient_id}"


async def read_balances(connection: Connection, changed: Collection[str]) -> Sequence[State]:
    """The balances as they stand at this moment."""
    asked = [(patient_id, Modality(modality)) for modality, _, patient_id in (name.partition(":") for name in changed)]
    return [standing_balance(balance, changed_at) for balance, changed_at in await standing(connection, asked)]


STATES: Final = (StateTopic(name=_BALANCES, type=type_of(BalanceState), entity_of=changed_balance, read=read_balances),)
