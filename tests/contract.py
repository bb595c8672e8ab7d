"""Whether what is really published is what the contract says: no field is missing, and none is there that nobody declared."""

from copy import deepcopy
from functools import cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from shared.contracts.schemas import documents
from shared.messages.registry import EVENTS


@cache
def strict_validator(type_: str) -> Draft202012Validator:
    """Of one message, where fields that nobody declared are refused: their readers would ignore them."""
    return Draft202012Validator(closed(deepcopy(_documents()[type_])))


@cache
def _documents() -> dict[str, dict[str, Any]]:
    return documents()


def closed(node: Any) -> Any:
    """The same schema, with no room for further fields in any object."""
    if isinstance(node, dict):
        for part in node.values():
            closed(part)
        if "properties" in node and node.get("type") == "object":
            node.setdefault("additionalProperties", False)
    elif isinstance(node, list):
        for part in node:
            closed(part)
    return node


def assert_as_published(value: dict[str, Any]) -> None:
    """Fail unless this value of an event's record is what its published schema says, strictly."""
    problems = [f"{error.json_path}: {error.message}" for error in strict_validator(value["type"]).iter_errors(value)]
    assert not problems, (value["type"], problems, value)
    # A schema knows no calendar; the model does.
    EVENTS[value["type"]].model_validate_json(orjson.dumps(value))
