"""Every message of the mesh: what is published as the contract is what stands here.

A service's module lists its commands and its events; that it lists them all, each with its model, is tested.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.messages.billing import BILLING_COMMANDS, BILLING_EVENTS, BILLING_STATES
from shared.messages.booking import BOOKING_COMMANDS, BOOKING_EVENTS, BOOKING_STATES
from shared.messages.calls import CALLS_COMMANDS, CALLS_EVENTS, CALLS_STATES
from shared.messages.fields import Command, EventData, StateData, type_of
from shared.messages.notify import NOTIFY_COMMANDS, NOTIFY_EVENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceMessages:
    """What one service takes and publishes.

    Attributes:
        service: its name: the second part of its topics' names, and the first word of its types.
        commands: by type.
        events: by type.
        states: what lies in its state topics, by the topic's name without the prefix.
    """

    service: str
    commands: Mapping[str, type[Command]]
    events: Mapping[str, type[EventData]]
    states: Mapping[str, type[StateData]] = field(default_factory=dict)


REGISTRY: Final = (
    ServiceMessages(service="booking", commands=BOOKING_COMMANDS, events=BOOKING_EVENTS, states=BOOKING_STATES),
    ServiceMessages(service="calls", commands=CALLS_COMMANDS, events=CALLS_EVENTS, states=CALLS_STATES),
    ServiceMessages(service="notify", commands=NOTIFY_COMMANDS, events=NOTIFY_EVENTS),
    ServiceMessages(service="billing", commands=BILLING_COMMANDS, events=BILLING_EVENTS, states=BILLING_STATES),
)

#: All commands of all services, by type.
COMMANDS: Final[Mapping[str, type[Command]]] = {type_: command for messages in REGISTRY for type_, command in messages.commands.items()}
#: All events of all services, by type.
EVENTS: Final[Mapping[str, type[EventData]]] = {type_: event for messages in REGISTRY for type_, event in messages.events.items()}
#: What lies in the state topics, by type.
STATES: Final[Mapping[str, type[StateData]]] = {type_of(state): state for messages in REGISTRY for state in messages.states.values()}
