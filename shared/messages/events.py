"""What a decision says: the events of all services and what they ask of others, before it is encoded."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from shared.messages.fields import Command


class Event(NamedTuple):
    """One event of a decision.

    Attributes:
        type: the ``ce_type``.
        key: the record's key, such as the doctor's id.
        subject: the entity's id, or ``None`` when a refused command named none that can be shown.
        time: the business time.
        version: the entity's version after it; 0 when the entity does not exist.
        body: the fields of the value, between ``time`` and ``version``.
    """

    type: str
    key: str
    subject: str | None
    time: datetime
    version: int
    body: Mapping[str, object]


class Request(NamedTuple):
    """A command that follows from a decision, to another service or to the own one.

    Attributes:
        command: the data; its type names the service that decides it.
        identifier: with the publishing service's source its identity; ``None``: one that follows from the cause.
    """

    command: Command
    identifier: str | None = None
