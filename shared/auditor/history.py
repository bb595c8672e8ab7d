"""What the auditor remembers: each record reduced to what the checks compare, a few hundred bytes of it.

Entries are named tuples: quick to make, and the garbage collector stops looking at tuples of plain values. Texts that recur are interned.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from shared.auditor.envelopes import Readability
from shared.auditor.records import Scope, Topics
from shared.auditor.report import Findings, RecordReference
from shared.auditor.vocabulary import CHANGES


class Oversize(NamedTuple):
    """What is kept of a record that a dead letter must cut."""

    value_head: bytes
    """A digest of the value's beginning."""
    value_sha256: str
    value_bytes: int
    value_is_cut: bool
    names_are_cut: bool
    """Whether key and headers together are over their limit."""


class Command(NamedTuple):
    """One record of the commands topic."""

    partition: int
    offset: int
    log_time_us: int
    readability: Readability
    identity: str
    """Source, a line feed, id; empty if unreadable."""
    type: str
    key: str | None
    body_digest: bytes
    """Of type and canonical data: what two copies must agree in."""
    raw_digest: bytes
    """Of key, value and headers: what a dead letter must keep."""
    appointment_id: str | None
    patient_id: str | None
    key_is_wrong: bool
    """Whether the body names another doctor than the key."""
    oversize: Oversize | None


class Event(NamedTuple):
    """One event, without its copies."""

    id: str
    type: str
    partition: int
    offset: int
    digest: bytes
    doctor_id: str
    patient_id: str | None
    appointment_id: str | None
    time_us: int
    status: str | None
    starts_us: int
    proposed_starts_us: int | None
    duration_minutes: int
    expires_us: int | None
    cancelled_by: str | None
    version: int
    decision_index: int
    decided_us: int
    identity: str
    command_type: str
    decision_partition: int
    decision_offset: int
    status_code: int | None
    reason: str | None
    conflict_id: str | None

    @property
    def position(self) -> tuple[int, int, int]:
        """Where the log decided it: partition, offset, index."""
        return (self.decision_partition, self.decision_offset, self.decision_index)


class DeadLetter(NamedTuple):
    """One dead letter, without its copies."""

    id: str
    partition: int
    offset: int
    digest: bytes
    original_partition: int
    original_offset: int
    reason: str
    raw_digest: bytes
    value_head: bytes
    texts: frozenset[str]
    """The texts in which a cut value's SHA-256 and length may stand; empty if the original could not need a cut."""


class Notification(NamedTuple):
    """One notification request of booking's, without its copies."""

    id: str
    partition: int
    offset: int
    digest: bytes
    recipient_id: str
    template: str
    priority: str
    cause: str
    """The ``ce_id`` of the event."""


class History:
    """Everything that was read, and the indexes that the checks share."""

    def __init__(self, scope: Scope) -> None:
        """An empty history of a mesh within this scope."""
        self.scope = scope
        self.topics = Topics.of(scope.prefix)
        self.commands: defaultdict[int, dict[int, Command]] = defaultdict(dict)
        """Partition → offset → command."""
        self.events: dict[str, Event] = {}
        self.dead_letters: dict[str, DeadLetter] = {}
        self.notifications: dict[str, Notification] = {}
        self.copies: Counter[str] = Counter()
        """Topic → records that were copies."""
        self.events_of_unknown_type = 0
        self.misrouted_commands = 0
        self.unseen: set[tuple[str, int, int]] = set(scope.acknowledged)
        """Acknowledged positions that were not read."""
        self.findings = Findings()

    def all_commands(self) -> Iterable[Command]:
        """Every record of the commands topic, in log order of each partition."""
        for partition in sorted(self.commands):
            records = self.commands[partition]
            yield from (records[offset] for offset in sorted(records))

    @cached_property
    def attempts(self) -> dict[str, list[Command]]:
        """Identity → the records that carry it; unreadable ones are left out."""
        attempts: dict[str, list[Command]] = {}
        for command in self.all_commands():
            if command.readability is not Readability.UNREADABLE:
                attempts.setdefault(command.identity, []).append(command)
        return attempts

    @cached_property
    def decisions(self) -> dict[str, list[Event]]:
        """Identity → the events of its decision, the outcome first."""
        decisions: dict[str, list[Event]] = {}
        for event in self.events.values():
            decisions.setdefault(event.identity, []).append(event)
        for events in decisions.values():
            if len(events) > 1:
                events.sort(key=lambda event: (event.decision_index, event.offset))
        return decisions

    @cached_property
    def appointments(self) -> dict[str, list[Event]]:
        """Appointment → the events that changed it, by version."""
        appointments: dict[str, list[Event]] = {}
        for event in self.events.values():
            if event.type in CHANGES and event.appointment_id is not None:
                appointments.setdefault(event.appointment_id, []).append(event)
        for events in appointments.values():
            events.sort(key=lambda event: (event.version, event.position))
        return appointments

    @cached_property
    def dead_letters_by_position(self) -> dict[tuple[int, int], list[DeadLetter]]:
        """(partition, offset) of the commands topic → its dead letters."""
        letters: dict[tuple[int, int], list[DeadLetter]] = {}
        for letter in self.dead_letters.values():
            letters.setdefault((letter.original_partition, letter.original_offset), []).append(letter)
        return letters

    @cached_property
    def doctors_in_flight(self) -> frozenset[str]:
        """Doctors of whom a command is not committed: of their appointments some events may be still to come."""
        if self.scope.decided_offsets is None:
            return frozenset()
        return frozenset(command.key for command in self.all_commands() if command.key is not None and not self.is_decided(command))

    def is_decided(self, command: Command) -> bool:
        """Whether the command's consumer has committed it, so that its outcome must be there."""
        return self.scope.is_decided(command.partition, command.offset)

    def deciding_command(self, event: Event) -> Command | None:
        """The record that the event says decided it."""
        return self.commands[event.decision_partition].get(event.decision_offset)

    def of_command(self, command: Command) -> RecordReference:
        """The command as a proof."""
        return RecordReference(
            self.topics.commands,
            command.partition,
            command.offset,
            command.key,
            command.identity.rpartition("\n")[2] or None,
            command.appointment_id,
        )

    def of_event(self, event: Event) -> RecordReference:
        """The event as a proof."""
        return RecordReference(self.topics.events, event.partition, event.offset, event.doctor_id, event.id, event.appointment_id)

    def of_dead_letter(self, letter: DeadLetter) -> RecordReference:
        """The dead letter as a proof."""
        return RecordReference(self.topics.dead_letters, letter.partition, letter.offset, None, letter.id)

    def of_notification(self, notification: Notification) -> RecordReference:
        """The notification request as a proof."""
        return RecordReference(
            self.topics.notifications, notification.partition, notification.offset, notification.recipient_id, notification.id
        )
