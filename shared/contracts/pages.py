"""The contract as pages for people: what lies where, and each message with its fields and an example."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from shared.contracts import prose
from shared.contracts.examples import Example, example_of
from shared.contracts.schemas import REFERENCE_PREFIX, AnyModel, Schema, components, key_of, name_of, reasons_of, words_of
from shared.messages.fields import Command, StateData, type_of
from shared.messages.refusal import Rejected
from shared.messages.registry import REGISTRY, ServiceMessages
from shared.settings import Settings
from shared.topics import TOPICS, Topic

_GENERATED: Final = "<!-- Made by `make contracts` from the models in shared/messages: change those. -->"
_ENVELOPE: Final = ("type", "id", "time", "version", "decision")
_MOST_VALUES: Final = 8


def pages() -> dict[str, str]:
    """The pages by their file's name."""
    schemas = components()
    return {"README.md": _overview()} | {f"{messages.service}.md": _service(messages, schemas) for messages in REGISTRY}


def _overview() -> str:
    settings = Settings.model_construct()
    topics = [f"| `{topic.full_name(settings.topic_prefix)}` | {topic.holds} | {_kept(topic)} |" for topic in TOPICS]
    services = [
        f"| [{messages.service}]({messages.service}.md) | {len(messages.commands)} | {len(messages.events)} |" for messages in REGISTRY
    ]
    return "\n".join(
        [
            _GENERATED,
            "",
            "# The wire contract, v1",
            "",
            prose.SUMMARY,
            "",
            "- [asyncapi.json](asyncapi.json): all of it as an AsyncAPI 3.0 document, for tools",
            "- [schemas](schemas): a JSON Schema (2020-12) of each message's value",
            "- An appointment's whole life, by hand: [with kcat](by-hand.md). From programs: [docs/examples](../examples/README.md).",
            "",
            "| messages of | commands | events |",
            "| --- | --- | --- |",
            *services,
            "",
            "## Topics",
            "",
            f"{settings.topic_partitions} partitions by default; `telemed` is a prefix of your choice. `caremesh topics create` makes them.",
            "",
            "| topic | holds | kept |",
            "| --- | --- | --- |",
            *topics,
            "",
            prose.rules(),
            "",
        ]
    )


def _kept(topic: Topic) -> str:
    return "compacted, for ever" if topic.retention is None else f"{topic.retention.days} days"


def _service(messages: ServiceMessages, schemas: dict[str, Schema]) -> str:
    service = messages.service
    lines = [_GENERATED, "", f"# {service.capitalize()}", "", "The rules for all records are in [the overview](README.md).", ""]
    lines += [
        "## Commands",
        "",
        f"To `telemed.{service}.commands.v1`.",
        "",
        "| command | comes to | or is refused by |",
        "| --- | --- | --- |",
    ]
    for command in messages.commands.values():
        outcomes = ", ".join(_link(event) for event in command.outcomes)
        lines.append(f"| {_link(command)} | {outcomes} | {_link(command.rejection)} |")
    lines.append("")
    for command in messages.commands.values():
        lines += _message(command, schemas)
    lines += ["## Events", "", f"In `telemed.{service}.events.v1`. All of them carry:", ""]
    first = next(event for event in messages.events.values())
    lines += [*_table(first, schemas, only=_ENVELOPE), "", "and besides:", ""]
    for event in messages.events.values():
        lines += _message(event, schemas)
    if messages.states:
        lines += ["## As things stand", ""]
    for topic, state in messages.states.items():
        lines += [f"In `telemed.{topic}`, compacted.", "", *_message(state, schemas)]
    return "\n".join(lines)


def _link(model: AnyModel) -> str:
    type_ = type_of(model)
    return f"[`{type_}`](#{type_.replace('.', '')})"


def _message(model: AnyModel, schemas: dict[str, Schema]) -> list[str]:
    lines = [f"### {type_of(model)}", "", words_of(model), "", f"Key: `{key_of(model)}`."]
    if issubclass(model, Command) and model.also_causes:
        lines[-1] += f" Its decision may also publish {', '.join(_link(event) for event in model.also_causes)}."
    is_event = not issubclass(model, (Command, StateData))
    lines += ["", *_table(model, schemas, without=_ENVELOPE if is_event else ())]
    if issubclass(model, Rejected):
        lines += ["", "Reasons, in order of precedence:", "", prose.reasons_table(*reasons_of(model))]
    return [*lines, "", *_example(example_of(type_of(model))), ""]


def _table(model: AnyModel, schemas: dict[str, Schema], *, only: Sequence[str] = (), without: Sequence[str] = ()) -> list[str]:
    rows = [row for row in _rows(schemas[name_of(model)], schemas) if (row[0].split(".")[0] in only or not only)]
    rows = [row for row in rows if row[0].split(".")[0] not in without]
    return [
        "| field | | what | meaning |",
        "| --- | --- | --- | --- |",
        *(f"| `{name}` | {need} | {what} | {text} |" for name, need, what, text in rows),
    ]


def _rows(schema: Schema, schemas: dict[str, Schema], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Each field: its name, whether it may be missing, what it is, and its meaning; those of an object inside it after it."""
    for name, field in schema.get("properties", {}).items():
        need = "" if name in schema.get("required", ()) else "optional"
        if field.get("default") is not None:
            need = f"{orjson.dumps(field['default']).decode()} if left out"
        yield prefix + name, need, _what(field, schemas), field.get("description", "").replace("|", "\\|").replace("\n", " ")
        for inside, end in _objects(field, schemas):
            yield from _rows(inside, schemas, f"{prefix}{name}{end}.")


def _objects(field: Schema, schemas: dict[str, Schema]) -> Iterator[tuple[Schema, str]]:
    for part in field.get("anyOf", [field]):
        if "items" in part:
            yield from ((inside, "[]") for inside, _ in _objects(part["items"], schemas))
        resolved = _resolved(part, schemas)
        if resolved.get("properties"):
            yield resolved, ""


def _resolved(schema: Schema, schemas: dict[str, Schema]) -> Schema:
    return schemas[schema["$ref"].removeprefix(REFERENCE_PREFIX)] if "$ref" in schema else schema


def _what(field: Schema, schemas: dict[str, Schema]) -> str:
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_what(part, schemas) for part in field["anyOf"]))
    schema = _resolved(field, schemas)
    values: list[Any] | None = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None:
        shown = " · ".join(f"`{value}`" for value in values[:_MOST_VALUES])
        return f"{shown} …" if len(values) > _MOST_VALUES else shown
    if schema.get("format") == "date-time":
        return "time"
    if "pattern" in schema and schema["type"] == "string":
        return "id" if "128" in schema["pattern"] else f"text, `{schema['pattern']}`".replace("|", "\\|")
    bounds = [str(schema[name]) for name in ("minimum", "maximum") if name in schema]
    name = {"string": "text", "array": "list", "boolean": "true or false", "integer": "integer", "null": "null"}.get(
        schema["type"], schema["type"]
    )
    if "minimum" in schema:
        return f"{name}, {' to '.join(bounds)}" if "maximum" in schema else f"{name}, {bounds[0]} or more"
    return f"{name}, at most {schema['maxLength']} characters" if "maxLength" in schema else str(name)


def _example(example: Example) -> list[str]:
    value = orjson.dumps(example.value, option=orjson.OPT_INDENT_2).decode()
    return ["<details><summary>An example</summary>", "", f"Key `{example.key}`, value:", "", "```json", value, "```", "", "</details>"]
