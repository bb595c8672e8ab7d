"""What the auditor remembers of each record: what the checks compare, a few hundred bytes of it.

Facts are named tuples: quick to make, and the garbage collector stops looking at tuples of plain values. Texts that recur are interned.
"""

from typing import Any, NamedTuple

from shared.auditor.envelopes import Readability


class Oversize(NamedTuple):
    """What is kept of a record that a dead letter must cut."""

    value_head: bytes
    """A digest of the value's beginning."""
    value_sha256: str
    value_bytes: int
    value_is_cut: bool
    names_are_cut: bool
    """Whether key and headers together are over their limit."""


class Actor(NamedTuple):
    """Who caused a command, as its publisher says."""

    role: str
    id: str


class Command(NamedTuple):
    """One record of a commands topic."""

    partition: int
    offset: int
    log_time_us: int
    readability: Readability
    identity: str
    """Source, a line feed, id; empty if unreadable."""
    type: str
    key: str | None
    key_hash: int | None
    """Its murmur2."""
    body_digest: bytes
    """Of type and canonical data: what two copies must agree in."""
    raw_digest: bytes
    """Of key, value and headers: what a dead letter must keep."""
    entity_id: str | None
    patient_id: str | None
    actor: Actor | None
    cause: str | None
    """The ``ce_id`` of the message that caused it, if its publisher says so."""
    key_is_wrong: bool
    """Whether the body names another id than the key."""
    oversize: Oversize | None


class Conflict(NamedTuple):
    """What a refusal says stood in the way."""

    entity: str
    """Its kind."""
    entity_id: str
    status: str | None
    starts_us: int | None


class Event(NamedTuple):
    """One event, without its copies."""

    id: str
    type: str
    entity: str
    """The kind of thing that it is about: the second word of its type."""
    entity_id: str | None
    partition: int
    offset: int
    digest: bytes
    key: str
    doctor_id: str | None
    patient_id: str | None
    time_us: int
    status: str | None
    deadline_us: int | None
    """Until when something must happen to the entity; after that it is over, whether or not an event says so."""
    version: int
    decision_topic: str
    decision_partition: int
    decision_offset: int
    decision_index: int
    decided_us: int
    identity: str
    """Of the command or the heard event that was decided."""
    command_type: str
    status_code: int | None
    reason: str | None
    conflict: Conflict | None
    state: Any
    """What its service's own checks compare."""

    @property
    def position(self) -> tuple[int, int, int]:
        """Where the log decided it: partition, offset, index."""
        return (self.decision_partition, self.decision_offset, self.decision_index)

    @property
    def is_refusal(self) -> bool:
        """Whether nothing happened."""
        return self.status_code is not None

    def shares_log_with(self, other: "Event") -> bool:
        """Whether one partition of one topic orders the two."""
        return (self.decision_topic, self.decision_partition) == (other.decision_topic, other.decision_partition)


class DeadLetter(NamedTuple):
    """One dead letter, without its copies."""

    id: str
    partition: int
    offset: int
    digest: bytes
    service: str
    """Who set the record aside."""
    original_partition: int
    original_offset: int
    reason: str
    raw_digest: bytes
    value_head: bytes
    texts: frozenset[str]
    """The texts in which a cut value's SHA-256 and length may stand; empty if the original could not need a cut."""


class Notification(NamedTuple):
    """One notification request of a service, without its copies."""

    id: str
    partition: int
    offset: int
    timestamp_ms: int
    digest: bytes
    recipient_id: str
    template: str
    priority: str
    cause: str
    """The ``ce_id`` of the event."""
