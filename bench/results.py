"""Figures with their spread, targets, and what a section of the report is."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure that was measured several times."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Make one."""
        return cls(tuple(values))

    @classmethod
    def ratios(cls, above: "Spread", below: "Spread") -> Self:
        """The ratio of two figures, round by round."""
        return cls(tuple(one / other for one, other in zip(above.values, below.values, strict=True)))

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def lowest(self) -> float:
        """The lowest."""
        return min(self.values)

    @property
    def highest(self) -> float:
        """The highest."""
        return max(self.values)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {"median": self.median, "lowest": self.lowest, "highest": self.highest, "rounds": list(self.values)}

    def text(self, form: str = ",.0f") -> str:
        """For people: the median, and the range where there is one."""
        if len(self.values) == 1:
            return f"{self.median:{form}}"
        return f"{self.median:{form}} ({self.lowest:{form}} – {self.highest:{form}})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A figure, and what it must reach.

    Attributes:
        what: in words.
        measured: the figure; its median is judged.
        limit: what it must reach at the least, or may reach at the most.
        aim: what is wanted.
        at_least: whether more is better.
        form: how to write the figure.
        unit: what follows it.
    """

    what: str
    measured: Spread
    limit: float
    aim: float | None = None
    at_least: bool = False
    form: str = ".2f"
    unit: str = ""

    @property
    def passed(self) -> bool:
        """Whether the median reaches the limit."""
        return self._reaches(self.limit)

    @property
    def verdict(self) -> str:
        """For people."""
        if not self.passed:
            return "miss"
        return "PASS, aim reached" if self.aim is not None and self._reaches(self.aim) else "PASS"

    def _reaches(self, limit: float) -> bool:
        return self.measured.median >= limit if self.at_least else self.measured.median <= limit

    def figure_text(self) -> str:
        """The figure, for people."""
        return f"{self.measured.text(self.form)}{self.unit}"

    def target_text(self) -> str:
        """The target, for people."""
        sign = "≥" if self.at_least else "≤"
        aim = "" if self.aim is None else f" (aim {self.aim:g}{self.unit})"
        return f"{sign} {self.limit:g}{self.unit}{aim}"

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "what": self.what,
            "measured": self.measured.as_json(),
            "unit": self.unit.strip(),
            "limit": self.limit,
            "aim": self.aim,
            "at_least": self.at_least,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class Section(Protocol):
    """What one kind of measurement came to."""

    def targets(self) -> list[Target]:
        """What it must reach."""

    def table(self) -> Table:
        """The figures behind them."""

    def as_json(self) -> dict[str, Any]:
        """All of it."""
