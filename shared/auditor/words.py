"""How a service speaks: its commands, its events, and what these mean. One description for each service; the checks read it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared.auditor.facts import Event
from shared.auditor.values import Fields, name

SEND_NOTIFICATION: Final = "notify.notification.send.v1"
IDEMPOTENCY_CONFLICT: Final = "idempotency_conflict"
WRONG_STATUS: Final = "wrong_status"
NOT_FOUND: Final = 404
UNPROCESSABLE: Final = 422

NORMAL: Final = "normal"
CRITICAL: Final = "critical"

PATIENT: Final = "patient"
DOCTOR: Final = "doctor"
ADMIN: Final = "admin"
SYSTEM: Final = "system"

#: Who is told of an event, or may cause it.
Parties = Callable[[Event], tuple[str, ...]]


class Change(NamedTuple):
    """What an event that raises the version does to its entity's status."""

    before: frozenset[str | None]
    """Statuses in which it may happen; None: the entity did not exist."""
    after: str | None
    """The status then; None: the event itself says, and the service's own check knows which."""


class Notice(NamedTuple):
    """A notification that an event demands."""

    template: str
    recipients: Parties
    priority: str = NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandWords:
    """What a command can lead to."""

    outcomes: frozenset[str]
    """Event types; its outcome is one of them when it is not refused."""
    further: frozenset[str] = frozenset()
    """Event types that its decision may publish beside the outcome."""
    by: frozenset[str] | None = None
    """The roles that may do it; None: that is not judged."""

    @property
    def may_publish(self) -> frozenset[str]:
        """All that its decision may publish, a refusal apart."""
        return self.outcomes | self.further


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWords:
    """What an event means."""

    change: Change | None = None
    """None: it repeats the version."""
    says_again: Callable[[Event, Event], bool] | None = None
    """Of one that comes again, with the version that is there, when nothing is different: whether it is so after an event before it."""
    repeats_in: frozenset[str] | None = None
    """Of one that changes nothing: the statuses in which it may come; None: any."""
    notices: tuple[Notice, ...] = ()
    key_field: str | None = None
    """The field that its key must equal, if not its entity's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityWords:
    """A kind of thing that events are about."""

    id_field: str
    """The field of its id."""
    key_field: str = "doctor_id"
    """The field that the key of its commands and events must equal."""
    ids: tuple[str, ...] = ()
    """Further fields that every event of it, a refusal apart, must have as ids."""
    status_of: Callable[[Fields], str | None] = lambda fields: name(fields.get("status"))
    """Where it stands."""
    deadline_field: str | None = None
    """The field of the time until which something must happen to it."""
    deadline_in: frozenset[str] | None = None
    """The statuses in which that time matters; None: whenever it is there."""
    is_versioned: bool = True
    """Whether its events count its versions."""
    id_of: Callable[[Fields], str | None] | None = None
    """Its id, if that is no field of its own."""
    read: Callable[[Fields], object] = lambda _: None
    """What its service's own checks compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceWords:
    """What one service says and hears."""

    name: str
    entities: Mapping[str, EntityWords]
    """By the second word of the types."""
    commands: Mapping[str, CommandWords]
    events: Mapping[str, EventWords]
    """By type; refusals apart, of which every entity has its own."""
    hears: frozenset[str] = frozenset()
    """The services whose events it decides on."""
    has_processor: bool = True
    """Whether a processor reads its events: sweeps and notices."""
    is_ordered_by_patient: bool = False
    """Whether what is decided depends on all that is a patient's, whatever the key."""
    rules_with_422: frozenset[str] = frozenset()
    """Refusals with 422 that come from a rule and not from a broken schema: they have no dead letter."""
    closed_by_deadline: Callable[[Event], bool] = lambda _: False
    """Whether a change is what a passed deadline leads to."""
    time_of: Callable[[Event], int | None] = lambda _: None
    """The business time that follows from an event's own state; None: it is the append time of its command."""
    sweeps: frozenset[str] = field(default_factory=frozenset)
    """The commands by which its sweeps close what fell due."""

    @property
    def source(self) -> str:
        """The ``ce_source`` of its events."""
        return f"/caremesh/{self.name}"

    def rejected(self, entity: str) -> str:
        """The type of the refusal of a kind of entity."""
        return f"{self.name}.{entity}.rejected.v1"

    def knows(self, event_type: str) -> bool:
        """Whether it is a type of event of this service."""
        return event_type in self.events or self.is_rejected(event_type)

    def is_rejected(self, event_type: str) -> bool:
        """Whether it is a type of refusal of this service."""
        return (
            event_type.endswith(".rejected.v1")
            and event_type == self.rejected(entity_of(event_type))
            and entity_of(event_type) in self.entities
        )

    def change(self, event: Event) -> Change | None:
        """What the event does to its entity's status; None if it changes nothing."""
        words = self.events.get(event.type)
        return None if words is None else words.change


def entity_of(type_: str) -> str:
    """The kind of entity that a type of command or event is about: its second word."""
    return type_.split(".")[1] if type_.count(".") > 1 else ""


def doctor(event: Event) -> tuple[str, ...]:
    """The doctor is told."""
    return (event.doctor_id or "",)


def patient(event: Event) -> tuple[str, ...]:
    """The patient is told."""
    return (event.patient_id or "",)


def both(event: Event) -> tuple[str, ...]:
    """Doctor and patient are told."""
    return event.doctor_id or "", event.patient_id or ""


def types(service: str, entity: str, *words: str) -> frozenset[str]:
    """Types of an entity, from their third words."""
    return frozenset(f"{service}.{entity}.{word}.v1" for word in words)
