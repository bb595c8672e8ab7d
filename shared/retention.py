"""Decisions outlive the retention of every topic that they came from, and are then forgotten."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.path import decisions
from shared.path.errors import DATABASE_ERRORS

_INTERVAL_SECONDS: Final = 3600
_CHUNK: Final = 5_000
#: Between two chunks, so that forgetting never competes with deciding.
_PAUSE_SECONDS: Final = 0.1

_log = structlog.get_logger()


class Retention:
    """Removes old decisions, a chunk at a time, once an hour. Several workers doing it at once do no harm."""

    def __init__(self, service: str, *, engine: AsyncEngine, retention_days: float) -> None:
        """Make it.

        Args:
            service: whose decisions.
            engine: in the service's role.
            retention_days: how old a decision may become.
        """
        self._service = service
        self._engine = engine
        self._retention_days = retention_days

    async def run(self) -> None:
        """Forget, rest, and again, until cancelled."""
        while True:
            try:
                forgotten = await self.forget()
            except DATABASE_ERRORS as error:
                _log.warning("Old decisions not forgotten for now", service=self._service, error=type(error).__name__)
            else:
                if forgotten:
                    _log.info("Old decisions forgotten", service=self._service, decisions=forgotten)
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def forget(self) -> int:
        """Remove every decision that is too old.

        Returns:
            How many were removed.
        """
        before = decisions.retention_limit(datetime.now(UTC), self._retention_days)
        total = 0
        while True:
            async with self._engine.begin() as connection:
                forgotten = await decisions.forget(connection, before, _CHUNK)
            total += forgotten
            if forgotten < _CHUNK:
                return total
            await asyncio.sleep(_PAUSE_SECONDS)
