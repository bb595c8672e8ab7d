"""The checks of what every service promises, one promise of the contract per module.

A check reads the history of one service and notes what it finds; it changes nothing else. What only one service promises is checked in that
service's own folder.
"""

from collections.abc import Callable
from typing import Final

from shared.auditor.checks import (
    acknowledged,
    causes,
    dead_letters,
    notifications,
    outcomes,
    overdue,
    partitions,
    statuses,
    transitions,
    versions,
)
from shared.auditor.history import History

Check = Callable[[History], None]

#: The common checks, in the order in which their findings are shown: the gravest first.
COMMON: Final[tuple[Check, ...]] = (
    outcomes.check,
    causes.check,
    acknowledged.check,
    partitions.check,
    dead_letters.check,
    versions.check,
    transitions.check,
    statuses.check,
    overdue.check,
    notifications.check,
)
