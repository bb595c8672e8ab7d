"""The fields of a command as people type them: ``key=value``, each read as its type says."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from pydantic import ValidationError

from shared.cli.inputs import closest, is_length, length, shortened
from shared.cli.reaching import CannotError
from shared.codec.decode import describe_invalid
from shared.codec.record import MAX_VALUE_BYTES
from shared.messages.descriptions import description_of
from shared.messages.fields import Command, format_time

_MOST_FIELDS: Final = 200
_PATH: Final = re.compile(r"[A-Za-z0-9_.:-]{1,200}\Z")
_INTEGER: Final = re.compile(r"[+-]?\d{1,18}\Z", re.ASCII)
_RELATIVE: Final = re.compile(r"([+-])(.+)\Z")
_BOOLEANS: Final = {"true": True, "yes": True, "false": False, "no": False}
#: An end lies after its start, and what has been lies before now.
_EXAMPLE_TIMES: Final = {"ends_at": "+3d", "created_at": "-1d"}

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field, for the help.

    Attributes:
        kind: what is typed there, in words.
        default: as it would be typed; ``None``: it must be given, or can be left out (see ``required``).
        says: from the published contract.
        example: how it is typed, with a value of its kind.
    """

    name: str
    kind: str
    required: bool
    default: str | None
    says: str
    example: str


