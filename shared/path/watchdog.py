"""Ends a process that hangs, so that another takes its partitions.

A thread of its own, because what hangs may be the event loop. It counts hangs only: a failure that answers ends the
expectation, and the next attempt begins a new one.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: The exit code of a process that was ended so.
EXIT_HUNG: Final = 70


class Watchdog:
    """Watches what is expected to end within a time."""

    def __init__(self, deadline_seconds: float) -> None:
        """Start watching.

        Args:
            deadline_seconds: how long anything expected may take.
        """
        self._deadline_seconds = deadline_seconds
        self._expected: dict[int, tuple[str, float]] = {}
        self._next = 0
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @contextmanager
    def expect(self, what: str) -> Iterator[None]:
        """End the process if the block takes longer than the deadline."""
        self._next += 1
        key = self._next
        self._expected[key] = (what, time.monotonic())
        try:
            yield
        finally:
            self._expected.pop(key, None)

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def oldest_seconds(self) -> float:
        """How long the longest running expectation has been waiting."""
        return max((time.monotonic() - since for _, since in list(self._expected.values())), default=0.0)

    def _watch(self) -> None:
        while not self._stopped.wait(self._deadline_seconds / 10):
            for what, since in list(self._expected.values()):
                if time.monotonic() - since > self._deadline_seconds:
                    self._end(what)

    def _end(self, what: str) -> None:
        sys.stderr.write(f"Hung for more than {self._deadline_seconds:g} seconds while {what}; this process ends itself.\n")
        faulthandler.dump_traceback(all_threads=True)
        os._exit(EXIT_HUNG)
