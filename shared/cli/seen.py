"""A record as people see it: what kind of message, about what, and what it says. Whatever lies in a topic, it can be looked at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import Any, Final

import orjson

from shared.cli.topic_names import is_dead_letter_topic
from shared.codec.record import Record

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ATTRIBUTES: Final = ("id", "source", "type", "time", "subject", "correlationid", "causationid")


class Kind(Enum):
    """What a record is."""

    COMMAND = "command"
    EVENT = "event"
    DEAD_LETTER = "dead letter"
    #: The current state of an entity, in a compacted topic.
    STATE = "state"


@dataclass(frozen=True)
class Seen:
    """One record.

    Attributes:
        record: as it lies there.
    """

    record: Record

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset."""
        return (self.record.topic, self.record.partition, self.record.offset)

    @property
    def at(self) -> datetime:
        """When the log took it, or, outside of commands topics, when its producer sent it."""
        return _EPOCH + timedelta(milliseconds=min(max(self.record.timestamp, 0), 7_258_118_400_000))

    @cached_property
    def kind(self) -> Kind:
        """What it is, by its topic."""
        topic = self.record.topic
        if is_dead_letter_topic(topic):
            return Kind.DEAD_LETTER
        if ".commands." in topic:
            return Kind.COMMAND
        return Kind.EVENT if ".events." in topic else Kind.STATE

    @cached_property
    def key(self) -> str:
        """The key as text; empty when there is none."""
        return (self.record.key or b"").decode(errors="replace")

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The last header of each name, as text."""
        return {name: (value or b"").decode(errors="replace") for name, value in self.record.headers}

    @cached_property
    def value(self) -> Mapping[str, Any] | None:
        """The JSON object; ``None`` when it is not one."""
        try:
            value = orjson.loads(self.record.value or b"")
        except orjson.JSONDecodeError:
            return None
        return value if isinstance(value, dict) else None

    @cached_property
    def attributes(self) -> Mapping[str, str]:
        """The CloudEvents attributes, from the headers or, in structured mode, from the value."""
        headers, value = self.headers, self.value
        found = {name: headers[f"ce_{name}"] for name in _ATTRIBUTES if f"ce_{name}" in headers}
        if not found and value is not None and "specversion" in value:
            found = {name: value[name] for name in _ATTRIBUTES if isinstance(value.get(name), str)}
        return found

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """What it says; empty when it cannot be read."""
        value = self.value or {}
        is_structured = "specversion" in value and not any(name.startswith("ce_") for name in self.headers)
        data = value.get("data") if is_structured else value
        return data if isinstance(data, dict) else {}

    @property
    def type(self) -> str:
        """The ``ce_type``; empty when there is none."""
        return self.attributes.get("type", "")

    @property
    def id(self) -> str:
        """The ``ce_id``; empty when there is none."""
        return self.attributes.get("id", "")

    @cached_property
    def entity(self) -> str:
        """The word for what it is about: the second of its type."""
        words = self.type.split(".")
        return words[1] if len(words) > 2 else ""  # noqa: PLR2004 - service.entity.action

    @cached_property
    def action(self) -> str:
        """What is to happen or has happened: the third word of its type."""
        words = self.type.split(".")
        return words[2].replace("_", " ") if len(words) > 2 else self.type  # noqa: PLR2004 - service.entity.action

    @cached_property
    def entity_id(self) -> str:
        """The id of what it is about; empty when it names none."""
        named = self.attributes.get("subject") or self.data.get(f"{self.entity}_id")
        return named if isinstance(named, str) else ""

    @property
    def cause(self) -> tuple[str, int, int] | None:
        """Where the record lies that it follows from: an event names the command that was decided, a dead letter what was set aside."""
        if self.kind is Kind.DEAD_LETTER:
            place = tuple(self.headers.get(f"__connect.errors.{part}", "") for part in ("topic", "partition", "offset"))
        else:
            decision = self.data.get("decision")
            decision = decision if isinstance(decision, dict) else {}
            place = tuple(str(decision.get(part, "")) for part in ("topic", "partition", "offset"))
        topic, partition, offset = place
        return (topic, int(partition), int(offset)) if topic and partition.isdigit() and offset.isdigit() else None

    @property
    def decided_command(self) -> Mapping[str, Any]:
        """The source, id and type of the command that an event names; empty when it names none."""
        decision = self.data.get("decision")
        command = decision.get("command") if isinstance(decision, dict) else None
        return command if isinstance(command, dict) else {}

    def names(self, identifier: str) -> bool:
        """Whether it names an id: as its key, in a header, or as a text anywhere in its value."""
        # Most records do not: a look at the bytes is enough for those.
        sought = identifier.encode()
        if self.record.key == sought or any(value == sought for _, value in self.record.headers):
            return True
        value = self.record.value
        return value is not None and sought in value and (self.value is None or identifier in _texts(self.value))


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for part in value.values():
                yield from _texts(part)
        case list():
            for part in value:
                yield from _texts(part)
        case _:
            pass