class Fields:
    """The fields of one type of command."""

    def __init__(self, command: type[Command]) -> None:
        """Read them from the published contract."""
        self._command = command
        self._schema: Schema = command.model_json_schema()

    def help(self) -> Iterator[Field]:
        """Each field, in the order of the contract."""
        required = self._schema.get("required", ())
        for name, schema in self._schema["properties"].items():
            default = schema.get("default")
            yield Field(
                name=name,
                kind=self._kind(schema),
                required=name in required,
                default=None if default is None else str(default),
                says=description_of(self._command, name) or self._resolved(schema).get("description", ""),
                example=self._example(name, schema),
            )

    def command_of(self, pairs: Sequence[str], now: datetime) -> Command:
        """The command that was typed.

        Args:
            pairs: each ``key=value``; ``actor.role=patient`` reaches into a part.
            now: what relative times count from.

        Raises:
            CannotError: a field is missing, unknown or wrong; the message says which, and how it is typed.
        """
        body = self._body(pairs, now)
        encoded = orjson.dumps(body)
        if len(encoded) > MAX_VALUE_BYTES:
            message = f"The fields make {len(encoded):,} bytes of JSON; {MAX_VALUE_BYTES:,} are allowed."
            raise CannotError(message)
        try:
            return self._command.model_validate_json(encoded)
        except ValidationError as error:
            message = f"{self._command.type}: {describe_invalid(error)}. `caremesh send {self._command.type} --help` explains its fields."
            raise CannotError(message) from None

    def _body(self, pairs: Sequence[str], now: datetime) -> dict[str, Any]:
        if len(pairs) > _MOST_FIELDS:
            message = f"{len(pairs)} fields were given; no command has so many."
            raise CannotError(message)
        body: dict[str, Any] = {}
        for pair in pairs:
            path, equals, text = pair.partition("=")
            if not equals or not _PATH.match(path):
                message = f"{shortened(pair)!r} is no field: a field is typed key=value, such as doctor_id=doctor-7."
                raise CannotError(message)
            schema = self._schema_at(path)
            *outer, last = path.split(".")
            place = body
            for name in outer:
                place = place.setdefault(name, {})
                if not isinstance(place, dict):
                    message = f"{'.'.join(outer)} is given whole and in parts: give it in one way."
                    raise CannotError(message)
            if last in place:
                message = f"{path} is given twice."
                raise CannotError(message)
            place[last] = self._value(path, text, schema, now)
        return body

    def _schema_at(self, path: str) -> Schema:
        schema: Schema = self._schema
        for name in path.split("."):
            schema = self._resolved(schema)
            properties = schema.get("properties", {})
            more = schema.get("additionalProperties")
            if name in properties:
                schema = properties[name]
            elif isinstance(more, dict):
                schema = more
            else:
                known = ", ".join(properties) or "none"
                message = f"{self._command.type} has no field {path}.{closest(name, properties)} It has: {known}."
                raise CannotError(message)
        return schema

    def _resolved(self, schema: Schema) -> Schema:
        """What a reference or an optional value stands for."""
        if "$ref" in schema:
            return self._resolved(self._schema["$defs"][schema["$ref"].rpartition("/")[2]])
        options = [option for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ())) if option.get("type") != "null"]
        return self._resolved(options[0]) if options else schema

    def _value(self, path: str, text: str, schema: Schema, now: datetime) -> Any:
        """The text as JSON of the field's type; what does not fit is left to the contract to refuse."""
        kind = self._resolved(schema)
        value: Any = text
        match kind.get("type"):
            case "integer" if _INTEGER.match(text):
                value = int(text)
            case "number":
                value = _number(text)
            case "boolean":
                value = _BOOLEANS.get(text.lower(), text)
            case "string" if kind.get("format") == "date-time":
                value = _time(path, text, now)
            case "object" if not text.startswith("{") and _is_actor(kind) and ":" in text:
                role, _, identifier = text.partition(":")
                value = {"role": role, "id": identifier}
            case "object" | "array":
                value = _json(path, text, self._kind(schema))
        return value

    def _kind(self, schema: Schema) -> str:
        """What is typed there, in words."""
        kind = self._resolved(schema)
        properties = kind.get("properties", {})
        words = str(kind.get("type"))
        match kind.get("type"):
            case _ if "enum" in kind:
                words = " | ".join(map(str, kind["enum"]))
            case "string" if kind.get("format") == "date-time":
                words = "time: 2030-01-31T09:30:00Z, +2h, now"
            case "string" if "128}" in kind.get("pattern", ""):
                words = "id"
            case "string":
                words = "text"
            case "integer":
                words = f"whole number, {kind['minimum']} to {kind['maximum']}" if {"minimum", "maximum"} <= kind.keys() else "whole number"
            case "boolean":
                words = "true | false"
            case "object" if _is_actor(kind):
                words = f"role:id, the role being {' | '.join(self._resolved(properties['role'])['enum'])}"
            case "object":
                words = f"JSON, or its parts: {', '.join(properties or ['…'])}"
        return words

    def _example(self, path: str, schema: Schema) -> str:
        """How it is typed, with a value that passes."""
        kind = self._resolved(schema)
        properties = kind.get("properties", {})
        match kind.get("type"):
            case _ if "enum" in kind:
                value = str(kind["enum"][0])
            case "string" if kind.get("format") == "date-time":
                value = _EXAMPLE_TIMES.get(path, "+2d")
            case "string" if path == "currency":
                value = "MWK"
            case "integer":
                value = str(max(kind.get("minimum", 1), 1))
            case "boolean":
                value = "true"
            case "object" if _is_actor(kind):
                value = "patient:patient-1"
            case "object" if properties:
                inner = kind.get("required") or [*properties][:1]
                return " ".join(self._example(f"{path}.{name}", properties[name]) for name in inner)
            case "object":
                value = "'{}'"
            case _:
                value = f"{path.rpartition('.')[2].removesuffix('_id')}-1"
        return f"{path}={value}"


def counts_from_now(pair: str) -> bool:
    """Whether a field that was typed says another time whenever it is read."""
    path, _, text = pair.partition("=")
    match = _RELATIVE.match(text)
    return path.endswith("_at") and (text == "now" or (match is not None and is_length(match[2])))


def _is_actor(kind: Schema) -> bool:
    """Whether ``patient:patient-1`` is short for it."""
    return list(kind.get("properties", ())) == ["role", "id"]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _time(path: str, text: str, now: datetime) -> str:
    """A time as the contract wants it; ``now`` and ``+2h`` count from now, to the second."""
    moment = now.replace(microsecond=0)
    if text == "now":
        return format_time(moment)
    match = _RELATIVE.match(text)
    if match is None:
        return text
    try:
        distance = length(match[2])
        return format_time(moment + distance if match[1] == "+" else moment - distance)
    except ValueError as error:
        message = f"{path}: {error}, after a + or -."
    except OverflowError:
        message = f"{path}: {shortened(text)} lies outside the calendar."
    raise CannotError(message)


def _json(path: str, text: str, kind: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"{path}: {shortened(text)!r} is no JSON ({error.msg}). It is typed as {kind}."
        raise CannotError(message) from None
