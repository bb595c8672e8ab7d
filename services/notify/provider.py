"""How a notification leaves the mesh: the one small protocol that every provider fulfils."""

from hashlib import blake2b
from typing import NamedTuple, Protocol

from services.notify.domain.attempt import Answer
from services.notify.wording import Words
from shared.messages.notify import Channel


class Outgoing(NamedTuple):
    """A notification on its way out.

    Attributes:
        address: where the channel reaches the recipient. Personal: it appears in no log.
        key: the same for every attempt, so that whoever can tell copies does.
    """

    notification_id: str
    address: str
    words: Words
    key: str


class Provider(Protocol):
    """Takes notifications on, for one channel."""

    async def send(self, outgoing: Outgoing) -> Answer:
        """Hand one over, and say what came of it. It may be cancelled at any time; then nobody knows."""


def idempotency_key(notification_id: str, channel: Channel) -> str:
    """What every attempt to send a notification on a channel has in common."""
    return blake2b(f"{notification_id}\n{channel}".encode(), digest_size=16).hexdigest()
