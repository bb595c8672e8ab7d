"""What a service brings to the path: what it reads, its rules and its store."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import Table

from shared.codec.decode import Received
from shared.database import Connection, NewRows
from shared.messages.events import Event, Request
from shared.messages.fields import Command, EventData


@dataclass(frozen=True, slots=True)
class Parties:
    """The two people of an entity; they never change once it exists."""

    doctor_id: str
    patient_id: str


class Locks(NamedTuple):
    """The names of the locks that a command needs, each ``kind:id``.

    Attributes:
        ordered: of what the log keeps in order anyway, such as the doctor: hardly ever contended, so waited for.
        shared: of what commands on other partitions can change too, such as a patient's time: taken where it is free;
            the command is otherwise left for the next batch.
    """

    ordered: Collection[str]
    shared: Collection[str] = ()


class WorkingSet(Protocol):
    """The states that one batch needs, and how they change as its commands are decided."""

    def decide(self, received: Received) -> Sequence[Event | Request]:
        """Decide one command, or hear one event, and take in what happened.

        Of a command the first is an event: the outcome. From an event that is heard anything may follow, also nothing.
        """

    def knows(self, entity_id: str) -> bool:
        """Whether that entity exists."""


State = TypeVar("State", bound=WorkingSet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Generic[State]):
    """A service as the path sees it.

    Attributes:
        name: the second part of its topics' names, its schema, and the end of its role's name.
        commands: what it decides, by type.
        hears: the events of other services that it learns from, by service and by type. They go the way of commands.
        decisions: its decision table.
        named_entity: the entity that must exist for a command to succeed, if any.
        locks: what a command needs to be decided safely, given the parties of the entities that exist.
        parties: the parties of those of the entities that exist; read without a lock.
        load: the states that a batch needs; read under its locks.
        record: writes what has changed, what frees a slot first, one row state for each entity; and says what is new.
        log_line: the line that people look for in the logs after an event, if there is one.
        may_be_unheard: whether a command names something of another service that is unknown here. It is decided only after the
            events of that service were read up to where they ended when the command arrived.
    """

    name: str
    commands: Mapping[str, type[Command]]
    decisions: Table
    named_entity: Callable[[Received], str | None]
    locks: Callable[[Received, Mapping[str, Parties]], Locks]
    parties: Callable[[Connection, Collection[str]], Awaitable[Mapping[str, Parties]]]
    load: Callable[[Connection, Sequence[Received]], Awaitable[State]]
    record: Callable[[Connection, State], Awaitable[Sequence[NewRows]]]
    log_line: Callable[[Event], str | None]
    hears: Mapping[str, Mapping[str, type[EventData]]] = field(default_factory=dict)
    may_be_unheard: Callable[[Received, State], bool] | None = None
