"""Random days, decided by the service and by the naive model: the same, and never two in one place."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import combinations, product

from hypothesis import given, settings

from services.booking.domain.appointment import Appointment, Interval
from shared.codec.decode import Received
from shared.messages.booking import AppointmentEventType, AppointmentStatus, TimeOffStatus
from shared.messages.events import Event
from tests.unit.booking.days import cuts, days, days_of_two_partitions
from tests.unit.booking.naive import NAIVE_RULES, Naive, Shelf, words_of


@settings(max_examples=300, deadline=None)
@given(days)
def test_every_command_comes_to_what_the_naive_model_says(day: list[Received]) -> None:
    naive, shelf = Naive(), Shelf()
    for command in day:
        expected = naive.decide(command)
        assert words_of(shelf.decide([command])[0]) == expected
    assert shelf.standing() == naive.standing()


@settings(max_examples=150, deadline=None)
@given(days)
def test_nobody_is_ever_in_two_places(day: list[Received]) -> None:
    shelf = Shelf()
    for command in day:
        shelf.decide([command])
        now = command.log_time
        holding = [row for row in shelf.rows.values() if row.holds_slot(now)]
        for one, other in combinations(holding, 2):
            if one.doctor_id == other.doctor_id or one.patient_id == other.patient_id:
                assert not _share_a_moment(_times(one), _times(other))
        for row, off in product(holding, shelf.time_off.values()):
            if row.doctor_id == off.doctor_id and off.status is TimeOffStatus.BLOCKED:
                assert not _share_a_moment(_times(row), [off.interval])


@settings(max_examples=150, deadline=None)
@given(days)
def test_nobody_books_while_they_wait_for_as_many_answers_as_allowed(day: list[Received]) -> None:
    shelf = Shelf()
    for command in day:
        before = list(shelf.rows.values())
        [outcome, *_] = shelf.decide([command])[0]
        if outcome.type == AppointmentEventType.BOOKED:
            own = [row for row in before if row.patient_id == outcome.body["patient_id"] and row.status is AppointmentStatus.PENDING]
            assert sum(not row.is_lapsed(command.log_time) for row in own) < NAIVE_RULES.max_pending_per_patient


@settings(max_examples=150, deadline=None)
@given(days)
def test_versions_have_no_gaps_and_only_changes_of_state_raise_them(day: list[Received]) -> None:
    shelf = Shelf()
    versions: dict[str, int] = {}
    times: dict[str, datetime] = {}
    for event in (event for events in shelf.decide(day) for event in events):
        assert event.subject is not None
        before = versions.get(event.subject, 0)
        if event.type.endswith((".rejected.v1", ".expiring.v1")):
            # A refusal may be about an appointment of another doctor: it does not exist for who asked.
            assert event.version in {before, 0}
            continue
        assert event.version == before + 1
        versions[event.subject] = event.version
        assert event.time >= times.get(event.subject, event.time)
        times[event.subject] = event.time


@settings(max_examples=300, deadline=None)
@given(days_of_two_partitions, cuts)
def test_a_batch_decides_the_same_as_its_commands_one_by_one(day: list[Received], lengths: list[int]) -> None:
    # With a limit of one every miscount shows at once.
    rules = replace(NAIVE_RULES, max_pending_per_patient=1)
    at_once, one_by_one = Shelf(rules), Shelf(rules)
    position, cut = 0, 0
    while position < len(day):
        batch = day[position : position + lengths[cut % len(lengths)]]
        position, cut = position + len(batch), cut + 1
        expected = [_said(one_by_one.decide([command])[0]) for command in batch]
        assert [_said(events) for events in at_once.decide(batch)] == expected
    assert (at_once.rows, at_once.time_off) == (one_by_one.rows, one_by_one.time_off)


def _said(events: list[Event]) -> list[object]:
    # Whether the winner lay in the same batch changes the words of a refusal, and nothing else.
    return [(event.type, event.key, event.subject, event.time, event.version, {**event.body, "message": None}) for event in events]


def _times(row: Appointment) -> list[Interval]:
    return [interval for interval in (row.interval, row.proposed_interval) if interval is not None]


def _share_a_moment(one: Sequence[Interval], other: Sequence[Interval]) -> bool:
    return any(max(a.starts_at, b.starts_at) < min(a.ends_at, b.ends_at) for a, b in product(one, other))
