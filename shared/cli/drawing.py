"""The way of a correlation as people see it: a line for each step, what follows from what, and how long after it."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from rich.table import Table
from rich.text import Text

from shared.cli.seen import Kind, Seen
from shared.cli.story import colour, details, title
from shared.cli.topic_names import short_name
from shared.cli.ways import Step
from shared.cli.wording import clock, duration, printable

#: Between two steps that nothing links, shorter gaps are not worth a line.
_GAP: Final = timedelta(milliseconds=100)


def draw(roots: Sequence[Step], prefix: str) -> Table:
    """One line for each step: when, or how long after its cause; what; what it says; where it lies."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, overflow="ellipsis")
    before: Seen | None = None
    for root in roots:
        if before is not None and root.seen.at - before.at > _GAP:
            table.add_row("⋮", Text(f"{duration(root.seen.at - before.at)} later", style="dim"))
        _row(table, root, clock(root.seen.at), "● ", prefix)
        before = root.seen
        for after, lead, step in _branches(root, ""):
            _row(table, step, after, lead, prefix)
            before = max(before, step.seen, key=lambda seen: seen.at)
    return table


def _branches(step: Step, lead: str) -> Iterator[tuple[str, str, Step]]:
    for effect in step.effects:
        is_last = effect is step.effects[-1]
        after = effect.seen.at - step.seen.at
        sign = "-" if after < timedelta(0) else "+"
        yield f"{sign} {duration(after)}", f"{lead}{'└─ ' if is_last else '├─ '}", effect
        yield from _branches(effect, f"{lead}{'   ' if is_last else '│  '}")


def _row(table: Table, step: Step, when: str, lead: str, prefix: str) -> None:
    seen = step.seen
    topic, partition, offset = seen.place
    again = f"  ({len(step.copies) + 1} times)" if step.copies else ""
    identity = printable(f"  ({seen.id} of {seen.attributes.get('source', '-')})") if seen.kind is Kind.COMMAND and seen.id else ""
    table.add_row(
        when,
        Text.assemble((lead, "dim"), (title(seen), colour(seen))),
        Text(f"{short_name(topic, prefix)}[{partition}]@{offset}"),
        Text.assemble(details(seen), (f"{identity}{again}", "dim")),
    )
