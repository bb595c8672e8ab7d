"""Which topics a service reads, and what it makes of their records."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from shared.codec.decode import Received, Unreadable, decode
from shared.codec.events import Ignored, decode_event
from shared.codec.record import Record
from shared.path.service import Service
from shared.topics import commands_topic, events_topic

Decoded = Received | Unreadable | Ignored
#: How the records of each topic are read.
Intake = Mapping[str, Callable[[Record], Decoded]]


def heard_topics(service: Service[Any], topic_prefix: str) -> list[str]:
    """The events topics of other services that it learns from."""
    return [events_topic(topic_prefix, other) for other in service.hears]


def intake_of(service: Service[Any], topic_prefix: str) -> Intake:
    """The service's commands, and the events of others that it hears."""
    intake: dict[str, Callable[[Record], Decoded]] = {
        commands_topic(topic_prefix, service.name): partial(decode, commands=service.commands)
    }
    for other, events in service.hears.items():
        intake[events_topic(topic_prefix, other)] = partial(decode_event, events=events)
    return intake
