"""Everything that was read, and the indexes that the checks share: one history for each service, and the mesh that they make."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property

from shared.auditor.envelopes import Readability
from shared.auditor.facts import Command, DeadLetter, Event, Notification
from shared.auditor.records import Record, Scope, Topics
from shared.auditor.report import Findings, RecordReference
from shared.auditor.words import ServiceWords

#: A kind of entity, and the id of one.
Entity = tuple[str, str]


class History:
    """What was read of one service."""

    def __init__(self, words: ServiceWords, scope: Scope, findings: Findings, others: Mapping[str, "History"]) -> None:
        """An empty history of a service.

        Args:
            words: how it speaks.
            scope: what is known beside the records.
            findings: where the checks note what they find.
            others: the histories of all services by name, this one included, once they are there.
        """
        self.words = words
        self.scope = scope
        self.findings = findings
        self.others = others
        self.topics = Topics.of(scope.prefix, words.name, are_events_read=words.has_processor)
        self.commands: defaultdict[int, dict[int, Command]] = defaultdict(dict)
        """Partition → offset → command."""
        self.events: dict[str, Event] = {}
        self.moved_copies: list[Record] = []
        """Copies of events that lie on another partition, without what they say."""
        self.unusable_events: set[tuple[int, int]] = set()
        """Where records lie on the events topic that are no event of this service."""
        self.dead_letters: dict[str, DeadLetter] = {}
        self.event_dead_letters: dict[str, DeadLetter] = {}
        self.notifications: dict[str, Notification] = {}
        self.copies: Counter[str] = Counter()
        """Topic → records that were copies."""
        self.events_of_unknown_type = 0
        topics = {*self.topics.all, self.topics.notifications}
        self.unseen = {place for place in scope.acknowledged if place[0] in topics}
        """Acknowledged positions on the service's topics that were not read."""
        # What the checks count.
        self.misrouted_commands = 0
        self.overdue = 0
        self.in_flight_commands = 0
        """Records that no consumer has committed and that have no outcome yet."""
        self.in_flight_notifications = 0
        """Notification requests still to come, for events that the processor has not committed."""

    @property
    def name(self) -> str:
        """The service's."""
        return self.words.name

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
    def entities(self) -> dict[Entity, list[Event]]:
        """Entity → the events that changed it, by version."""
        entities: dict[Entity, list[Event]] = {}
        for event in self.events.values():
            if event.entity_id is not None and self.words.change(event) is not None:
                entities.setdefault((event.entity, event.entity_id), []).append(event)
        repeatable = {type_ for type_, words in self.words.events.items() if words.says_again is not None}
        for entity, events in entities.items():
            events.sort(key=lambda event: (event.version, event.type in repeatable, event.position))
            if repeatable:
                entities[entity] = self._without_repetitions(events)
        return entities

    def _without_repetitions(self, events: list[Event]) -> list[Event]:
        """Those that changed something, of an entity's events by version."""
        changes = events[:1]
        for event in events[1:]:
            says_again = self.words.events[event.type].says_again
            if says_again is None or event.version != changes[-1].version or not says_again(changes[-1], event):
                changes.append(event)
        return changes

    def is_change(self, event: Event) -> bool:
        """Whether the event raised the version of its entity."""
        words = self.words.events.get(event.type)
        if words is None or words.change is None or event.entity_id is None:
            return False
        return words.says_again is None or event in self.entities[event.entity, event.entity_id]

    def entities_of(self, kind: str) -> Iterable[tuple[str, list[Event]]]:
        """The ids of a kind of entity, with the events that changed each, by version."""
        return ((identifier, changes) for (entity, identifier), changes in self.entities.items() if entity == kind)

    @cached_property
    def dead_letters_by_position(self) -> dict[tuple[int, int], list[DeadLetter]]:
        """(partition, offset) of the commands topic → its dead letters."""
        letters: dict[tuple[int, int], list[DeadLetter]] = {}
        for letter in self.dead_letters.values():
            letters.setdefault((letter.original_partition, letter.original_offset), []).append(letter)
        return letters

    @cached_property
    def _ids_in_flight(self) -> frozenset[str]:
        named: set[str] = set()
        if self.name in self.scope.committed:
            for command in self.all_commands():
                if not self.is_decided(command):
                    named |= {name for name in (command.key, command.patient_id) if name is not None}
            for heard in self.words.hears & self.others.keys():
                for event in self.others[heard].events.values():
                    if not self.has_heard(self.others[heard], event):
                        named |= {name for name in (event.key, event.patient_id) if name is not None}
        return frozenset(named)

    def is_in_flight(self, event: Event) -> bool:
        """Whether somebody has a record that is not decided yet: of what is theirs some events may be still to come."""
        return event.key in self._ids_in_flight or (self.words.is_ordered_by_patient and event.patient_id in self._ids_in_flight)

    def is_decided(self, command: Command) -> bool:
        """Whether the command's consumer has committed it, so that its outcome must be there."""
        return self.scope.is_committed(self.name, self.topics.commands, command.partition, command.offset)

    def has_heard(self, other: "History", event: Event) -> bool:
        """Whether this service has committed another's event."""
        return self.scope.is_committed(self.name, other.topics.events, event.partition, event.offset)

    def is_noticed(self, event: Event) -> bool:
        """Whether the event's processor has committed it, so that who must be told of it is told."""
        return self.scope.is_committed(f"{self.name}-processor", self.topics.events, event.partition, event.offset)

    def deciding_command(self, event: Event) -> Command | None:
        """The record that the event says decided it, if that was a command."""
        if event.decision_topic != self.topics.commands:
            return None
        return self.commands[event.decision_partition].get(event.decision_offset)

    def of_command(self, command: Command) -> RecordReference:
        """The command as a proof."""
        identifier = command.identity.rpartition("\n")[2] or None
        return RecordReference(self.topics.commands, command.partition, command.offset, command.key, identifier, command.entity_id)

    def of_event(self, event: Event) -> RecordReference:
        """The event as a proof."""
        return RecordReference(self.topics.events, event.partition, event.offset, event.key, event.id, event.entity_id)

    def of_dead_letter(self, letter: DeadLetter) -> RecordReference:
        """The dead letter as a proof."""
        is_of_event = letter.id not in self.dead_letters and self.topics.event_dead_letters is not None
        topic = self.topics.event_dead_letters if is_of_event else self.topics.dead_letters
        return RecordReference(topic or "", letter.partition, letter.offset, None, letter.id)

    def of_notification(self, notification: Notification) -> RecordReference:
        """The notification request as a proof."""
        return RecordReference(
            self.topics.notifications, notification.partition, notification.offset, notification.recipient_id, notification.id
        )
