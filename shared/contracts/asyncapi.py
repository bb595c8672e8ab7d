"""The AsyncAPI 3.0 document: topics, messages, and which command comes to which event."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.contracts import prose
from shared.contracts.examples import example_of
from shared.contracts.schemas import MESSAGES, REFERENCE_PREFIX, AnyModel, components, key_of, name_of, reasons_of, topic_of, words_of
from shared.messages.fields import IDENTIFIER_PATTERN, SOURCE_PATTERN, Command, StateData, service_of
from shared.messages.refusal import Rejected
from shared.messages.registry import REGISTRY, ServiceMessages
from shared.settings import Settings
from shared.topics import TOPICS, Topic

Document = dict[str, Any]

_BINDINGS: Final = "0.5.0"
_TEXT: Final = {"type": "string"}
_IDENTIFIER: Final = {"type": "string", "pattern": IDENTIFIER_PATTERN}
_HEADERS: Final[Mapping[str, Document]] = {
    "content-type": {"const": "application/json"},
    "ce_specversion": {"const": "1.0"},
    "ce_id": _IDENTIFIER | {"description": "With `ce_source` the message's identity."},
    "ce_source": {
        "type": "string",
        "pattern": SOURCE_PATTERN,
        "description": "Who publishes it: a URI reference. Ours are `/caremesh/<service>`.",
    },
    "ce_time": {"type": "string", "format": "date-time", "description": "When its publisher made it."},
    "ce_subject": _IDENTIFIER | {"description": "The id of the entity that it is about."},
    "ce_partitionkey": {"type": "string", "description": "What the partition follows from; the record's key, but in state topics."},
    "ce_correlationid": _IDENTIFIER | {"description": "Follows a conversation across services."},
    "ce_causationid": _IDENTIFIER | {"description": "The `ce_id` of the message that caused it."},
    "traceparent": {"type": "string", "description": "W3C trace context."},
}
_COMMAND_NEEDS: Final = ["ce_id", "ce_source", "ce_specversion", "ce_type"]
_STATE_HAS: Final = [*_COMMAND_NEEDS, "content-type", "ce_time", "ce_partitionkey", "ce_subject"]
_EVENT_HAS: Final = [*_COMMAND_NEEDS, "content-type", "ce_time", "ce_partitionkey", "ce_correlationid", "ce_causationid"]
_STRUCTURED: Final = "StructuredCommand"
_DEAD_LETTER: Final = "DeadLetter"


def document() -> Document:
    """The whole document, with the topic prefix and the numbers that are the defaults of the settings."""
    settings = Settings.model_construct()
    messages = {name_of(model): _message(type_, model) for type_, model in sorted(MESSAGES.items())}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:caremesh",
        "info": {
            "title": "caremesh",
            "version": "v1",
            "description": f"{prose.SUMMARY}\n\n{prose.rules()}",
            "tags": [{"name": messages.service} for messages in REGISTRY],
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "localhost:9092",
                "protocol": "kafka",
                "description": "Your brokers. Those of an embedded mesh are printed by `caremesh status`.",
            }
        },
        "channels": {topic.name: _channel(topic, settings) for topic in TOPICS},
        "operations": dict(operation for messages in REGISTRY for operation in _operations(messages, settings)),
        "components": {
            "messages": messages | {_STRUCTURED: _structured_command(), _DEAD_LETTER: _dead_letter()},
            "schemas": components() | _headers_schemas(),
        },
    }


def _channel(topic: Topic, settings: Settings) -> Document:
    models = [name_of(model) for model in MESSAGES.values() if topic_of(model) == topic.name]
    if topic.name.endswith(".dlq"):
        models = [_DEAD_LETTER]
    elif ".commands." in topic.name:
        models.append(_STRUCTURED)
    configuration: Document = dict(topic.configuration())
    configuration["cleanup.policy"] = [configuration["cleanup.policy"]]
    if "retention.ms" in configuration:
        configuration["retention.ms"] = int(configuration["retention.ms"])
    return {
        "address": topic.full_name(settings.topic_prefix),
        "description": f"{topic.holds[0].upper()}{topic.holds[1:]}. The prefix `{settings.topic_prefix}`, the partitions and the replicas are settings.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in models},
        "bindings": {
            "kafka": {
                "partitions": settings.topic_partitions,
                "replicas": settings.topic_replication,
                "topicConfiguration": configuration,
                "bindingVersion": _BINDINGS,
            }
        },
    }


def _message(type_: str, model: AnyModel) -> Document:
    example = example_of(type_)
    description = words_of(model)
    if issubclass(model, Rejected):
        kinds = reasons_of(model)
        description = f"{description}\n\n{prose.reasons_table(*kinds)}"
    return {
        "name": type_,
        "title": name_of(model),
        "summary": description.split("\n\n", maxsplit=1)[0],
        "description": description,
        "contentType": "application/json",
        "tags": [{"name": service_of(type_)}],
        "headers": {
            "allOf": [
                {"$ref": REFERENCE_PREFIX + _headers_name(model)},
                {"type": "object", "properties": {"ce_type": {"const": type_}}},
            ]
        },
        "payload": {"$ref": REFERENCE_PREFIX + name_of(model)},
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": {"kafka": {"key": _IDENTIFIER | {"description": f"Equal to `{key_of(model)}`."}, "bindingVersion": _BINDINGS}},
        "examples": [{"name": "story", "headers": dict(example.headers), "payload": dict(example.value)}],
    }


def _headers_name(model: AnyModel) -> str:
    if issubclass(model, Command):
        return "CommandHeaders"
    return "StateHeaders" if issubclass(model, StateData) else "EventHeaders"


def _headers_schemas() -> dict[str, Document]:
    kinds = (
        ("CommandHeaders", "Of a command in binary mode. Further headers are ignored.", _COMMAND_NEEDS),
        ("EventHeaders", "Of an event.", _EVENT_HAS),
        ("StateHeaders", "Of an entity as it stands.", _STATE_HAS),
    )
    return {
        name: {
            "type": "object",
            "description": description,
            "properties": dict(_HEADERS) | {"ce_type": {"type": "string", "description": "What it is."}},
            "required": sorted(required),
        }
        for name, description, required in kinds
    }


def _structured_command() -> Document:
    example = example_of("booking.appointment.book.v1")
    optional = {name: _HEADERS[f"ce_{name}"] for name in ("time", "correlationid")} | {"traceparent": _HEADERS["traceparent"]}
    return {
        "name": "structured",
        "title": "Any command in structured mode",
        "summary": "A command as one value, without headers: the envelope around its data.",
        "contentType": "application/cloudevents+json",
        "payload": {
            "type": "object",
            "properties": {
                "specversion": {"const": "1.0"},
                "id": _HEADERS["ce_id"],
                "source": _HEADERS["ce_source"],
                "type": _IDENTIFIER | {"description": "The command's type, such as `booking.appointment.book.v1`."},
                "data": {"type": "object", "description": "The payload of the message of that type."},
                **optional,
            },
            "required": ["specversion", "id", "source", "type", "data"],
        },
        "bindings": {"kafka": {"key": _IDENTIFIER | {"description": "As in binary mode."}, "bindingVersion": _BINDINGS}},
        "examples": [{"name": "story", "payload": dict(example.structured)}],
    }


def _dead_letter() -> Document:
    names = ("topic", "partition", "offset", "stage", "class.name", "exception.class.name", "exception.message")
    required = ["caremesh_dead_letter_id", *(f"__connect.errors.{name}" for name in names)]
    return {
        "name": "dead_letter",
        "title": "A dead letter",
        "summary": "A record that could not be decided, and why.",
        "description": f"{prose.DEAD_LETTERS}\n\n{prose.dead_letters_table()}",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": dict.fromkeys(required, _TEXT), "required": required},
        "payload": {"description": "The value as it was."},
        "bindings": {"kafka": {"key": {"description": "As it was."}, "bindingVersion": _BINDINGS}},
    }


def _operations(messages: ServiceMessages, settings: Settings) -> list[tuple[str, Document]]:
    service = messages.service
    commands, events = f"{service}.commands.v1", f"{service}.events.v1"
    group = {"kafka": {"groupId": {"const": f"{settings.topic_prefix}-{service}"}, "bindingVersion": _BINDINGS}}
    found: list[tuple[str, Document]] = []
    for command in messages.commands.values():
        name = name_of(command)
        operation = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{commands}"},
            "title": command.type,
            "summary": words_of(command).split("\n\n", maxsplit=1)[0],
            "tags": [{"name": service}],
            "bindings": group,
            "messages": _in_channel(commands, [command]),
            "reply": {
                "channel": {"$ref": f"#/channels/{events}"},
                "messages": _in_channel(events, [*command.outcomes, command.rejection]),
            },
        }
        found.append((name[0].lower() + name[1:], operation))
    told = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{events}"},
        "title": f"What {service} tells",
        "tags": [{"name": service}],
        "messages": _in_channel(events, list(messages.events.values())),
    }
    found.append((f"tell{service.capitalize()}Events", told))
    for topic, state in messages.states.items():
        standing = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{topic}"},
            "title": f"How each entity of {topic} stands",
            "tags": [{"name": service}],
            "messages": _in_channel(topic, [state]),
        }
        found.append((f"show{name_of(state)}", standing))
    return found


def _in_channel(topic: str, models: Sequence[AnyModel]) -> list[Document]:
    return [{"$ref": f"#/channels/{topic}/messages/{name_of(model)}"} for model in models]
