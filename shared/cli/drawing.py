"""The way of a correlation as people see it: a line for each step, what follows from what, and how long after it."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from rich.text import Text

from shared.cli.seen import Kind, Seen
from shared.cli.story import colour, details, title
from shared.cli.topic_names import short_name
from shared.cli.ways import Step
from shared.cli.wording import clock, duration, printable

#: Between two steps that nothing links, shorter gaps are not worth a line.
_GAP: Final = timedelta(milliseconds=100)
#: A time of day to the millisecond.
_WHEN_WIDTH: Final = 12


class _Line(NamedTuple):
    """One line of the drawing: when, what, where it lies, what it says."""

    when: str
    what: Text
    where: str
    says: Text


def draw(roots: Sequence[Step], prefix: str) -> list[Text]:
    """One line for each step: when, or how long after its cause; what; where it lies; what it says."""
    lines = list(_lines(roots, prefix))
    what_width = max(line.what.cell_len for line in lines)
    where_width = max(len(line.where) for line in lines)
    drawn = []
    for line in lines:
        line.what.pad_right(what_width - line.what.cell_len)
        when = (line.when.rjust(_WHEN_WIDTH), "dim")
        drawn.append(Text.assemble(when, "  ", line.what, "  ", (line.where.ljust(where_width), "dim"), "  ", line.says))
    return drawn


def _lines(roots: Sequence[Step], prefix: str) -> Iterator[_Line]:
    before: Seen | None = None
    for root in roots:
        if before is not None and root.seen.at - before.at > _GAP:
            yield _Line("⋮", Text(f"{duration(root.seen.at - before.at)} later", style="dim"), "", Text())
        yield _line(root, clock(root.seen.at), "● ", prefix)
        before = root.seen
        for after, lead, step in _branches(root, ""):
            yield _line(step, after, lead, prefix)
            before = max(before, step.seen, key=lambda seen: seen.at)


def _branches(step: Step, lead: str) -> Iterator[tuple[str, str, Step]]:
    for effect in step.effects:
        is_last = effect is step.effects[-1]
        after = effect.seen.at - step.seen.at
        sign = "-" if after < timedelta(0) else "+"
        yield f"{sign} {duration(after)}", f"{lead}{'└─ ' if is_last else '├─ '}", effect
        yield from _branches(effect, f"{lead}{'   ' if is_last else '│  '}")


def _line(step: Step, when: str, lead: str, prefix: str) -> _Line:
    seen = step.seen
    topic, partition, offset = seen.place
    again = f"  ({len(step.copies) + 1} times)" if step.copies else ""
    identity = printable(f"  ({seen.id} of {seen.attributes.get('source', '-')})") if seen.kind is Kind.COMMAND and seen.id else ""
    return _Line(
        when,
        Text.assemble((lead, "dim"), (title(seen), colour(seen))),
        f"{short_name(topic, prefix)}[{partition}]@{offset}",
        Text.assemble(details(seen), (f"{identity}{again}", "dim")),
    )
