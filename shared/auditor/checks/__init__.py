"""The checks, one promise of the contract per module. A check reads the history and notes what it finds; it changes nothing else."""

from collections.abc import Callable
from typing import Final

from shared.auditor.checks import (
    acknowledged,
    causes,
    dead_letters,
    notifications,
    outcomes,
    overlaps,
    refusals,
    transitions,
    versions,
)
from shared.auditor.history import History

Check = Callable[[History], None]

#: Every check, in the order in which its findings are shown: the gravest first.
CHECKS: Final[tuple[Check, ...]] = (
    overlaps.check,
    outcomes.check,
    causes.check,
    acknowledged.check,
    dead_letters.check,
    versions.check,
    transitions.check,
    refusals.check,
    notifications.check,
)
