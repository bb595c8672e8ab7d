"""The audit itself: records in, report out. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable

from shared.auditor.checks import CHECKS
from shared.auditor.envelopes import Readability
from shared.auditor.history import History
from shared.auditor.intake import commands, dead_letters, events, notifications
from shared.auditor.records import Record, Scope
from shared.auditor.report import Counts, Report
from shared.auditor.vocabulary import REJECTED

Intake = Callable[[History, Record], None]


class Audit:
    """An audit under way: give it every record, then conclude."""

    def __init__(self, scope: Scope) -> None:
        """Begin with nothing read."""
        self._history = History(scope)
        topics = self._history.topics
        self._intakes: dict[str, Intake] = {
            topics.commands: commands.take,
            topics.events: events.take,
            topics.dead_letters: dead_letters.take,
            topics.notifications: notifications.take,
        }

    def take(self, record: Record) -> None:
        """Read one record, in any order; topics that the audit does not know are passed over."""
        self._history.unseen.discard((record.topic, record.partition, record.offset))
        intake = self._intakes.get(record.topic)
        if intake is not None:
            intake(self._history, record)

    def conclude(self) -> Report:
        """Run every check."""
        for check in CHECKS:
            check(self._history)
        findings = self._history.findings
        return Report(_counts(self._history), tuple(findings.violations), dict(findings.totals))


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
    latest = (changes[-1].status or "" for changes in history.appointments.values())
    return Counts(
        commands=len(history.attempts),
        command_copies=readable - len(history.attempts),
        unreadable_commands=sum(command.readability is Readability.UNREADABLE for command in history.all_commands()),
        misrouted_commands=history.misrouted_commands,
        acknowledged=len(set(history.scope.acknowledged)),
        events=len(history.events),
        event_copies=history.copies[history.topics.events],
        events_of_unknown_type=history.events_of_unknown_type,
        outcomes=dict(sorted(Counter(event.type for event in outcomes).items())),
        refusals=dict(sorted(Counter(event.reason or "" for event in outcomes if event.type == REJECTED).items())),
        appointments=dict(sorted(Counter(latest).items())),
        dead_letters=len(history.dead_letters),
        dead_letter_copies=history.copies[history.topics.dead_letters],
        notifications=len(history.notifications),
        notification_copies=history.copies[history.topics.notifications],
        in_flight_commands=history.findings.in_flight_commands,
        in_flight_notifications=history.findings.in_flight_notifications,
    )
