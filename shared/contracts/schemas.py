"""JSON Schemas of all messages, made from their models."""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from shared.messages.descriptions import description_of
from shared.messages.fields import Command, EventData, StateData, service_of, type_of
from shared.messages.refusal import RefusalReason, Rejected
from shared.messages.registry import COMMANDS, EVENTS, REGISTRY, STATES

Schema = dict[str, Any]
AnyModel = type[Command | EventData | StateData]

#: All messages by type.
MESSAGES: Final[Mapping[str, AnyModel]] = {**COMMANDS, **EVENTS, **STATES}

#: Where a schema refers to another one, inside an AsyncAPI document.
REFERENCE_PREFIX: Final = "#/components/schemas/"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _Generator(GenerateJsonSchema):
    """Pydantic's schemas, with every description and without titles that repeat a field's name."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002  pydantic's signature
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        model: type[BaseModel] = schema["cls"]
        found = super().model_schema(schema)
        found["description"] = _as_markdown(inspect.getdoc(model) or "")
        for name, field in found.get("properties", {}).items():
            field["description"] = _as_markdown(description_of(model, name))
        return found

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        found = super().dict_schema(schema)
        if "patternProperties" in found:
            # Other names are refused.
            found["additionalProperties"] = False
        return found

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        found = super().enum_schema(schema)
        if "description" in found:
            found["description"] = _as_markdown(found["description"])
        return found


def _as_markdown(text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", text.replace("``", "`"))
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def name_of(message: AnyModel) -> str:
    """The name of a message's schema."""
    return message.__name__


def words_of(message: AnyModel) -> str:
    """What a message is, for people."""
    return _as_markdown(inspect.getdoc(message) or "")


def reasons_of(refusal: type[Rejected]) -> Sequence[type[RefusalReason]]:
    """The kinds of reasons of a refusal, in order of precedence."""
    return get_args(refusal.model_fields["reason"].annotation)[:-1]


def topic_of(message: AnyModel) -> str:
    """Where it lies: the topic's name without the prefix."""
    if issubclass(message, StateData):
        (topic,) = (name for messages in REGISTRY for name, state in messages.states.items() if state is message)
        return topic
    kind = "commands" if issubclass(message, Command) else "events"
    return f"{service_of(type_of(message))}.{kind}.v1"


def key_of(message: AnyModel) -> str:
    """The field, or else the header, that the record's key is equal to."""
    if not issubclass(message, StateData):
        return message.key_field
    field = f"{type_of(message).split('.')[1]}_id"
    return field if field in message.model_fields else "ce_subject"


def causes_of(event: type[EventData]) -> list[type[Command]]:
    """The commands that come to this event; those first whose outcome it is."""
    certain = [command for command in COMMANDS.values() if event in {*command.outcomes, command.rejection}]
    return certain + [command for command in COMMANDS.values() if event in command.also_causes]


def components() -> dict[str, Schema]:
    """The schemas of all messages and of their parts, by name; they refer to each other under ``REFERENCE_PREFIX``."""
    _, found = models_json_schema(
        [(model, "validation") for model in MESSAGES.values()], ref_template=REFERENCE_PREFIX + "{model}", schema_generator=_Generator
    )
    return dict(sorted(found["$defs"].items()))


def documents() -> dict[str, Schema]:
    """The schema of each message as a document of its own, by type."""
    schemas = components()
    return {type_: _document(type_, MESSAGES[type_], schemas) for type_ in sorted(MESSAGES)}


def _document(type_: str, message: AnyModel, schemas: Mapping[str, Schema]) -> Schema:
    used = _used_by(name_of(message), schemas)
    document: Schema = {"$schema": _DIALECT, "$id": f"urn:caremesh:{type_}", "title": type_, **_meta(message)}
    document |= {name: _inside(part) for name, part in schemas[name_of(message)].items() if name != "title"}
    if used:
        document["$defs"] = {name: _inside(schemas[name]) for name in sorted(used)}
    return document


def _meta(message: AnyModel) -> Schema:
    """What belongs to the contract and is not said by a schema."""
    place = {"x-topic": topic_of(message), "x-key": key_of(message)}
    if not issubclass(message, Command):
        return place
    return place | {
        "x-outcomes": [type_of(event) for event in message.outcomes],
        "x-rejection": type_of(message.rejection),
        "x-also-causes": [type_of(event) for event in message.also_causes],
    }


def _used_by(name: str, schemas: Mapping[str, Schema]) -> set[str]:
    found: set[str] = set()
    ahead = [name]
    while ahead:
        for reference in _references(schemas[ahead.pop()]):
            if reference not in found:
                found.add(reference)
                ahead.append(reference)
    return found


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [str(node["$ref"]).removeprefix(REFERENCE_PREFIX)] if "$ref" in node else []
        return own + [reference for part in node.values() for reference in _references(part)]
    if isinstance(node, list):
        return [reference for part in node for reference in _references(part)]
    return []


def _inside(node: Any) -> Any:
    """The same with references into the document itself."""
    if isinstance(node, dict):
        return {name: str(part).replace(REFERENCE_PREFIX, "#/$defs/") if name == "$ref" else _inside(part) for name, part in node.items()}
    return [_inside(part) for part in node] if isinstance(node, list) else node
