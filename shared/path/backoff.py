"""Waiting a little longer after each failure, for as long as it takes."""

import asyncio
import random
from typing import Final

_FIRST_SECONDS: Final = 0.05
_LONGEST_SECONDS: Final = 5.0


class Backoff:
    """Waits that double, with jitter, up to five seconds; without an end."""

    def __init__(self) -> None:
        """Start short."""
        self._seconds = _FIRST_SECONDS

    async def wait(self) -> None:
        """Wait, and longer the next time."""
        await asyncio.sleep(self._seconds * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, keeps no secret
        self._seconds = min(self._seconds * 2, _LONGEST_SECONDS)
