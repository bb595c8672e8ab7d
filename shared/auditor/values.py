"""Reading the fields of an event's value."""

from sys import intern
from typing import Any

from shared.auditor.instants import instant_us

#: The JSON object of an event's value, or one inside it.
Fields = dict[str, Any]


class MalformedError(Exception):
    """An event breaks the contract by itself; the message says how."""


def name(value: object) -> str | None:
    """A text that recurs; None for anything else."""
    return intern(value) if isinstance(value, str) else None


def text(fields: Fields, field: str) -> str:
    """A text that is not empty.

    Raises:
        MalformedError: it is none.
    """
    if not isinstance(fields.get(field), str) or not fields[field]:
        message = f"{field} is no text"
        raise MalformedError(message)
    return str(fields[field])


def number(fields: Fields, field: str) -> int:
    """A whole number from 0.

    Raises:
        MalformedError: it is none.
    """
    found = fields.get(field)
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        message = f"{field} is no number from 0"
        raise MalformedError(message)
    return found


def seconds_us(fields: Fields, field: str) -> int:
    """A duration in seconds, with or without a fraction, as microseconds.

    Raises:
        MalformedError: it is none.
    """
    found = fields.get(field)
    if not isinstance(found, int | float) or isinstance(found, bool) or found < 0:
        message = f"{field} is no duration"
        raise MalformedError(message)
    return round(found * 1_000_000)


def inside(fields: Fields, field: str) -> Fields:
    """An object.

    Raises:
        MalformedError: it is none.
    """
    found = fields.get(field)
    if not isinstance(found, dict):
        message = f"{field} is no object"
        raise MalformedError(message)
    return found


def objects(fields: Fields, field: str) -> list[Fields]:
    """A list of objects.

    Raises:
        MalformedError: it is none.
    """
    found = fields.get(field)
    if not isinstance(found, list) or not all(isinstance(element, dict) for element in found):
        message = f"{field} is no list of objects"
        raise MalformedError(message)
    return found


def instant(fields: Fields, field: str) -> int:
    """A time in UTC, in microseconds since the epoch.

    Raises:
        MalformedError: it is none.
    """
    found = instant_us(fields.get(field))
    if found is None:
        message = f"{field} is no time in UTC with Z"
        raise MalformedError(message)
    return found


def optional_instant(fields: Fields, field: str) -> int | None:
    """The same, or None where the field is null or missing.

    Raises:
        MalformedError: it is something else.
    """
    return None if fields.get(field) is None else instant(fields, field)
