"""What the demonstration looks like: live in a terminal, line by line anywhere else."""

import statistics
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from shared.cli.wording import clock, printable
from shared.demo.findings import Finding, Row, Verdict
from shared.demo.post import Receipt
from shared.demo.traffic import Step

_STEPS_SHOWN: Final = 12
_LATENCIES_KEPT: Final = 1_000
_REFRESHES_PER_SECOND: Final = 8
_COLOURS: Final = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.NOT_RUN: "yellow"}


class View(Protocol):
    """Shows the play while it goes on."""

    def step(self, step: Step) -> None:
        """Something happened in the traffic."""

    def found(self, row: Row) -> None:
        """A scenario has come to a finding."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, *exception: object) -> None:
        """End."""


class LineView:
    """For a file or a pipe: one line for each thing that happens."""

    def __init__(self, console: Console) -> None:
        """Say where to print."""
        self._console = console

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End."""

    def step(self, step: Step) -> None:
        """Something happened in the traffic."""
        cells = f"{step.at:%H:%M:%S}  {step.action:8} {step.who:42} {step.outcome:30} {step.latency_milliseconds:6.0f} ms"
        self._console.print(cells, markup=False)

    def found(self, row: Row) -> None:
        """A scenario has come to a finding."""
        assert row.finding is not None
        self._console.print(f"{row.finding.verdict}  {row.title}: {row.finding.detail}", markup=False)


class LiveView:
    """For a terminal: what happens on the left as it happens, below it what is promised."""

    def __init__(self, console: Console, rows: Sequence[Row], title: str) -> None:
        """Say where to draw, and what is being tried."""
        self._rows = rows
        self._title = title
        self._steps: deque[Step] = deque(maxlen=_STEPS_SHOWN)
        self._counts: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=_LATENCIES_KEPT)
        self._spinner = Spinner("dots")
        self._began = time.monotonic()
        self._live = Live(
            console=console, get_renderable=self._draw, refresh_per_second=_REFRESHES_PER_SECOND, transient=True, redirect_stderr=False
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        """Wipe the drawing away: what stays is printed after it."""
        self._live.stop()

    def step(self, step: Step) -> None:
        """Something happened in the traffic."""
        self._steps.append(step)
        self._counts["refused" if not step.good else step.outcome] += 1
        if step.action != "sweep":
            self._latencies.append(step.latency_milliseconds)

    def found(self, row: Row) -> None:
        """A scenario has come to a finding: it is drawn from its row."""

    def _draw(self) -> RenderableType:
        happening = Table(box=None, expand=True, pad_edge=False, header_style="dim")
        happening.add_column("UTC", width=8, no_wrap=True)
        happening.add_column("asked for", width=9, no_wrap=True)
        happening.add_column("by", ratio=3, no_wrap=True, overflow="ellipsis")
        happening.add_column("outcome", ratio=2, no_wrap=True, overflow="ellipsis")
        happening.add_column("after", width=9, justify="right", no_wrap=True)
        for step in self._steps:
            colour = "magenta" if step.action == "sweep" else "green" if step.good else "yellow"
            action = Text(step.action, style="magenta" if step.action == "sweep" else "bold")
            latency = f"{step.latency_milliseconds:,.0f} ms"
            happening.add_row(f"{step.at:%H:%M:%S}", action, step.who, Text(step.outcome, style=colour), latency)
        for _ in range(_STEPS_SHOWN - len(self._steps)):
            happening.add_row("", "", "", "", "")
        return Group(
            Panel(happening, title=f"[bold]{self._title}", subtitle=self._summary(), border_style="cyan"),
            Panel(self._promises(), title="[bold]what the mesh promises", border_style="cyan"),
        )

    def _summary(self) -> str:
        parts = [f"{count} {outcome}" for outcome, count in self._counts.most_common(6)]
        if len(self._latencies) > 1:
            parts.append(f"median {statistics.median(self._latencies):.0f} ms")
        return f"[dim]{' · '.join(parts)} · {time.monotonic() - self._began:.0f} s"

    def _promises(self) -> Table:
        promises = Table(box=None, expand=True, pad_edge=False, show_header=False)
        promises.add_column(width=8)
        promises.add_column(ratio=4, no_wrap=True, overflow="ellipsis")
        promises.add_column(ratio=5, no_wrap=True, overflow="ellipsis")
        for row in self._rows:
            if row.finding is None:
                promises.add_row(self._spinner, row.title, "")
            else:
                promises.add_row(_word(row.finding), row.title, Text(row.finding.detail, style="dim"))
        return promises


def table(rows: Sequence[Row]) -> Table:
    """What stays on the screen."""
    drawn = Table("", "promise", "what was seen", header_style="bold")
    for row in rows:
        finding = row.finding or Finding(Verdict.FAIL, "it never came to an end")
        drawn.add_row(_word(finding), row.title, finding.detail)
    return drawn


def receipts_table(receipts: Sequence[Receipt]) -> Table:
    """What people were told, as they have it."""
    drawn = Table("told", "e-mail", "in the inbox since", header_style="bold", title="What the tests told people")
    for receipt in receipts:
        mail = receipt.mails[0] if receipt.mails else None
        what = printable(mail.subject) if mail is not None else receipt.email_status or "-"
        inbox_at = clock(receipt.inbox_at) if receipt.inbox_at is not None else "-"
        drawn.add_row(receipt.notice.recipient_id, Text(what), inbox_at)
    return drawn


def _word(finding: Finding) -> Text:
    return Text(finding.verdict.value, style=_COLOURS[finding.verdict])
