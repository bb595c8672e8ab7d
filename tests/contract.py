"""Whether what is really published is what the contract says: no field is missing, and none is there that nobody declared."""

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from shared.contracts.asyncapi import document
from shared.contracts.schemas import MESSAGES, documents, key_of, name_of
from shared.messages.fields import type_of
from shared.messages.registry import COMMANDS

Value = Mapping[str, Any]


def assert_as_published(value: Value) -> None:
    """Fail unless the value of an event or a state is what its published schema says, strictly."""
    problems = [f"{error.json_path}: {error.message}" for error in _value_validator(value["type"]).iter_errors(value)]
    assert not problems, (value["type"], problems, value)
    # A schema knows no calendar; the model does.
    MESSAGES[value["type"]].model_validate_json(orjson.dumps(value))


def assert_headers_as_published(headers: Mapping[str, str], value: Value, key: str) -> None:
    """Fail unless an event's or a state's headers and key are what the contract says, and agree with the value."""
    type_ = value["type"]
    problems = [f"{error.json_path}: {error.message}" for error in _headers_validator(type_).iter_errors(dict(headers))]
    assert not problems, (type_, problems, headers)
    assert (headers["ce_type"], headers["ce_id"], headers["ce_time"]) == (type_, value["id"], value["time"])
    assert key == {**headers, **value}.get(key_of(MESSAGES[type_]), key), (type_, key)


def assert_declared(value: Value) -> None:
    """Fail unless the command that an event names says that it can come to it, or cause it."""
    command = COMMANDS.get(value["decision"]["command"]["type"])
    if command is None:
        # Decided about another service's event.
        return
    events = (*command.outcomes, command.rejection) if value["decision"]["index"] == 0 else command.also_causes
    assert value["type"] in {type_of(event) for event in events}, f"{command.type} does not say that it comes to {value['type']}"


@cache
def _value_validator(type_: str) -> Draft202012Validator:
    """Of one message, where fields that nobody declared are refused: their readers would ignore them."""
    return Draft202012Validator(_closed(deepcopy(_documents()[type_])))


@cache
def _headers_validator(type_: str) -> Draft202012Validator:
    contract = _contract()
    headers = contract["components"]["messages"][name_of(MESSAGES[type_])]["headers"]
    return Draft202012Validator({"components": {"schemas": contract["components"]["schemas"]}} | headers)


@cache
def _documents() -> dict[str, dict[str, Any]]:
    return documents()


@cache
def _contract() -> dict[str, Any]:
    return document()


def _closed(node: Any) -> Any:
    """The same schema, with no room for further fields in any object."""
    if isinstance(node, dict):
        for part in node.values():
            _closed(part)
        if "properties" in node and node.get("type") == "object":
            node.setdefault("additionalProperties", False)
    elif isinstance(node, list):
        for part in node:
            _closed(part)
    return node
