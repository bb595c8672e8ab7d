"""Where tables and longer stories are printed."""

import os
import sys

from rich.console import Console

_PLAIN_WIDTH = 140


class _PatientConsole(Console):
    """Falls silent when nobody reads on (``… | head``): what was begun comes to its end, with its exit code."""

    def on_broken_pipe(self) -> None:
        """Print nothing more, and do not stumble over it at the end."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def table_console() -> Console:
    """A console for tables: as wide as the terminal; in a file or a pipe, wide enough that nothing is cut into pieces."""
    console = _PatientConsole(soft_wrap=False, highlight=False)
    return console if console.is_terminal else _PatientConsole(soft_wrap=False, highlight=False, width=_PLAIN_WIDTH)
