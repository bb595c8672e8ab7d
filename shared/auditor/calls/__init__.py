"""Calls, as the auditor knows it."""

from typing import Final

from shared.auditor.calls import live, requests, steps
from shared.auditor.calls.words import WORDS
from shared.auditor.checks import Check

#: What only calls promises, the gravest first.
CHECKS: Final[tuple[Check, ...]] = (live.check, steps.check, requests.check)

__all__ = ["CHECKS", "WORDS"]
