"""What a scenario comes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The word in the table."""

    #: It was tried on this mesh, and it held.
    PASS = "PASS"  # noqa: S105 - a verdict
    #: It was tried, and it did not hold.
    FAIL = "FAIL"
    #: It could not be tried on this mesh; the detail says why.
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, and what was seen.

    Attributes:
        detail: numbers for a pass, what was wrong for a failure.
    """

    verdict: Verdict
    detail: str


@dataclass(slots=True)
class Row:
    """One line of the table.

    Attributes:
        title: what is promised.
        finding: ``None`` as long as it runs or waits.
    """

    title: str
    finding: Finding | None = None


class CannotPlayError(Exception):
    """There is no mesh to play on, or it cannot be made ready; the message says why, and what to do."""


class BrokenPromiseError(Exception):
    """A scenario saw what must not be; the message says what."""


def promise(kept: object, otherwise: str) -> None:
    """Go on if the promise was kept.

    Raises:
        BrokenPromiseError: it was not; says what was seen instead.
    """
    if not kept:
        raise BrokenPromiseError(otherwise)


def any_failed(rows: Sequence[Row]) -> bool:
    """Whether one of the rows failed, or never came to a finding."""
    return any(row.finding is None or row.finding.verdict is Verdict.FAIL for row in rows)
