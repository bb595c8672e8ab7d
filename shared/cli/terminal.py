"""Where tables, longer stories and sentences are printed."""

import os
import sys
from typing import Any, Final

import orjson
import typer
from rich.console import Console

#: Wide enough for whatever a command prints. Nobody's screen limits a file or a pipe, and tables take only what they need.
_PLAIN_WIDTH: Final = 10_000
#: Prose is folded for people, who read it in a pager, too.
PROSE_WIDTH: Final = 140


class _PatientConsole(Console):
    """Falls silent when nobody reads on (``… | head``): what was begun comes to its end, with its exit code."""

    def on_broken_pipe(self) -> None:
        """Print nothing more, and do not stumble over it at the end."""
        self.quiet = True
        _fall_silent()


def table_console() -> Console:
    """A console for tables: as wide as the terminal; in a file or a pipe, so wide that nothing is cut into pieces."""
    console = _PatientConsole(soft_wrap=False, highlight=False)
    return console if console.is_terminal else _PatientConsole(soft_wrap=False, highlight=False, width=_PLAIN_WIDTH)


def line_console() -> Console:
    """A console for sentences: never folded, so that they can be searched and copied."""
    return _PatientConsole(soft_wrap=True, highlight=False)


def complain(sentence: str) -> None:
    """Say on standard error what is wrong."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(sentence, style="red", markup=False)


def warn(sentence: str) -> None:
    """Say on standard error what is probably not meant."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(sentence, style="yellow", markup=False)


def hint(sentence: str) -> None:
    """Say something on standard error that is not part of the output."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(sentence, style="dim", markup=False)


def print_json(content: Any, *, indent: bool = True) -> bool:
    """Print one JSON value.

    Returns:
        Whether anybody still reads.
    """
    option = orjson.OPT_UTC_Z | (orjson.OPT_INDENT_2 if indent else 0)
    try:
        typer.echo(orjson.dumps(content, option=option, default=str))
    except BrokenPipeError:
        _fall_silent()
        return False
    return True


def _fall_silent() -> None:
    """Write nowhere from now on: nobody reads on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
