"""Random days: whatever comes, nobody is in two places, nothing depends on the sweeps, and batches change nothing."""

from collections import Counter
from dataclasses import replace
from datetime import datetime
from itertools import combinations

import pytest
from hypothesis import given, settings

from services.calls.domain.session import Call, Session, TextSession
from shared.codec.decode import Received
from shared.messages.calls import TextSessionEventType
from shared.messages.events import Event
from shared.messages.fields import Command, Role
from tests.unit.calls.days import DAY_RULES, Shelf, cuts, days


@settings(max_examples=300, deadline=None)
@given(days)
def test_nobody_is_ever_in_two_places(day: list[Received]) -> None:
    shelf = Shelf()
    for command in day:
        shelf.decide([command])
        going_on = [row for row in shelf.rows.values() if row.is_live and not row.is_lapsed(command.log_time)]
        for one, other in combinations(going_on, 2):
            assert one.patient_id != other.patient_id
            assert one.doctor_id != other.doctor_id or not (one.occupies_doctor and other.occupies_doctor)


@pytest.mark.parametrize("allowed", [2, 3])
@settings(max_examples=150, deadline=None)
@given(day=days)
def test_a_doctor_is_in_as_many_text_sessions_as_one_may_and_then_in_no_call(day: list[Received], allowed: int) -> None:
    shelf = Shelf(replace(DAY_RULES, text_sessions_per_doctor=allowed))
    for command in day:
        shelf.decide([command])
        occupying = [row for row in shelf.rows.values() if row.occupies_doctor and not row.is_lapsed(command.log_time)]
        for doctor, count in Counter(row.doctor_id for row in occupying).items():
            in_a_call = any(isinstance(row, Call) for row in occupying if row.doctor_id == doctor)
            assert count <= (1 if in_a_call else allowed)


@settings(max_examples=300, deadline=None)
@given(days)
def test_what_people_get_does_not_depend_on_whether_a_sweep_came(day: list[Received]) -> None:
    swept, unswept = Shelf(), Shelf()
    human = [command for command in day if isinstance(command.content, Command) and not command.content.from_sweep]
    with_sweeps = {command.id: events[0] for command, events in zip(day, swept.decide(day), strict=True)}
    without = {command.id: events[0] for command, events in zip(human, unswept.decide(human), strict=True)}
    for identifier, outcome in without.items():
        assert _gist(outcome) == _gist(with_sweeps[identifier])


@settings(max_examples=150, deadline=None)
@given(days)
def test_versions_have_no_gaps_and_times_never_go_back(day: list[Received]) -> None:
    versions: dict[str, int] = {}
    times: dict[str, datetime] = {}
    for event in (event for events in Shelf().decide(day) for event in events):
        assert event.subject is not None
        before = versions.get(event.subject, 0)
        if event.type.endswith(".rejected.v1"):
            assert event.version == before
            continue
        assert event.version == before + 1
        versions[event.subject] = event.version
        assert event.time >= times.get(event.subject, event.time)
        times[event.subject] = event.time


@settings(max_examples=150, deadline=None)
@given(days)
def test_every_activity_that_is_not_refused_counts_on_its_side(day: list[Received]) -> None:
    shelf = Shelf()
    counts: Counter[tuple[str, Role]] = Counter()
    for command, events in zip(day, shelf.decide(day), strict=True):
        if events[0].type == TextSessionEventType.ACTIVITY_RECORDED:
            assert events[0].subject is not None
            counts[events[0].subject, command.content.actor.role] += 1  # type: ignore[union-attr]
    for row in shelf.rows.values():
        if isinstance(row, TextSession):
            by_side = (counts[row.session_id, Role.PATIENT], counts[row.session_id, Role.DOCTOR])
            assert (row.patient_activity_count, row.doctor_activity_count) == by_side


@settings(max_examples=150, deadline=None)
@given(days)
def test_what_is_over_has_an_end_and_what_goes_on_has_none(day: list[Received]) -> None:
    shelf = Shelf()
    shelf.decide(day)
    for row in shelf.rows.values():
        assert (row.ended_at is None) is row.is_live
        assert (row.reason is None, row.ended_by is None) == (row.is_live, row.is_live)
        assert row.is_live or row.deadline_at is None
        assert _began(row) <= (row.ended_at or row.updated_at) <= row.updated_at


@settings(max_examples=200, deadline=None)
@given(days, cuts)
def test_a_batch_decides_the_same_as_its_commands_one_by_one(day: list[Received], lengths: list[int]) -> None:
    at_once, one_by_one = Shelf(), Shelf()
    position, cut = 0, 0
    while position < len(day):
        batch = day[position : position + lengths[cut % len(lengths)]]
        position, cut = position + len(batch), cut + 1
        assert at_once.decide(batch) == [one_by_one.decide([command])[0] for command in batch]
    assert at_once.rows == one_by_one.rows


def _gist(outcome: Event) -> tuple[object, ...]:
    """What happened, why not, and when; not who had noted it by then."""
    conflict = outcome.body.get("conflict")
    if isinstance(conflict, dict) and "since" in conflict:
        conflict = conflict | {"command": None}
    return outcome.type, outcome.body.get("reason"), conflict, outcome.time


def _began(row: Session) -> datetime:
    return (row.connected_at if isinstance(row, Call) else row.activated_at) or row.started_at
