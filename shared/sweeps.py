"""Sweeps: time as a message. They find what falls due and publish a command for it; they write no state.

So a time-out takes its place in the same log as the human action that it races with, and the log decides.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared import sweep_runs
from shared.codec.encode import encode_command, source_of
from shared.database import process_name
from shared.messages.fields import Command, service_of
from shared.metrics import SweepMetrics
from shared.path.backoff import Backoff
from shared.path.errors import DATABASE_ERRORS, describe
from shared.path.publisher import Publisher
from shared.topics import commands_topic

#: How far ahead a sweep looks, and how often.
HORIZON: Final = timedelta(seconds=1)
PAGE: Final = 1_000
#: A deadline has passed one millisecond after it: the log's clock knows no smaller step.
_AFTER_DEADLINE: Final = timedelta(milliseconds=1)
_LONGEST_STEP_SECONDS: Final = 60
_DOUBLING_ATTEMPTS: Final = 6
_MAX_IDENTIFIER: Final = 128
#: A leader whose process was stopped loses its session, and so the lead.
_STOPPED_LEADER_SECONDS: Final = 10
#: A leader that finds nothing notes so often that it looked.
_NOTE_INTERVAL_SECONDS: Final = 5
_BY_HAND_POLL_SECONDS: Final = 0.2

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Due:
    """Something whose deadline comes or has passed.

    Attributes:
        entity_id: what.
        version: of its state; a change of state makes a new command.
        deadline: when.
        command: to publish after the deadline.
    """

    entity_id: str
    version: int
    deadline: datetime
    command: Command


#: (connection, until, after) → the next page of what falls due until then, ordered by (deadline, entity_id), after that place.
FindDue = Callable[[AsyncConnection, datetime, tuple[datetime, str] | None], Awaitable[Sequence[Due]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One kind of deadline.

    Attributes:
        name: for people, such as ``appointments-expire``.
        service: whose deadlines these are.
        action: the first part of its commands' ids.
        find: asks the database.
    """

    name: str
    service: str
    action: str
    find: FindDue


