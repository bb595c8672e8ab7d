"""What the auditor reads: records as any Kafka client sees them, and the names of the topics they lie on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.auditor.rules import Rules


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
    """The topics of one service, by what they hold."""

    commands: str
    events: str
    dead_letters: str
    """Of its commands."""
    event_dead_letters: str | None
    """Of its events: what those who read them set aside; None: nobody reads them."""
    notifications: str
    """The requests of all services."""

    @classmethod
    def of(cls, prefix: str, service: str, *, are_events_read: bool = True) -> "Topics":
        """The topics of a service in the mesh with this prefix."""
        commands, events = f"{prefix}.{service}.commands.v1", f"{prefix}.{service}.events.v1"
        return cls(commands, events, f"{commands}.dlq", f"{events}.dlq" if are_events_read else None, f"{prefix}.notify.commands.v1")

    @property
    def all(self) -> tuple[str, ...]:
        """The service's own topics: effects before their causes."""
        own = (self.dead_letters, self.events, self.commands)
        return own if self.event_dead_letters is None else (self.event_dead_letters, *own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is known of the topics beside their records; it bounds what may be demanded of them."""

    prefix: str = "telemed"
    services: Collection[str] | None = None
    """The services whose topics are judged; None: all that the auditor knows."""
    partition_counts: Mapping[str, int] = field(default_factory=dict)
    """Topic → number of partitions; a topic that is missing here has its partitioning unchecked."""
    beginnings: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """(topic, partition) → first offset that retention has left; 0 where missing."""
    committed: Mapping[str, Mapping[tuple[str, int], int]] = field(default_factory=dict)
    """Group, without the prefix → (topic, partition) → the offset below which it has done all; nothing of a place that is missing.

    Of a group that is missing altogether, everything: so all that it owes is demanded.
    """
    acknowledged: Collection[tuple[str, int, int]] = ()
    """Positions (topic, partition, offset) that Kafka acknowledged to a producer."""
    rules: Rules | None = field(default_factory=Rules)
    """The settings to judge by; None: what depends on them is not judged."""

    def is_committed(self, group: str, topic: str, partition: int, offset: int) -> bool:
        """Whether a group, named without the prefix, has committed this record."""
        committed = self.committed.get(group)
        return committed is None or offset < committed.get((topic, partition), 0)

    def beginning(self, topic: str, partition: int) -> int:
        """The first offset that retention has left."""
        return self.beginnings.get((topic, partition), 0)

    def is_trimmed(self, topic: str) -> bool:
        """Whether retention has already removed records of this topic."""
        return any(offset > 0 for (name, _), offset in self.beginnings.items() if name == topic)
