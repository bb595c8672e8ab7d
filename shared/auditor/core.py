"""The audit itself: records in, report out. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from shared.auditor.checks import COMMON
from shared.auditor.envelopes import Readability
from shared.auditor.history import History
from shared.auditor.intake import commands, dead_letters, events, notifications
from shared.auditor.records import Record, Scope
from shared.auditor.report import Counts, Findings, Report
from shared.auditor.services import SERVICES

Intake = Callable[[History, Record], None]


class Audit:
    """An audit under way: give it every record, then conclude."""

    def __init__(self, scope: Scope) -> None:
        """Begin with nothing read."""
        self._scope = scope
        self._findings = Findings()
        self._histories: dict[str, History] = {}
        self._intakes: defaultdict[str, list[tuple[Intake, History]]] = defaultdict(list)
        for name in SERVICES:
            if scope.services is not None and name not in scope.services:
                continue
            history = History(SERVICES[name].words, scope, self._findings, self._histories)
            self._histories[name] = history
            for topic, intake in (
                (history.topics.commands, commands.take),
                (history.topics.events, events.take),
                (history.topics.dead_letters, dead_letters.take),
                (history.topics.event_dead_letters, dead_letters.take_of_event),
                (history.topics.notifications, notifications.take),
            ):
                if topic is not None:
                    self._intakes[topic].append((intake, history))

    @property
    def topics(self) -> list[str]:
        """Every topic that is to be read, effects before their causes: whatever is read has its cause read too, if looked up in this order."""
        topics: dict[str, None] = {}
        for history in self._histories.values():
            if history.topics.commands != history.topics.notifications:
                topics[history.topics.notifications] = None
            topics |= dict.fromkeys(history.topics.all)
        return list(topics)

    @property
    def groups(self) -> dict[str, set[str]]:
        """The mesh's consumer groups, without the prefix, each with the topics that it commits."""
        groups: dict[str, set[str]] = {}
        for name, history in self._histories.items():
            heard = {other.topics.events for other_name, other in self._histories.items() if other_name in history.words.hears}
            groups[name] = {history.topics.commands} | heard
            if history.words.has_processor:
                groups[f"{name}-processor"] = {history.topics.events}
        return groups

    def take(self, record: Record) -> None:
        """Read one record, in any order; topics that the audit does not know are passed over."""
        for intake, history in self._intakes.get(record.topic, ()):
            history.unseen.discard((record.topic, record.partition, record.offset))
            intake(history, record)

    def conclude(self) -> Report:
        """Run every check."""
        for name, history in self._histories.items():
            for check in (*SERVICES[name].checks, *COMMON):
                check(history)
        counts = {name: _counts(history) for name, history in self._histories.items()}
        return Report(counts, len(set(self._scope.acknowledged)), tuple(self._findings.violations), dict(self._findings.totals))


def audit_records(records: Iterable[Record], scope: Scope | None = None) -> Report:
    """Audit these records.

    Args:
        records: of the topics of `scope.prefix`, in any order.
        scope: what is known beside them; by default everything is decided and nothing was removed.
    """
    audit = Audit(scope or Scope())
    for record in records:
        audit.take(record)
    return audit.conclude()


def _counts(history: History) -> Counts:
    readable = sum(map(len, history.attempts.values()))
    outcomes = [event for event in history.events.values() if event.decision_index == 0]
    statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (kind, _), changes in history.entities.items():
        statuses[kind][changes[-1].status or ""] += 1
    return Counts(
        commands=len(history.attempts),
        command_copies=readable - len(history.attempts),
        unreadable_commands=sum(command.readability is Readability.UNREADABLE for command in history.all_commands()),
        misrouted_commands=history.misrouted_commands,
        events=len(history.events),
        event_copies=history.copies[history.topics.events],
        events_of_unknown_type=history.events_of_unknown_type,
        outcomes=dict(sorted(Counter(event.type for event in outcomes).items())),
        refusals=dict(sorted(Counter(event.reason or "" for event in outcomes if event.is_refusal).items())),
        entities={kind: dict(sorted(counted.items())) for kind, counted in sorted(statuses.items())},
        overdue=history.overdue,
        dead_letters=len(history.dead_letters),
        dead_letter_copies=history.copies[history.topics.dead_letters],
        event_dead_letters=len(history.event_dead_letters),
        notifications=len(history.notifications),
        notification_copies=history.copies[history.topics.notifications],
        in_flight_commands=history.in_flight_commands,
        in_flight_notifications=history.in_flight_notifications,
    )
