"""What makes a notification untrue: the contract's table, line by line."""

import pytest

from services.notify.domain.stale import TRUE_WHILE, Entity, EntityKind, is_stale
from shared.messages.booking import AppointmentStatus
from shared.messages.calls import CallStatus, TextSessionStatus
from shared.messages.notify import About, Template

STATUSES: dict[EntityKind, list[str]] = {
    EntityKind.APPOINTMENT: list(AppointmentStatus),
    EntityKind.CALL: list(CallStatus),
    EntityKind.TEXT_SESSION: list(TextSessionStatus),
}
#: As the contract words it: the statuses in which it is still true.
TABLE: dict[str, tuple[str, set[str]]] = {
    "appointment_requested": ("appointment", {"pending"}),
    "appointment_booked": ("appointment", {"pending"}),
    "appointment_confirmed": ("appointment", {"confirmed"}),
    "rescheduled": ("appointment", {"confirmed"}),
    "reschedule_proposed": ("appointment", {"reschedule_proposed"}),
    "reschedule_rejected": ("appointment", {"pending", "confirmed", "reschedule_proposed"}),
    "reschedule_withdrawn": ("appointment", {"pending", "confirmed", "reschedule_proposed"}),
    "appointment_expiring": ("appointment", {"pending"}),
    "call_incoming": ("call", {"connecting"}),
    "session_started": ("text_session", {"waiting"}),
}
NEVER = {
    "appointment_declined",
    "appointment_cancelled",
    "appointment_expired",
    "appointment_no_show",
    "call_failed",
    "call_declined",
    "call_missed",
    "session_expired",
    "session_ended",
    "session_settled",
    "balance_low",
    "balance_exhausted",
    "subscription_activated",
    "subscription_expired",
}
ABOUT = About(entity="appointment", entity_id="apt-1")


def test_the_table_names_every_template() -> None:
    assert TABLE.keys() | NEVER == set(Template)
    assert not TABLE.keys() & NEVER
    assert TRUE_WHILE.keys() == TABLE.keys()


@pytest.mark.parametrize("template", TABLE)
def test_a_notification_is_stale_in_every_other_status(template: str) -> None:
    kind, true_in = TABLE[template]
    for status in STATUSES[EntityKind(kind)]:
        entity = Entity(EntityKind(kind), "apt-1", status, 1)
        assert is_stale(Template(template), ABOUT, entity) == (status not in true_in), status


@pytest.mark.parametrize("template", sorted(NEVER))
@pytest.mark.parametrize("status", AppointmentStatus)
def test_some_are_true_for_ever(template: str, status: str) -> None:
    assert not is_stale(Template(template), ABOUT, Entity(EntityKind.APPOINTMENT, "apt-1", status, 9))


def test_what_is_unknown_makes_nothing_stale() -> None:
    assert not is_stale(Template.APPOINTMENT_CONFIRMED, ABOUT, None)


@pytest.mark.parametrize("known_version, stale", [(1, False), (2, True), (3, True)])
def test_what_was_known_before_the_cause_makes_nothing_stale(known_version: int, stale: bool) -> None:  # noqa: FBT001
    about = About(entity="appointment", entity_id="apt-1", version=2)
    known = Entity(EntityKind.APPOINTMENT, "apt-1", AppointmentStatus.PENDING, known_version)
    assert is_stale(Template.APPOINTMENT_CONFIRMED, about, known) == stale


def test_a_status_of_later_makes_it_stale() -> None:
    assert is_stale(Template.APPOINTMENT_CONFIRMED, ABOUT, Entity(EntityKind.APPOINTMENT, "apt-1", "archived", 4))
