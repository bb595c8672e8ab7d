"""Billing, as the auditor knows it."""

from typing import Final

from shared.auditor.billing import balances, settlements, units, warnings
from shared.auditor.billing.words import WORDS
from shared.auditor.checks import Check

#: What only billing promises, the gravest first.
CHECKS: Final[tuple[Check, ...]] = (balances.check, units.check, settlements.check, warnings.check)

__all__ = ["CHECKS", "WORDS"]
