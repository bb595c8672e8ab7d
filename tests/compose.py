"""compose.yml as compose reads it: YAML with its merges, and variables put in."""

import re
from collections.abc import Mapping
from typing import Any, Final

from ruamel.yaml import YAML

from tests.conftest import REPOSITORY

COMPOSE: Final = REPOSITORY / "compose.yml"
ENVIRONMENT_EXAMPLE: Final = REPOSITORY / ".env.example"

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:-|:\?)(?P<word>[^}]*))?\}")


class UnsetError(Exception):
    """A variable that must be set is not; the message is what compose would say."""


def load_yaml(text: str) -> Any:
    """Plain data, merge keys merged."""
    return YAML(typ="safe").load(text)


def load(variables: Mapping[str, str]) -> dict[str, Any]:
    """The compose file with these variables.

    Raises:
        UnsetError: a variable that must be set is not.
    """
    loaded: dict[str, Any] = _interpolated(load_yaml(COMPOSE.read_text(encoding="utf-8")), variables)
    return loaded


def variables_without_default() -> dict[str, str]:
    """Variable → the message when it is unset."""
    found = _VARIABLE.finditer(COMPOSE.read_text(encoding="utf-8"))
    return {match["name"]: match["word"] or "" for match in found if match["operator"] != ":-"}


def _interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {key: _interpolated(entry, variables) for key, entry in value.items()}
        case list():
            return [_interpolated(entry, variables) for entry in value]
        case str():
            return _VARIABLE.sub(lambda match: _value(match, variables), value)
        case _:
            return value


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    value = variables.get(match["name"], "")
    if value:
        return value
    if match["operator"] == ":-":
        return match["word"]
    message = f"required variable {match['name']} is missing a value: {match['word']}"
    raise UnsetError(message)


def seconds(duration: str) -> float:
    """A duration of compose, such as 20s or 1m."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    parts = re.findall(r"(\d+)(ms|s|m|h)", duration)
    assert "".join(number + unit for number, unit in parts) == duration, duration
    return sum(int(number) * units[unit] for number, unit in parts)
