"""Who held which time, and when: pure, and the heart of the audit.

Two axes must not be confused. A *slot* is the interval that an entity occupies, [starts, ends). A *holding* is a slot between the event
that took it and what let it go: that is history.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from shared.auditor.facts import Event
from shared.auditor.instants import NEVER_US

_HELD_FOR_EVER: Final = NEVER_US


class Point(NamedTuple):
    """A moment of history: what one event did."""

    time_us: int
    """Business time."""
    decided_us: int
    """When the database decided it, behind its locks."""
    partition: int
    offset: int
    decision_index: int


class Holding(NamedTuple):
    """A slot, held by an entity from one point of history to another."""

    entity_id: str
    starts_us: int
    ends_us: int
    taken: Point
    released: Point | None
    """None: still held."""
    lapses_us: int | None
    """The deadline after which it is free although no event says so; the deadline itself is still held."""
    proof: Event
    """The event that took it."""


class Slot(NamedTuple):
    """An interval, [starts, ends)."""

    starts_us: int
    ends_us: int


#: What an entity holds after an event.
SlotsOf = Callable[[Event], tuple[Slot, ...]]
#: The order of history on an axis: a holding → the moments between which it may be in the book.
Span = Callable[[Holding], tuple[int, int]]


def holdings_of(entity_id: str, changes: Sequence[Event], slots_of: SlotsOf) -> Iterator[Holding]:
    """The holdings of one entity.

    Args:
        entity_id: unique among all that are compared.
        changes: the events that changed it, by version.
        slots_of: what it holds after an event.
    """
    held: dict[Slot, Event] = {}
    previous: Event | None = None
    for event in changes:
        slots = slots_of(event)
        for slot in [slot for slot in held if slot not in slots]:
            yield _holding(entity_id, slot, held.pop(slot), event, previous)
        for slot in slots:
            held.setdefault(slot, event)
        previous = event
    for slot, taker in held.items():
        yield _holding(entity_id, slot, taker, None, previous)


def _holding(entity_id: str, slot: Slot, taker: Event, releaser: Event | None, last: Event | None) -> Holding:
    lapses_us = None if last is None else last.deadline_us
    released = None if releaser is None else _point(releaser)
    return Holding(entity_id, slot.starts_us, slot.ends_us, _point(taker), released, lapses_us, taker)


def _point(event: Event) -> Point:
    return Point(event.time_us, event.decided_us, event.decision_partition, event.decision_offset, event.decision_index)


def time_span(holding: Holding) -> tuple[int, int]:
    """The axis of business time."""
    released_us = _HELD_FOR_EVER if holding.released is None else holding.released.time_us
    return holding.taken.time_us, released_us if holding.lapses_us is None else min(released_us, holding.lapses_us)


def log_span(holding: Holding) -> tuple[int, int]:
    """The axis of one partition's log. Deadlines do not lie on it."""
    return holding.taken.offset, _HELD_FOR_EVER if holding.released is None else holding.released.offset


def overlapping_pairs(holdings: Sequence[Holding], span: Span) -> Iterator[tuple[Holding, Holding]]:
    """The pairs of different entities whose slots overlap and whose spans on this axis meet.

    A sweep along the axis that keeps the slots in the book sorted: for a history without faults O(n log n), however often a slot changed hands.
    """
    moments: list[tuple[int, bool, int]] = []
    for number, holding in enumerate(holdings):
        first, last = span(holding)
        moments.append((first, False, number))
        moments.append((max(first, last), True, number))
    moments.sort()
    longest_us = max((holding.ends_us - holding.starts_us for holding in holdings), default=0)
    book: list[tuple[int, int]] = []
    for _, is_last, number in moments:
        holding = holdings[number]
        if is_last:
            del book[bisect_left(book, (holding.starts_us, number))]
            continue
        nearby = bisect_left(book, (holding.starts_us - longest_us, -1))
        while nearby < len(book) and book[nearby][0] < holding.ends_us:
            other = holdings[book[nearby][1]]
            if other.ends_us > holding.starts_us and other.entity_id != holding.entity_id:
                yield other, holding
            nearby += 1
        insort(book, (holding.starts_us, number))


def is_free_for(held: Holding, taken: Holding, *, in_one_log: bool) -> bool:
    """Whether `held` had been let go when the other was taken.

    Args:
        held: the one that may have been let go.
        taken: the other.
        in_one_log: whether both are of one doctor: then the log of its partition is the order, whatever the clocks say.
    """
    taking = taken.taken
    if held.lapses_us is not None and held.lapses_us < taking.time_us:
        return True
    release = held.released
    if release is None:
        return False
    if in_one_log and release.partition == taking.partition:
        # A decision frees before it takes: the same offset is in order.
        return release.offset <= taking.offset
    if (release.time_us, *release[2:]) < (taking.time_us, *taking[2:]):
        return True
    # Two partitions are read at their own pace, so the log gives them no order; the locks did, and the database noted it.
    return release.decided_us <= taking.decided_us


def both_held(one: Holding, other: Holding, *, in_one_log: bool) -> bool:
    """Whether there was a moment at which both were held."""
    return not is_free_for(one, other, in_one_log=in_one_log) and not is_free_for(other, one, in_one_log=in_one_log)


def contradictions(holdings: Sequence[Holding], *, in_one_log: bool) -> list[tuple[Holding, Holding]]:
    """The pairs of different entities that held overlapping slots at the same moment; each pair of entities once.

    Args:
        holdings: of one doctor, or of one patient.
        in_one_log: whether log positions order them where they share a partition, as they do for a doctor.
    """
    found: dict[tuple[str, str], tuple[Holding, Holding]] = {}
    for group, span in _sweeps(holdings, in_one_log=in_one_log):
        for one, other in overlapping_pairs(group, span):
            if both_held(one, other, in_one_log=in_one_log):
                names = sorted((one.entity_id, other.entity_id))
                found.setdefault((names[0], names[1]), (one, other))
    return list(found.values())


def _sweeps(holdings: Sequence[Holding], *, in_one_log: bool) -> Iterator[tuple[Sequence[Holding], Span]]:
    """The sweeps that together meet every pair that could contradict."""
    partitions = {holding.taken.partition for holding in holdings}
    if not in_one_log or len(partitions) > 1:
        yield holdings, time_span
    if in_one_log:
        for partition in partitions:
            yield [holding for holding in holdings if holding.taken.partition == partition], log_span
