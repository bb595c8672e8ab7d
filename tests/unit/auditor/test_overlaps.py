"""The sweep finds what a naive comparison of every pair with every pair finds."""

from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.auditor.booking.overlaps import slots_of
from shared.auditor.booking.state import Appointment
from shared.auditor.facts import Event
from shared.auditor.holdings import contradictions, holdings_of
from shared.auditor.instants import MICROSECONDS_PER_MINUTE


@dataclass(frozen=True)
class Plan:
    """One appointment, in steps of a small clock: the log position, the partition and the time of each are one number's parts."""

    starts: int
    minutes: int
    booked: int
    limit: int
    answered: int | None
    freed: int | None
    partition: int
    lag: int

    @property
    def confirmed_at(self) -> int | None:
        return self.booked + self.answered if self.answered is not None and self.answered <= self.limit else None

    @property
    def freed_at(self) -> int | None:
        after = self.booked if self.confirmed_at is None else self.confirmed_at
        return None if self.freed is None else after + self.freed

    @property
    def held_until(self) -> float:
        """The last moment at which it is held by its deadline alone."""
        return float("inf") if self.confirmed_at is not None else self.booked + self.limit


plans = st.lists(
    st.builds(
        Plan,
        starts=st.integers(0, 6),
        minutes=st.integers(1, 3),
        booked=st.integers(0, 30),
        limit=st.integers(1, 8),
        answered=st.none() | st.integers(1, 8),
        freed=st.none() | st.integers(1, 12),
        partition=st.integers(0, 1),
        lag=st.integers(0, 20),
    ),
    max_size=12,
)


def events_of(name: str, plan: Plan) -> list[Event]:
    """The plan as the log would tell it: offsets rise with time, decisions come some time after."""

    def event(status: str, when: int, version: int, expires: int | None) -> Event:
        return Event(
            id=f"{name}-{version}", type="", entity="appointment", entity_id=name, partition=plan.partition, offset=when, digest=b"",
            key="doc-a", doctor_id="doc-a", patient_id="pat-a", time_us=when, status=status, deadline_us=expires, version=version,
            decision_topic="commands", decision_partition=plan.partition, decision_offset=when, decision_index=0,
            decided_us=when + plan.lag, identity="", command_type="", status_code=None, reason=None, conflict=None,
            state=Appointment(plan.starts * MICROSECONDS_PER_MINUTE, plan.minutes, None, None, None, None),
        )  # fmt: skip

    events = [event("pending", plan.booked, 1, plan.booked + plan.limit)]
    if plan.confirmed_at is not None:
        events.append(event("confirmed", plan.confirmed_at, 2, None))
    if plan.freed_at is not None:
        events.append(event("cancelled", plan.freed_at, len(events) + 1, None))
    return events


def was_free(held: Plan, taken: Plan, *, in_one_log: bool) -> bool:
    if held.held_until < taken.booked:
        return True
    if held.freed_at is None:
        return False
    if in_one_log and held.partition == taken.partition:
        return held.freed_at <= taken.booked
    by_time = (held.freed_at, held.partition) < (taken.booked, taken.partition)
    return by_time or held.freed_at + held.lag <= taken.booked + taken.lag


def naive(plans: list[Plan], *, in_one_log: bool) -> set[frozenset[str]]:
    return {
        frozenset((str(i), str(j)))
        for i, one in enumerate(plans)
        for j, other in enumerate(plans)
        if i < j
        and one.starts < other.starts + other.minutes
        and other.starts < one.starts + one.minutes
        and not was_free(one, other, in_one_log=in_one_log)
        and not was_free(other, one, in_one_log=in_one_log)
    }


@settings(max_examples=600, deadline=None)
@given(plans=plans, in_one_log=st.booleans())
@example(plans=[Plan(0, 2, 0, 5, None, None, 0, 0), Plan(1, 2, 5, 5, None, None, 0, 0)], in_one_log=True)
@example(plans=[Plan(0, 2, 0, 5, None, None, 0, 0), Plan(1, 2, 6, 5, None, None, 0, 0)], in_one_log=True)
@example(plans=[Plan(0, 2, 0, 5, 1, 4, 0, 9), Plan(1, 2, 5, 5, None, None, 1, 0)], in_one_log=False)
def test_the_sweep_agrees_with_comparing_every_pair(plans: list[Plan], in_one_log: bool) -> None:  # noqa: FBT001
    holdings = [
        holding for number, plan in enumerate(plans) for holding in holdings_of(str(number), events_of(str(number), plan), slots_of)
    ]
    found = {frozenset((one.entity_id, other.entity_id)) for one, other in contradictions(holdings, in_one_log=in_one_log)}
    assert found == naive(plans, in_one_log=in_one_log)


def test_a_proposal_holds_the_old_and_the_proposed_time() -> None:
    booked = events_of("1", Plan(0, 2, 0, 5, None, None, 0, 0))[0]
    moved = booked.state._replace(starts_us=10 * MICROSECONDS_PER_MINUTE)
    proposed = booked._replace(
        status="reschedule_proposed",
        state=booked.state._replace(proposed_starts_us=moved.starts_us, status_before_proposal="pending"),
        decision_offset=3,
        time_us=3,
        version=2,
        deadline_us=None,
    )
    accepted = proposed._replace(status="confirmed", state=moved, decision_offset=5, time_us=5, version=3)
    spans = sorted(
        (h.starts_us // MICROSECONDS_PER_MINUTE, h.taken.offset, h.released and h.released.offset)
        for h in holdings_of("1", [booked, proposed, accepted], slots_of)
    )
    assert spans == [(0, 0, 5), (10, 3, None)]


def test_a_slot_that_changed_hands_ten_thousand_times_is_judged_quickly() -> None:
    plans = [Plan(0, 2, 2 * number, 5, None, 1, 0, 0) for number in range(10_000)]
    holdings = [
        holding for number, plan in enumerate(plans) for holding in holdings_of(str(number), events_of(str(number), plan), slots_of)
    ]
    assert contradictions(holdings, in_one_log=True) == []
    assert contradictions(holdings, in_one_log=False) == []
