"""How wide a table may be."""

from rich.console import Console

_PLAIN_WIDTH = 140


def table_console() -> Console:
    """A console for tables: as wide as the terminal; in a file or a pipe, wide enough that nothing is cut into pieces."""
    console = Console(soft_wrap=False, highlight=False)
    return console if console.is_terminal else Console(soft_wrap=False, highlight=False, width=_PLAIN_WIDTH)
