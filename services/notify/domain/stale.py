"""Which notifications the state of what they are about can make untrue: the contract's table."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final, NamedTuple

from shared.messages.booking import AppointmentStatus
from shared.messages.calls import CallStatus, TextSessionStatus
from shared.messages.notify import About, Template


class EntityKind(StrEnum):
    """The entities whose status notify follows."""

    APPOINTMENT = "appointment"
    CALL = "call"
    TEXT_SESSION = "text_session"


class Entity(NamedTuple):
    """The status of an entity, as the last event that was heard says."""

    kind: EntityKind
    entity_id: str
    status: str
    version: int


class TrueWhile(NamedTuple):
    """A notification is true while its entity has one of these statuses."""

    kind: EntityKind
    statuses: AbstractSet[str]


def _appointment(*statuses: AppointmentStatus) -> TrueWhile:
    return TrueWhile(EntityKind.APPOINTMENT, frozenset(statuses))


_PENDING: Final = _appointment(AppointmentStatus.PENDING)
_CONFIRMED: Final = _appointment(AppointmentStatus.CONFIRMED)
_OPEN: Final = _appointment(AppointmentStatus.PENDING, AppointmentStatus.CONFIRMED, AppointmentStatus.RESCHEDULE_PROPOSED)

#: Those that are not named are true for ever.
TRUE_WHILE: Final[Mapping[Template, TrueWhile]] = {
    Template.APPOINTMENT_REQUESTED: _PENDING,
    Template.APPOINTMENT_BOOKED: _PENDING,
    Template.APPOINTMENT_CONFIRMED: _CONFIRMED,
    Template.RESCHEDULED: _CONFIRMED,
    Template.RESCHEDULE_PROPOSED: _appointment(AppointmentStatus.RESCHEDULE_PROPOSED),
    Template.RESCHEDULE_REJECTED: _OPEN,
    Template.RESCHEDULE_WITHDRAWN: _OPEN,
    Template.APPOINTMENT_EXPIRING: _PENDING,
    Template.CALL_INCOMING: TrueWhile(EntityKind.CALL, frozenset({CallStatus.CONNECTING})),
    Template.SESSION_STARTED: TrueWhile(EntityKind.TEXT_SESSION, frozenset({TextSessionStatus.WAITING})),
}


def is_stale(template: Template, about: About, entity: Entity | None) -> bool:
    """Whether the state has made a notification untrue.

    What is unknown makes nothing stale, nor does what was known before the cause of the notification: the request may arrive
    before notify has heard the event.

    Args:
        template: what it says.
        about: what it is about.
        entity: what is known of that.
    """
    true_while = TRUE_WHILE.get(template)
    if true_while is None or entity is None:
        return False
    if about.version is not None and entity.version < about.version:
        return False
    return entity.status not in true_while.statuses
