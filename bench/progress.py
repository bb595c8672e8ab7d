"""What is going on, for whoever waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Steps:
    """The steps of a run, and how far it is; use it as ``with``."""

    def __init__(self, console: Console, total: int) -> None:
        """Make it.

        Args:
            console: where to show it.
            total: how many steps there will be.
        """
        self._console = console
        self._progress = Progress(
            SpinnerColumn(), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"), console=console
        )
        self._task = self._progress.add_task("starting Kafka and PostgreSQL", total=total)

    def __enter__(self) -> Self:
        """Show it."""
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Show it no longer."""
        self._progress.stop()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """One step, for the time of the block."""
        self._progress.update(self._task, description=what)
        yield
        self._progress.advance(self._task)

    def say(self, sentence: str) -> None:
        """Say something that stays."""
        self._console.print(sentence, highlight=False, markup=False)
