"""What the auditor reads: records as any Kafka client sees them, and the names of the topics they lie on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Record(NamedTuple):
    """One record of a topic, undecoded.

    A named tuple and not a dataclass, because hundreds of thousands of them are made while a mesh is read.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    """The record's timestamp since the epoch; the broker's append time on a commands topic."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Position(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Topics:
    """The four topics of the booking service, by what they hold."""

    commands: str
    events: str
    dead_letters: str
    notifications: str

    @classmethod
    def of(cls, prefix: str) -> "Topics":
        """The topics of the mesh with this prefix."""
        commands = f"{prefix}.booking.commands.v1"
        return cls(commands, f"{prefix}.booking.events.v1", f"{commands}.dlq", f"{prefix}.notify.commands.v1")

    @property
    def all(self) -> tuple[str, ...]:
        """Every topic that is read."""
        return (self.commands, self.events, self.dead_letters, self.notifications)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is known of the topics beside their records; it bounds what may be demanded of them."""

    prefix: str = "telemed"
    partition_counts: Mapping[str, int] = field(default_factory=dict)
    """Topic → number of partitions; a topic that is missing here has its partitioning unchecked."""
    beginnings: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """(topic, partition) → first offset that retention has left; 0 where missing."""
    decided_offsets: Mapping[int, int] | None = None
    """Partition of the commands topic → offset below which outcomes are demanded. None: of all. A missing partition: none of it."""
    noticed_offsets: Mapping[int, int] | None = None
    """Partition of the events topic → offset below which notification requests are demanded. None: of all."""
    acknowledged: Collection[tuple[str, int, int]] = ()
    """Positions (topic, partition, offset) that Kafka acknowledged to a producer."""

    def is_decided(self, partition: int, offset: int) -> bool:
        """Whether the commands up to this one were committed by their consumer."""
        return self.decided_offsets is None or offset < self.decided_offsets.get(partition, 0)

    def is_noticed(self, partition: int, offset: int) -> bool:
        """Whether the events up to this one were committed by the processor that sends the notices."""
        return self.noticed_offsets is None or offset < self.noticed_offsets.get(partition, 0)

    def beginning(self, topic: str, partition: int) -> int:
        """The first offset that retention has left."""
        return self.beginnings.get((topic, partition), 0)

    def is_trimmed(self, topic: str) -> bool:
        """Whether retention has already removed records of this topic."""
        return any(offset > 0 for (name, _), offset in self.beginnings.items() if name == topic)
