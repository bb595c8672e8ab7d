"""``caremesh config``: the settings in effect, and where each comes from."""

import difflib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from pydantic import SecretStr
from pydantic_settings import BaseSettings
from rich.table import Table
from rich.text import Text

from shared.cli.masking import mask_url
from shared.cli.terminal import print_json, table_console, warn
from shared.embedded.endpoints import resolve
from shared.embedded.errors import NoMeshError
from shared.embedded.options import EmbeddedOptions
from shared.settings import Settings

_PREFIX: Final = "CAREMESH_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One setting in effect.

    Attributes:
        value: plain JSON data; secrets are masked.
        origin: ``set`` in the environment, ``default``, or ``embedded``: the mesh that runs in CAREMESH_HOME.
    """

    variable: str
    value: Any
    origin: str
    says: str


def config(*, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: variable → value.")] = False) -> None:
    """Print the settings in effect, secrets masked: what is set in the environment, and the defaults of the rest.

    Every setting is an environment variable with the prefix CAREMESH_, its unit in its name. An empty Kafka or database means the embedded
    one; while a mesh runs in CAREMESH_HOME, its addresses and limits are shown, and all other commands go by them.

    A variable with the prefix that is no setting is named on standard error: a typing error changes nothing, and nobody notices.

    Exit code 0, or 2 if a variable has no valid value.

    Examples:
        caremesh config
        CAREMESH_PENDING_EXPIRY_SECONDS=3600 caremesh config --json | jq .CAREMESH_PENDING_EXPIRY_SECONDS
    """
    entries = list(effective())
    if as_json:
        print_json({entry.variable: entry.value for entry in entries})
    else:
        output = table_console()
        table = Table()
        table.add_column("variable", no_wrap=True)
        table.add_column("value", overflow="fold")
        table.add_column("from")
        table.add_column("")
        for entry in entries:
            style = "" if entry.origin == "default" else "bold"
            table.add_row(entry.variable, Text(_shown(entry.value)), entry.origin, Text(entry.says), style=style)
        output.print(table)
    for sentence in unknown_variables(entry.variable for entry in entries):
        warn(sentence)


def effective() -> Iterator[Entry]:
    """Every setting of the mesh and of the embedded runtime, in the order of the code.

    Raises:
        pydantic.ValidationError: a variable has no valid value.
    """
    settings = Settings()
    endpoints = settings
    with suppress(NoMeshError):
        endpoints = resolve(settings)
    yield from _entries(settings, endpoints)
    options = EmbeddedOptions()
    yield from _entries(options, options)


def _entries(settings: BaseSettings, endpoints: BaseSettings) -> Iterator[Entry]:
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        origin = "set" if name in settings.model_fields_set else "default"
        if value != getattr(endpoints, name):
            value, origin = getattr(endpoints, name), "embedded"
        yield Entry(variable=_PREFIX + name.upper(), value=_masked(name, value), origin=origin, says=field.description or "")


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        if name == "database_url":
            return mask_url(secret)
        return "***" if secret else ""
    if isinstance(value, dict):
        return {key: _masked(name, entry) for key, entry in value.items()}
    return str(value) if isinstance(value, Path) else value


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return orjson.dumps(value).decode() if isinstance(value, dict) else str(value)


def unknown_variables(known: Iterator[str]) -> Iterator[str]:
    """A sentence for each variable that has the prefix and is no setting."""
    names = list(known)
    for variable in sorted(os.environ):
        if variable.upper().startswith(_PREFIX) and variable.upper() not in names:
            close = difflib.get_close_matches(variable.upper(), names, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            yield f"{variable} is set, but there is no such setting.{hint}"
