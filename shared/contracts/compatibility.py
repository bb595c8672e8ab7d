"""What would break those who rely on a released contract: within v1 it only grows.

A schema stands for the set of values that it accepts. All that others publish as a command must go on being accepted:
the released command's values are among the new one's. All that we publish as an event must be what its readers know:
the new event's values are among the released one's, whatever fields it has gained.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType
from typing import Any, Final

Schema = Mapping[str, Any]

#: Say something to people, or are compared on their own.
_WITHOUT_MEANING: Final = {"$defs", "$id", "$schema", "default", "description", "examples", "title"}
#: Bounds: a greater one lets fewer values through, or a smaller one does.
_LOWER_BOUNDS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
#: What must be the same on both sides, or must not be there on the wider one.
_SAME_OR_FREE: Final = ("pattern", "format", "uniqueItems", "multipleOf")
#: What a contract says beside its schema.
_PROMISED: Final = {
    "x-topic": "lies in another topic",
    "x-key": "is keyed by another field",
    "x-outcomes": "comes to other outcomes",
    "x-rejection": "is refused by another event",
}


_UNDERSTOOD: Final = {
    *_WITHOUT_MEANING,
    *_LOWER_BOUNDS,
    *_UPPER_BOUNDS,
    *_SAME_OR_FREE,
    *_PROMISED,
    *(
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "enum",
        "items",
        "properties",
        "patternProperties",
        "required",
        "type",
        "x-also-causes",
    ),
}
_TYPE_NAMES: Final = {str: "string", int: "integer", bool: "boolean", NoneType: "null"}


def breaks(released: Mapping[str, Schema], current: Mapping[str, Schema]) -> list[str]:
    """What in the current schemas breaks those who rely on the released ones: a sentence for each; none: nothing does.

    Args:
        released: schemas by the type of their message, each complete in itself.
        current: the same.
    """
    return [problem for type_, schema in released.items() for problem in _of_message(type_, schema, current.get(type_))]


def _of_message(type_: str, released: Schema, current: Schema | None) -> Iterator[str]:
    if current is None:
        yield f"{type_} is gone"
        return
    for name, problem in _PROMISED.items():
        if released.get(name) != current.get(name):
            yield f"{type_} {problem}: {current.get(name)} instead of {released.get(name)}"
    is_command = ".commands." in released["x-topic"]
    if is_command:
        yield from _changed_defaults(_Place(type_, released, current))
        yield from _outside(_Place(type_, released, current))
    else:
        yield from _outside(_Place(type_, current, released))


class _Place:
    """Two schemas at one place of a message: all that the inner one accepts has to be accepted by the outer one."""

    def __init__(
        self, path: str, inner: Schema, outer: Schema, *, inner_root: Schema | None = None, outer_root: Schema | None = None
    ) -> None:
        self.path = path
        self.inner_root = inner_root if inner_root is not None else inner
        self.outer_root = outer_root if outer_root is not None else outer
        self.inner = _resolved(inner, self.inner_root)
        self.outer = _resolved(outer, self.outer_root)

    def at(self, name: str, inner: Schema, outer: Schema) -> "_Place":
        """A place inside this one."""
        return _Place(f"{self.path}{name}", inner, outer, inner_root=self.inner_root, outer_root=self.outer_root)


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def _outside(place: _Place) -> Iterator[str]:
    """What the inner schema accepts and the outer one does not."""
    inner, outer = _alternatives(place.inner), _alternatives(place.outer)
    if len(inner) == len(outer) == 1:
        yield from _outside_one(place)
        return
    for number, alternative in enumerate(inner):
        if all(any(_outside(place.at("", alternative, other))) for other in outer):
            yield f"{place.path}: {_shown(_resolved(alternative, place.inner_root))} (alternative {number + 1}) is not among what is known there"


def _alternatives(schema: Schema) -> Sequence[Schema]:
    alternatives: Sequence[Schema] = schema.get("anyOf", [schema])
    return alternatives


def _shown(schema: Schema) -> str:
    values = _values(schema)
    return str(schema.get("title") or (", ".join(map(str, values)) if values else schema.get("type", "anything")))


def _outside_one(place: _Place) -> Iterator[str]:
    path, inner, outer = place.path, place.inner, place.outer
    for name in sorted((inner.keys() | outer.keys()) - _UNDERSTOOD):
        if inner.get(name) != outer.get(name):
            yield f"{path}: {name} has changed, which nobody can tell to be harmless"
    values = _values(inner)
    if values is not None:
        yield from (f"{path}: {value} is not known there" for value in values if not _accepts(outer, value))
        return
    if _values(outer) is not None:
        yield f"{path}: {_shown(inner)} is more than {_shown(outer)}"
    elif "type" in outer and inner.get("type") != outer["type"] and (inner.get("type"), outer["type"]) != ("integer", "number"):
        yield f"{path}: {inner.get('type', 'anything')} is not {outer['type']}"
    else:
        yield from _outside_bounds(place)
        yield from _outside_fields(place)
        yield from _outside_patterns(place)
        yield from _outside_the_rest(place)
        if "items" in outer:
            yield from _outside(place.at("[]", inner.get("items", {}), outer["items"]))


def _values(schema: Schema) -> Sequence[Any] | None:
    """The only values that are accepted, if they are listed."""
    if "const" in schema:
        return [schema["const"]]
    values: Sequence[Any] | None = schema.get("enum")
    return values


def _accepts(schema: Schema, value: Any) -> bool:
    """Whether one plain value is accepted; where that cannot be told, it is not."""
    values = _values(schema)
    if values is not None:
        return value in values
    if "format" in schema or schema.get("type") != _TYPE_NAMES.get(type(value)):
        return False
    size = len(value) if isinstance(value, str) else value
    low, high = ("minLength", "maxLength") if isinstance(value, str) else ("minimum", "maximum")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        return False
    return bool(schema.get(low, size) <= size <= schema.get(high, size))


def _outside_bounds(place: _Place) -> Iterator[str]:
    inner, outer = place.inner, place.outer
    for name in (*_LOWER_BOUNDS, *_UPPER_BOUNDS):
        if name not in outer:
            continue
        tightest = max if name in _LOWER_BOUNDS else min
        if name not in inner or tightest(inner[name], outer[name]) != inner[name]:
            yield f"{place.path}: {name} {inner.get(name, 'unbounded')} lets more through than {outer[name]}"
    for name in _SAME_OR_FREE:
        if name in outer and inner.get(name) != outer[name]:
            yield f"{place.path}: {name} {inner.get(name, 'anything')} is not {outer[name]}"


def _outside_fields(place: _Place) -> Iterator[str]:
    path, inner, outer = place.path, place.inner, place.outer
    inner_fields, outer_fields = inner.get("properties", {}), outer.get("properties", {})
    for name in sorted(set(outer.get("required", ())) - set(inner.get("required", ()))):
        yield f"{path}.{name} may be missing on one side, and not on the other"
    for name, field in outer_fields.items():
        if name in inner_fields:
            yield from _outside(place.at(f".{name}", inner_fields[name], field))
        elif inner.get("additionalProperties") is not False:
            yield f"{path}.{name} is gone"
    for name in inner_fields.keys() - outer_fields.keys():
        if outer.get("additionalProperties") is False:
            yield f"{path}.{name} is not accepted any more"


def _outside_the_rest(place: _Place) -> Iterator[str]:
    """Fields that nobody names: none are accepted, any are, or any of one kind."""
    inner, outer = place.inner.get("additionalProperties", True), place.outer.get("additionalProperties", True)
    if inner is False or outer is True:
        return
    if outer is False:
        yield f"{place.path}: fields that nobody names are not accepted any more"
        return
    yield from _outside(place.at(".*", {} if inner is True else inner, outer))


def _outside_patterns(place: _Place) -> Iterator[str]:
    """Fields that are named by a pattern."""
    inner, outer = place.inner.get("patternProperties", {}), place.outer.get("patternProperties", {})
    if inner.keys() != outer.keys():
        yield f"{place.path}: the names of its fields are other ones"
        return
    for pattern, field in inner.items():
        yield from _outside(place.at(".*", field, outer[pattern]))


def _changed_defaults(place: _Place) -> Iterator[str]:
    """Fields that mean something else when they are left out."""
    released, current = place.inner, place.outer
    for name, field in released.get("properties", {}).items():
        other = current.get("properties", {}).get(name)
        if other is None:
            continue
        if "default" in field and field.get("default") != other.get("default"):
            yield f"{place.path}.{name} is {other.get('default')} when it is left out, and not {field['default']}"
        yield from _changed_defaults(place.at(f".{name}", field, other))
