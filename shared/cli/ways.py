"""How records follow from each other: an event from its command, a request or a state from an event, a dead letter from a record."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from shared.cli.seen import Kind, Seen


@dataclass(slots=True)
class Step:
    """One message on the way.

    Attributes:
        seen: its first record.
        copies: the places of the same message's further records.
        effects: what follows from it, in the order of time.
    """

    seen: Seen
    copies: list[tuple[str, int, int]] = field(default_factory=list)
    effects: "list[Step]" = field(default_factory=list)

    def walk(self) -> "Iterator[tuple[Step | None, Step]]":
        """Every step below it with what it follows from, in the order in which they are drawn."""
        for effect in self.effects:
            yield self, effect
            yield from effect.walk()


def way_of(records: Iterable[Seen]) -> list[Step]:
    """Put records together.

    Returns:
        What nothing among the records caused, in the order of time.
    """
    steps: dict[object, Step] = {}
    by_place: dict[tuple[str, int, int], Step] = {}
    by_id: dict[str, Step] = {}
    by_version: dict[tuple[str, object], Step] = {}
    for seen in sorted(records, key=lambda seen: (seen.at, seen.kind is not Kind.COMMAND, seen.place)):
        if seen.place in by_place:
            continue
        identity = _identity(seen)
        if identity in steps:
            steps[identity].copies.append(seen.place)
        else:
            steps[identity] = Step(seen)
        by_place[seen.place] = steps[identity]
        if seen.kind is Kind.EVENT and seen.id:
            by_id.setdefault(seen.id, steps[identity])
            # The first event of a version is the one that raised it.
            by_version.setdefault((seen.entity_id, seen.data.get("version")), steps[identity])
    roots = []
    for step in steps.values():
        cause = by_place.get(step.seen.cause) if step.seen.cause is not None else None
        cause = cause or by_id.get(step.seen.attributes.get("causationid", ""))
        if step.seen.kind is Kind.STATE:
            cause = by_version.get((step.seen.entity_id, step.seen.data.get("version")))
        if cause is None or cause is step:
            roots.append(step)
        else:
            cause.effects.append(step)
    return roots


def _identity(seen: Seen) -> object:
    """What copies of a message have in common; the place of what is no message."""
    if seen.kind is Kind.DEAD_LETTER:
        return seen.headers.get("caremesh_dead_letter_id") or seen.place
    # A command is known by its source and id, on whatever topic it was published.
    return (seen.kind, seen.attributes.get("source"), seen.id) if seen.id and seen.kind is not Kind.STATE else seen.place


def first_and_last(roots: Sequence[Step]) -> tuple[Seen, Seen]:
    """The earliest and the latest record of a way."""
    steps = [step.seen for root in roots for step in (root, *(effect for _, effect in root.walk()))]
    return min(steps, key=lambda seen: seen.at), max(steps, key=lambda seen: seen.at)
