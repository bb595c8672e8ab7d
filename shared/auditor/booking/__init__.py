"""Booking, as the auditor knows it."""

from typing import Final

from shared.auditor.booking import overlaps, slots, steps
from shared.auditor.booking.words import WORDS
from shared.auditor.checks import Check

#: What only booking promises, the gravest first.
CHECKS: Final[tuple[Check, ...]] = (overlaps.check, steps.check, slots.check)

__all__ = ["CHECKS", "WORDS"]
