"""How values are worded for people: times, durations, and whatever else lies in a message or a row."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from shared.messages.fields import format_time

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400


def duration(length: timedelta) -> str:
    """A length of time as people say it, in one unit or two: ``340 ms``, ``4.2 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    seconds = abs(length.total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    for size, name, smaller, smaller_name in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s")):
        if seconds >= size:
            rest = int(seconds % size // smaller)
            return f"{int(seconds // size)} {name}" + (f" {rest} {smaller_name}" if rest else "")
    raise AssertionError(seconds)


def ago(moment: datetime, now: datetime) -> str:
    """How far a moment lies from now: ``4.2 s ago``, ``in 3 min``."""
    return f"{duration(now - moment)} ago" if moment <= now else f"in {duration(moment - now)}"


def clock(moment: datetime) -> str:
    """The time of day, UTC, to the millisecond."""
    return f"{moment.astimezone(UTC):%H:%M:%S}.{moment.microsecond // 1000:03}"


def shown(value: object) -> str:
    """A value as one cell of a table."""
    match value:
        case None | "":
            words = "-"
        case bool():
            words = "yes" if value else "no"
        case datetime():
            words = format_time(value.astimezone(UTC))
        case str() | int() | float():
            words = str(value)
        case Mapping() if value.keys() == {"amount_minor", "currency"}:
            words = f"{value['amount_minor']} {value['currency']} (minor units)"
        case _:
            words = orjson.dumps(value, default=str).decode()
    return printable(words)


def printable(text: str) -> str:
    """Text that does nothing to a terminal: what lies in a topic may hold control characters."""
    return "".join(character if character.isprintable() else "�" for character in text)


def pairs(fields: Mapping[str, Any]) -> str:
    """Fields as ``name=value``, in one line."""
    return " ".join(f"{name}={shown(value)}" for name, value in fields.items())
