"""What lies in Kafka and what goes there, apart from any client library."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

#: Kafka's headers: in order, and not necessarily unique.
Headers = Sequence[tuple[str, bytes]]

MAX_VALUE_BYTES = 64 * 1024


class UnreadableName(str):
    """A header's name that is not UTF-8: its bytes, made printable with backslashes."""

    __slots__ = ()


def has_unreadable_name(headers: Headers) -> bool:
    """Whether a header has a name that is not UTF-8."""
    return UnreadableName in [type(name) for name, _ in headers]


class Record(Protocol):
    """One record as a client hands it over; aiokafka's ``ConsumerRecord`` is one."""

    @property
    def topic(self) -> str:
        """The topic it lies in."""

    @property
    def partition(self) -> int:
        """The partition it lies on."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970, UTC: the broker's append time on command topics."""

    @property
    def key(self) -> bytes | None:
        """The key, if it has one."""

    @property
    def value(self) -> bytes | None:
        """The value; ``None`` for a tombstone."""

    @property
    def headers(self) -> Headers:
        """The headers."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as plain data."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class OutgoingMessage(NamedTuple):
    """A message to publish.

    Attributes:
        partition: only for a message without a key; otherwise the key decides.
        partition_key: decides in the key's place, where what shares it is to lie together under keys of its own.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None
    partition_key: bytes | None = None
