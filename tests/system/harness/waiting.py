"""Waiting for a condition, never for a time."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable

#: Multiplies every load: 1 in a test run, more in a soak.
SOAK = int(os.environ.get("CAREMESH_SOAK", "1"))

_STEP_SECONDS = 0.05


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, *, seconds: float = 30, step: float = _STEP_SECONDS) -> float:
    """Return once the condition holds, with how long that took in seconds; fail when it does not in time."""
    began = time.monotonic()
    while True:
        holds = condition()
        if isawaitable(holds):
            holds = await holds
        waited = time.monotonic() - began
        if holds:
            return waited
        assert waited < seconds, f"After {seconds:g} s it has not come about that {what}."
        await asyncio.sleep(step)


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 30, step: float = _STEP_SECONDS) -> None:
    """The same for a test without an event loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"After {seconds:g} s it has not come about that {what}."
        time.sleep(step)
