"""The whole play: traffic, scenarios beside it, and the auditor at the end."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from shared.client import Message
from shared.demo.findings import Row
from shared.demo.scenarios import LAST_SCENARIOS, SCENARIOS, Scenario, play
from shared.demo.stage import Stage
from shared.demo.traffic import PASSERS_BY, Step, Traffic, step_of_sweep
from shared.demo.view import View

_LIVELY_PAUSE_SECONDS: Final = 0.35
_QUIET_PAUSE_SECONDS: Final = 4.0
#: People see who is coming and going before the first scenario, and between two.
_BREATH_SECONDS: Final = 0.8


def rows_to_play() -> list[Row]:
    """The table as it looks before anything was tried."""
    return [Row(scenario.title) for scenario in (*SCENARIOS, *LAST_SCENARIOS)]


async def perform(stage: Stage, rows: Sequence[Row], view: View) -> None:
    """Fill the rows, with live traffic around.

    Args:
        stage: connected.
        rows: of ``rows_to_play``; each gets its finding.
        view: is told of everything.

    Raises:
        CannotPlayError: notify does not take the addresses of the invented people.
    """
    played = list(zip((*SCENARIOS, *LAST_SCENARIOS), rows, strict=True))
    await stage.introduce(PASSERS_BY, *(scenario.cast for scenario in SCENARIOS))
    stage.on_message = _tell_of_sweeps(view.step)
    traffic = asyncio.create_task(Traffic(stage, view.step, pause_seconds=_LIVELY_PAUSE_SECONDS).run(), name="traffic")
    try:
        await asyncio.sleep(_BREATH_SECONDS)
        # Those that have to wait go beside the others.
        waiting = [pair for pair in played[: len(SCENARIOS)] if pair[0].waits]
        others = [pair for pair in played[: len(SCENARIOS)] if not pair[0].waits]
        async with asyncio.TaskGroup() as group:
            for scenario, row in waiting:
                group.create_task(_fill(scenario, row, stage, view))
            for scenario, row in others:
                await _fill(scenario, row, stage, view)
                await asyncio.sleep(_BREATH_SECONDS)
    finally:
        await _end(traffic)
    for scenario, row in played[len(SCENARIOS) :]:
        await _fill(scenario, row, stage, view)
    stage.on_message = lambda _message: None


async def go_on_quietly(stage: Stage) -> None:
    """A patient now and then, so that other tools have something to see; until cancelled."""
    await Traffic(stage, lambda _step: None, pause_seconds=_QUIET_PAUSE_SECONDS).run()


async def _fill(scenario: Scenario, row: Row, stage: Stage, view: View) -> None:
    row.finding = await play(scenario, stage)
    view.found(row)


def _tell_of_sweeps(tell: Callable[[Step], None]) -> Callable[[Message], None]:
    seen: set[str] = set()

    def hear(message: Message) -> None:
        step = step_of_sweep(message, seen)
        if step is not None:
            tell(step)

    return hear


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