def attempt_at(overdue: timedelta) -> int:
    """Which attempt is due, this long after the deadline: 0 at once, the n-th after 2ⁿ seconds, then every 60 seconds.

    It follows from the clock alone, so every worker comes to the same and the copies collapse.
    """
    seconds = overdue.total_seconds()
    attempt = 0
    while attempt < _DOUBLING_ATTEMPTS and seconds >= 2 ** (attempt + 1):
        attempt += 1
    if attempt == _DOUBLING_ATTEMPTS:
        attempt += int((seconds - 2**_DOUBLING_ATTEMPTS) // _LONGEST_STEP_SECONDS)
    return attempt


def command_id(action: str, due: Due, attempt: int) -> str:
    """The identity of a sweep's command; an entity with a very long id is named by its hash."""
    identifier = f"{action}:{due.entity_id}:{due.version}:{attempt}"
    if len(identifier) <= _MAX_IDENTIFIER:
        return identifier
    return f"{action}:{blake2b(due.entity_id.encode(), digest_size=16).hexdigest()}:{due.version}:{attempt}"


class SweepLedElsewhereError(Exception):
    """Somebody else runs the sweep, and has the lead.

    Attributes:
        holder: who, as its connection calls itself.
    """

    def __init__(self, holder: str) -> None:
        """Name the holder."""
        super().__init__(f"The lead is held by {holder}.")
        self.holder = holder


class Sweeper:
    """Runs one sweep, as long as no other worker does."""

    def __init__(
        self,
        sweep: Sweep,
        *,
        engine: AsyncEngine,
        publisher: Publisher,
        topic_prefix: str,
        tell: Callable[[Due, str], None] = lambda _due, _identifier: None,
    ) -> None:
        """Make it.

        Args:
            sweep: what to look for.
            engine: in the service's role.
            publisher: of commands.
            topic_prefix: the beginning of the names of the topics that commands go to.
            tell: is told of each command that was published: for what, and its id.
        """
        self._sweep = sweep
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._publisher = publisher
        self._topic_prefix = topic_prefix
        self._tell = tell
        self._metrics = SweepMetrics(sweep.name)
        self._woken = asyncio.Event()
        #: What was published and is still due: entity and version → the last attempt.
        self._published: dict[tuple[str, int], int] = {}
        #: How many commands the pass that goes on has published.
        self._count = 0
        self._noted_at = -float(_NOTE_INTERVAL_SECONDS)

    def learn(self, deadline: datetime) -> None:
        """Hear of a new deadline; one that comes before the next look is not slept over."""
        # An older one is found by every look; events of long ago must not cause one each.
        if abs(deadline - datetime.now(UTC)) <= HORIZON:
            self._woken.set()

    async def run(self) -> None:
        """Sweep whenever this worker holds the lead, until cancelled."""
        backoff = Backoff()
        while True:
            try:
                async with self._engine.connect() as connection:
                    await self._win(connection)
                    backoff = Backoff()
                    _log.info("Sweep leads", sweep=self._sweep.name)
                    await self._lead(connection)
            except DATABASE_ERRORS as error:
                _log.warning("Sweep lost its connection, trying again", sweep=self._sweep.name, error=type(error).__name__)
                await backoff.wait()

    async def run_once(self, *, wait_seconds: float, alone: bool = True) -> int:
        """Publish for everything that is due now, by hand.

        Args:
            wait_seconds: how long to wait for the lead at the most.
            alone: ``False``: beside whoever leads. It does no harm: both publish the same ids.

        Returns:
            How many commands were published.

        Raises:
            SweepLedElsewhereError: somebody else has the lead.
        """
        give_up_at = time.monotonic() + wait_seconds
        async with self._engine.connect() as connection:
            while alone and not await self._leads(connection):
                if time.monotonic() >= give_up_at:
                    holder = await sweep_runs.leader(connection, self._sweep.service, self._sweep.name)
                    raise SweepLedElsewhereError(holder or "somebody who has just gone")
                await asyncio.sleep(_BY_HAND_POLL_SECONDS)
            # The lead ends with the session, and the session with the engine.
            await self._pass(connection, datetime.now(UTC))
            await self._note(connection)
        return self._count

    async def _win(self, connection: AsyncConnection) -> None:
        await connection.execute(text(f"SET idle_session_timeout = '{_STOPPED_LEADER_SECONDS}s'"))
        while not await self._leads(connection):
            # Nobody tells when the leader dies: a lock in a database cannot be awaited without holding up its session.
            await asyncio.sleep(HORIZON.total_seconds())

    async def _leads(self, connection: AsyncConnection) -> bool:
        key = sweep_runs.leader_lock(self._sweep.service, self._sweep.name)
        return bool((await connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key})).scalar())

    async def _lead(self, connection: AsyncConnection) -> None:
        while True:
            self._woken.clear()
            look_again_at = datetime.now(UTC) + HORIZON
            woken = await self._pass(connection, look_again_at)
            if self._count > 0 or time.monotonic() - self._noted_at >= _NOTE_INTERVAL_SECONDS:
                await self._note(connection)
            if not woken:
                await self._woken_before(look_again_at)

    async def _pass(self, connection: AsyncConnection, until: datetime) -> bool:
        """Publish for everything that is due, and for what falls due until then, at its instant.

        Returns:
            Whether it was cut short by news of an earlier deadline.
        """
        self._count = 0
        still_due: dict[tuple[str, int], int] = {}
        after: tuple[datetime, str] | None = None
        while True:
            page = await self._sweep.find(connection, until, after)
            self._metrics.looked()
            if await self._publish_page(page, still_due):
                return True
            if len(page) < PAGE:
                # What is no longer due was decided; nobody need remember it.
                self._published = still_due
                return False
            after = (page[-1].deadline, page[-1].entity_id)

    async def _publish_page(self, page: Sequence[Due], still_due: dict[tuple[str, int], int]) -> bool:
        remaining = list(page)
        while remaining:
            now = datetime.now(UTC)
            count = sum(1 for due in remaining if due.deadline + _AFTER_DEADLINE < now)
            if count > 0:
                await self._publish(remaining[:count], now, still_due)
                remaining = remaining[count:]
            elif await self._woken_before(remaining[0].deadline + 2 * _AFTER_DEADLINE):
                return True
        return False

    async def _woken_before(self, moment: datetime) -> bool:
        """Wait until a moment; whether news came before it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max((moment - datetime.now(UTC)).total_seconds(), 0)):
                await self._woken.wait()
        return self._woken.is_set()

    async def _publish(self, dues: Sequence[Due], now: datetime, still_due: dict[tuple[str, int], int]) -> None:
        messages = []
        published: list[tuple[Due, str]] = []
        first = []
        for due in dues:
            key = (due.entity_id, due.version)
            attempt = attempt_at(now - due.deadline)
            still_due[key] = attempt
            if key not in self._published:
                first.append(due.deadline)
            if self._published.get(key) == attempt:
                continue
            self._published[key] = attempt
            identifier = command_id(self._sweep.action, due, attempt)
            # Of what falls due here, another service may be the one to decide.
            topic = commands_topic(self._topic_prefix, service_of(due.command.type))
            messages.append(encode_command(due.command, topic=topic, source=source_of(self._sweep.service), identifier=identifier))
            published.append((due, identifier))
        await self._publisher.publish(messages)
        published_at = datetime.now(UTC)
        self._metrics.published((published_at - deadline).total_seconds() for deadline in first)
        self._count += len(messages)
        for due, identifier in published:
            self._tell(due, identifier)
        if messages:
            _log.debug("Sweep published", sweep=self._sweep.name, commands=len(messages))

    async def _note(self, connection: AsyncConnection) -> None:
        """Note that it looked. What people are told about a sweep must not keep it from its work."""
        self._noted_at = time.monotonic()
        try:
            await sweep_runs.note(connection, self._sweep.name, ran_by=process_name(), published=self._count)
        except DATABASE_ERRORS as error:
            _log.warning("Sweep's run not noted", sweep=self._sweep.name, error=describe(error))
