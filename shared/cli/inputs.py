"""What people type, checked: lengths of time, ids, sources."""

import difflib
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import typer

from shared.messages.fields import IDENTIFIER_PATTERN

_IDENTIFIER: Final = re.compile(IDENTIFIER_PATTERN.removesuffix("$") + r"\Z")
_LENGTH: Final = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(ms|s|m|min|h|d)\Z", re.ASCII)
_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def is_length(text: str) -> bool:
    """Whether it is a length of time."""
    return _LENGTH.match(text) is not None


def length(text: str) -> timedelta:
    """A length of time, such as ``90s``, ``15m``, ``2h``, ``1.5d``.

    Raises:
        ValueError: it is none.
    """
    match = _LENGTH.match(text)
    if match is None:
        message = "a length of time is a number and a unit, such as 90s, 15m, 2h or 7d"
        raise ValueError(message)
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def length_option(text: str) -> timedelta:
    """The same for an option of the command line.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return length(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def identifier_argument(text: str) -> str:
    """An id.

    Raises:
        typer.BadParameter: it is none.
    """
    if not _IDENTIFIER.match(text):
        message = "an id has 1 to 128 characters of A-Z a-z 0-9 . _ : -"
        raise typer.BadParameter(message)
    return text


def closest(given: str, known: Iterable[str]) -> str:
    """A question after the names that are close to what was typed, with a space before it; empty when none is."""
    matches = difflib.get_close_matches(given, list(known), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(matches)}?" if matches else ""


def shortened(text: str, limit: int = 80) -> str:
    """What somebody typed, as far as a sentence can bear it."""
    shown = "".join(character if character.isprintable() else "�" for character in text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[:limit]}…"
