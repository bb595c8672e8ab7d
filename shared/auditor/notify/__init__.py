"""Notify, as the auditor knows it."""

from typing import Final

from shared.auditor.checks import Check
from shared.auditor.notify import deliveries, recipients, suppressions
from shared.auditor.notify.words import WORDS

#: What only notify promises.
CHECKS: Final[tuple[Check, ...]] = (deliveries.check, suppressions.check, recipients.check)

__all__ = ["CHECKS", "WORDS"]
