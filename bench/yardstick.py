"""How quick the machine is at the moment, so that two runs can be told apart by more than their date.

The same code was seen at half of its rate within an hour, and between two builds of the same Python: neither is shown by the name of a
processor, nor by the load. A loop shows the interpreter, a walk through memory shows what neighbours leave of the caches.
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import Final

_STEPS: Final = 300_000
#: Far more than any cache holds: each step waits for memory.
_PLACES: Final = 1_000_000
_TRIES: Final = 5


def loop_nanoseconds() -> float:
    """How long this Python takes for one step of an empty loop; the quickest of some tries."""
    return _quickest(lambda: _loop(_STEPS))


def memory_nanoseconds() -> float:
    """How long this Python takes for one step of a walk through memory in random order; the quickest of some tries."""
    places = list(range(_PLACES))
    random.Random(1).shuffle(places)
    return _quickest(lambda: _walk(places, _STEPS))


def _loop(steps: int) -> None:
    for _ in range(steps):
        pass


def _walk(places: Sequence[int], steps: int) -> None:
    place = 0
    for _ in range(steps):
        place = places[place]


def _quickest(measured: Callable[[], None]) -> float:
    took: list[int] = []
    for _ in range(_TRIES):
        begun = time.perf_counter_ns()
        measured()
        took.append(time.perf_counter_ns() - begun)
    return round(min(took) / _STEPS, 1)
