"""What the scenarios have in common: counting outcomes, naming durations, and seeing that somebody is told."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from shared.demo.findings import promise
from shared.demo.stage import Stage, described
from shared.messages.fields import EventData
from shared.messages.notify import Template

_TOLD_WITHIN_SECONDS: Final = 5
_SECOND_NOTICE_SECONDS: Final = 1


def count(outcomes: Sequence[EventData]) -> dict[str, int]:
    """How often each outcome occurred: ``booked``, ``409 slot_already_booked`` and so on."""
    return dict(Counter(described(outcome) for outcome in outcomes))


def listed(seen: dict[str, int]) -> str:
    """Outcomes and their numbers, for people."""
    return ", ".join(f"{number} × {outcome}" for outcome, number in sorted(seen.items()))


def duration(limit: timedelta) -> str:
    """A duration for people: whole hours as hours, else seconds."""
    hours = limit / timedelta(hours=1)
    return f"{hours:g} hours" if hours >= 1 else f"{limit.total_seconds():g} seconds"


async def told_once(stage: Stage, entity_id: str, template: Template, recipient_id: str) -> None:
    """See that somebody is told about something, and is not told again.

    Raises:
        BrokenPromiseError: nobody was told, or twice.
    """

    def told() -> set[str]:
        return {message.value["notification_id"] for message in stage.requests_about(entity_id, template, recipient_id)}

    promise(await stage.until(told, seconds=_TOLD_WITHIN_SECONDS), f"nobody was told ({template})")
    await stage.until(lambda: len(told()) > 1, seconds=_SECOND_NOTICE_SECONDS)
    promise(len(told()) == 1, f"they were told {len(told())} times ({template})")
