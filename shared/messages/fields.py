"""The field types that all messages share: ids, times, and who acts."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, ClassVar, Self, TypeVar, get_args
from zoneinfo import available_timezones

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, StringConstraints, WithJsonSchema

IDENTIFIER_PATTERN = r"^[A-Za-z0-9_.:-]{1,128}$"
#: Of a publisher: a URI reference.
SOURCE_PATTERN = r"^[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]{1,128}$"

#: An opaque id: no names, contacts or notes, for personal data never enters a topic.
Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER_PATTERN)]

_RFC_3339_PATTERN = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$"
_RFC_3339 = re.compile(_RFC_3339_PATTERN, re.ASCII)
# An offset moves a time by less than a day, so these bounds keep every later calculation inside what Python can represent.
_EARLIEST_YEAR, _LATEST_YEAR = "1970", "2200"


def parse_time(value: object) -> datetime:
    """Read an RFC 3339 time with an offset, or a ``datetime`` with one, as UTC.

    Digits beyond microseconds are cut off.

    Raises:
        ValueError: not such a time, a time without an offset, or a year outside 1970 to 2200.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.isoformat()
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        message = "a time is RFC 3339 with an offset, such as 2030-01-31T09:30:00Z or 2030-01-31T11:30:00+02:00"
        raise ValueError(message)
    if not _EARLIEST_YEAR <= value[:4] <= _LATEST_YEAR:
        message = f"a year lies between {_EARLIEST_YEAR} and {_LATEST_YEAR}"
        raise ValueError(message)
    return datetime.fromisoformat(value.upper()).astimezone(UTC)


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC, with Z."""
    # As isoformat() and a replacement would write it, in a quarter of the time.
    return orjson.dumps(time, option=orjson.OPT_UTC_Z)[1:-1].decode()


#: A moment: RFC 3339 with an offset on input, UTC inside, UTC with Z on output.
UtcTime = Annotated[
    datetime,
    PlainValidator(parse_time),
    PlainSerializer(format_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _RFC_3339_PATTERN}),
]


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _known_time_zone(value: str) -> str:
    if value not in _time_zones():
        message = "a time zone is an IANA name, such as Africa/Blantyre"
        raise ValueError(message)
    return value


#: An IANA time zone; it only says how people see a time, comparisons are in UTC.
TimeZoneName = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_time_zone)]


class Explained(StrEnum):
    """Words for programs; each says what it means to the reader of the published contract."""

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Self:
        """Make a member."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member


class Role(StrEnum):
    """In which role somebody acts."""

    PATIENT = "patient"
    DOCTOR = "doctor"
    ADMIN = "admin"
    SYSTEM = "system"


class Modality(StrEnum):
    """How doctor and patient meet."""

    TEXT = "text"
    VOICE = "voice"
    VIDEO = "video"


class Message(BaseModel):
    """What every part of a message has in common: frozen, strict, and nothing unknown in it.

    The docstring under a field is its description in the published contract: see ``descriptions``.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", use_enum_values=False)


class Actor(Message):
    """Who caused a command, as the publishing service says; the mesh does not authenticate it."""

    role: Role
    """In which role."""
    id: Identifier
    """Who."""


class Published(BaseModel):
    """What every part of an event has in common. Readers ignore fields that they do not know: within v1 there may be more."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class CommandReference(Published):
    """Which command it was."""

    source: str
    """Its `ce_source`."""
    id: Identifier
    """Its `ce_id`."""
    type: Identifier
    """Its `ce_type`."""


class ChangedBy(Published):
    """The command that made a status what it is."""

    type: Identifier
    """Its `ce_type`."""
    id: Identifier
    """Its `ce_id`."""


class Decision(Published):
    """Who asked, where the record lay that decided, and which of that decision's events this is."""

    decided_at: UtcTime
    """When the database decided it: for people, no rule depends on it."""
    index: Annotated[int, Field(ge=0)]
    """0: the outcome of the command; 1, 2, …: what else the decision caused."""
    command: CommandReference
    """The command that was decided."""
    topic: str
    """The topic in which it lay."""
    partition: Annotated[int, Field(ge=0)]
    """Its partition."""
    offset: Annotated[int, Field(ge=0)]
    """Its offset."""


class EventData(Published):
    """What every event's value carries."""

    #: The field that the record's key is equal to.
    key_field: ClassVar[str] = "doctor_id"

    type: Identifier
    """What happened; equal to the header `ce_type`."""
    id: Identifier
    """Drop an id that you have seen: copies occur. Equal to the header `ce_id`."""
    time: UtcTime
    """The business time: when it happened. Equal to the header `ce_time`."""
    version: Annotated[int, Field(ge=0)]
    """The entity's: 1, 2, 3 …, raised by changes of state only; 0 if the entity does not exist."""
    decision: Decision
    """Who asked, and where the record lay that decided."""


class StateData(Published):
    """What every record of a state topic carries: an entity as it stands."""

    type: Identifier
    """What kind of entity it is; equal to the header `ce_type`."""
    id: Identifier
    """The same for the same state of the same entity. Equal to the header `ce_id`."""
    time: UtcTime
    """The business time: since when it stands so. Equal to the header `ce_time`."""
    version: Annotated[int, Field(ge=1)]
    """The entity's, as in its events. The last record of a key is the newest; ignore one with a version older than the one you hold."""


# A command's own `type` hides the built-in one.
EventModel = type[EventData]
EventTypes = tuple[type[EventData], ...]


class Command(Message):
    """A command's data. Its type, id and source travel in the headers."""

    #: The ``ce_type``.
    type: ClassVar[str]
    #: The kind of entity that it is about: the second word of its type.
    entity: ClassVar[str]
    #: The field that the record's key must equal.
    key_field: ClassVar[str] = "doctor_id"
    #: The field that holds the entity's id.
    id_field: ClassVar[str]
    #: The events of which its outcome is one, a refusal apart.
    outcomes: ClassVar[EventTypes]
    #: The event that refuses it.
    rejection: ClassVar[EventModel]
    #: What its decision may publish after the outcome.
    also_causes: ClassVar[EventTypes] = ()
    #: Whether a sweep publishes it: copies of it occur all the time and are not answered again.
    from_sweep: ClassVar[bool] = False

    @property
    def partition_key(self) -> str:
        """The id that the record's key must equal."""
        key: str = getattr(self, self.key_field)
        return key

    @property
    def entity_id(self) -> str | None:
        """The id of the entity that it is about, or ``None`` when the mesh is to derive one."""
        identifier: str | None = getattr(self, self.id_field)
        return identifier


DurationMinutes = Annotated[int, Field(ge=5, le=480)]


AnyMessage = TypeVar("AnyMessage", Command, EventData)


def by_type(*messages: type[AnyMessage]) -> dict[str, type[AnyMessage]]:
    """Commands, or events, by their types."""
    return {type_of(message): message for message in messages}


def type_of(message: type[Command | EventData | StateData]) -> str:
    """The ``ce_type`` of a kind of message."""
    if issubclass(message, Command):
        return message.type
    (name,) = get_args(message.model_fields["type"].annotation)
    return str(name)


def service_of(type_: str) -> str:
    """The service whose commands or events have this type: its first word."""
    return type_.partition(".")[0]
