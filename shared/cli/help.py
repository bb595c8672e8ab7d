"""What `--help` prints: the docstrings of the commands, for people."""

import re
import sys
from typing import Any

from rich.markup import escape
from typer import rich_utils

from shared.cli.terminal import PROSE_WIDTH


def tidy(command: Any) -> Any:
    """Make the help of a command, and of the commands in it, what people can read: a line break inside a paragraph is none for them.

    What follows ``Examples:`` stays line by line.
    """
    text, examples, lines = (command.help or "").partition("Examples:\n")
    command.help = escape(re.sub(r"(?<!\n)\n(?!\n)", " ", text) + examples + lines)
    for part in getattr(command, "commands", {}).values():
        tidy(part)
    return command


def fold_for_pipes() -> None:
    """Let help and usage errors be as wide in a pipe as all else: 80 columns would cut options into pieces."""
    if not sys.stdout.isatty():
        rich_utils.MAX_WIDTH = PROSE_WIDTH
