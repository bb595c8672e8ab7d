"""Nothing waits past its deadline while the sweeps run.

When a sweep was down, the topics do not say; but it closes what fell due in the order of the deadlines. So what it left behind, while it
closed what fell due long after it, has waited although the mesh was up.
"""

from collections import defaultdict
from typing import Final, NamedTuple

from shared.auditor.facts import Event
from shared.auditor.history import History
from shared.auditor.instants import NEVER_US, shown
from shared.auditor.report import ViolationKind

#: Several workers take turns at a sweep, and their clocks differ a little.
_SLACK_US: Final = 5_000_000


class _Due(NamedTuple):
    """Something that fell due."""

    deadline_us: int
    closed_us: int
    """When the command was appended that closed it; for ever if none was."""
    by_sweep: bool
    waiting: Event
    """The event that set the deadline."""


def check(history: History) -> None:
    """Compare what fell due with what fell due after it, by kind of entity and partition."""
    groups: defaultdict[tuple[str, int], list[_Due]] = defaultdict(list)
    newest_us = max((command.log_time_us for command in history.all_commands()), default=0)
    for (kind, _), changes in history.entities.items():
        for waiting, event in zip(changes, [*changes[1:], None], strict=True):
            due = _due(history, waiting, event)
            if due is not None:
                groups[kind, waiting.decision_partition].append(due)
                history.overdue += due.closed_us == NEVER_US and due.deadline_us < newest_us
    for group in groups.values():
        _judge(history, group)


def _due(history: History, waiting: Event, event: Event | None) -> _Due | None:
    """What was due, if nothing happened to the entity before its deadline."""
    if waiting.deadline_us is None or waiting.decision_topic != history.topics.commands:
        return None
    if event is None:
        return None if history.is_in_flight(waiting) else _Due(waiting.deadline_us, NEVER_US, by_sweep=False, waiting=waiting)
    command = history.deciding_command(event)
    if command is None or not history.words.closed_by_deadline(event):
        return None
    return _Due(waiting.deadline_us, command.log_time_us, command.type in history.words.sweeps, waiting)


def _judge(history: History, group: list[_Due]) -> None:
    """Report what the sweep passed by: it closed something that fell due later, and that long before."""
    sweeping = sorted((due for due in group if due.by_sweep), key=lambda due: due.closed_us)
    latest_us, number = 0, 0
    for due in sorted(group, key=lambda due: due.closed_us):
        while number < len(sweeping) and sweeping[number].closed_us < due.closed_us - _SLACK_US:
            latest_us = max(latest_us, sweeping[number].deadline_us)
            number += 1
        if latest_us > due.deadline_us + _SLACK_US:
            name = f"The {due.waiting.entity} {due.waiting.entity_id}"
            closed = "never closed" if due.closed_us == NEVER_US else f"closed at {shown(due.closed_us)}"
            sentence = (
                f"{name} fell due at {shown(due.deadline_us)} and was {closed}; what fell due at {shown(latest_us)} was closed before."
            )
            history.findings.add(ViolationKind.OVERDUE, sentence, history.of_event(due.waiting))
