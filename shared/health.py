"""Whether a process is ready: found out anew whenever somebody asks, not a flag that was set once.

A process is *healthy* while its event loop turns. It is *ready* while it also has partitions, Kafka and the database answer,
and what it takes gets done.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from aiokafka.errors import KafkaError

from shared.path.errors import DATABASE_ERRORS, describe
from shared.path.watchdog import Watchdog

#: A server that has not answered after so long is away.
ANSWER_SECONDS: Final = 2.0
#: What is in hand for longer, whether it hangs or fails again and again, is stuck.
STUCK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """How far one of the partitions is that a process holds.

    Attributes:
        topic: its topic.
        partition: its number.
        done: the next offset before which all is decided and published.
        end: the offset of the next record to be appended.
    """

    topic: str
    partition: int
    done: int
    end: int

    @property
    def lag(self) -> int:
        """How many records are still to be done."""
        return max(self.end - self.done, 0)


class Consuming(Protocol):
    """What a runtime says about its consumer."""

    def not_consuming(self) -> str:
        """Why it takes nothing, as a sentence; empty when it does."""

    async def progress(self) -> Sequence[PartitionProgress]:
        """The partitions that it holds; the brokers are asked where they end.

        Raises:
            KafkaError: they do not say.
        """


class Working(Protocol):
    """What decides and publishes."""

    def in_hand_seconds(self) -> float:
        """For how long the oldest batch is in decision or in publication; 0 when there is none."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    Attributes:
        problems: why the process is not ready, as sentences; none when it is.
        progress: of its partitions, as far as the brokers answered.
    """

    problems: Sequence[str]
    progress: Sequence[PartitionProgress] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


class Health:
    """Examines one process, in its event loop."""

    def __init__(self, consumer_group: str, watchdog: Watchdog, ask_database: Callable[[], Awaitable[None]]) -> None:
        """Begin as not ready.

        Args:
            consumer_group: that the process is a member of.
            watchdog: knows of what hangs.
            ask_database: returns when the database answers.
        """
        self.consumer_group = consumer_group
        self._watchdog = watchdog
        self._ask_database = ask_database
        self._waiting_for = "It is starting."
        self._consuming: Consuming | None = None
        self._working: Working | None = None
        #: What was done altogether when records were first seen to wait, and when that was.
        self._standing: tuple[int, float] | None = None
        self._examination: asyncio.Task[Report] | None = None

    def waits_for(self, sentence: str) -> None:
        """Note what the process waits for before it can begin."""
        self._waiting_for = sentence

    def begin(self, consuming: Consuming, working: Working) -> None:
        """Note that the work begins.

        Args:
            consuming: takes records.
            working: decides and publishes.
        """
        self._consuming, self._working = consuming, working

    async def examine(self) -> Report:
        """Find out whether the process is ready. Who asks while somebody else does gets the same answer."""
        if self._examination is None or self._examination.done():
            self._examination = asyncio.create_task(self._examine())
        return await asyncio.shield(self._examination)

    async def _examine(self) -> Report:
        if self._consuming is None or self._working is None:
            return Report([self._waiting_for])
        problems = [self._consuming.not_consuming(), self._hanging(self._working)]
        database, (kafka, progress) = await asyncio.gather(self._database_problem(), self._kafka_problem(self._consuming))
        problems += [database, kafka, self._standstill(progress)]
        return Report([problem for problem in problems if problem], progress)

    def _hanging(self, working: Working) -> str:
        seconds = max(working.in_hand_seconds(), self._watchdog.oldest_seconds())
        if seconds <= STUCK_SECONDS:
            return ""
        return f"A batch has been in hand for {seconds:.0f} seconds; the log says whether it fails or hangs."

    async def _database_problem(self) -> str:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._ask_database()
        except TimeoutError:
            return f"The database has not answered for {ANSWER_SECONDS:g} seconds."
        except DATABASE_ERRORS as error:
            return f"The database cannot be asked: {describe(error)}."
        return ""

    async def _kafka_problem(self, consuming: Consuming) -> tuple[str, Sequence[PartitionProgress]]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return "", await consuming.progress()
        except TimeoutError:
            return f"Kafka has not answered for {ANSWER_SECONDS:g} seconds.", ()
        except KafkaError as error:
            return f"Kafka cannot be asked: {type(error).__name__}.", ()

    def _standstill(self, progress: Sequence[PartitionProgress]) -> str:
        """Whether records lie there, and none gets done: whatever the reason, even one that nobody has thought of."""
        if not any(partition.lag for partition in progress):
            self._standing = None
            return ""
        done = sum(partition.done for partition in progress)
        now = time.monotonic()
        if self._standing is None or self._standing[0] != done:
            self._standing = (done, now)
        seconds = now - self._standing[1]
        if seconds <= STUCK_SECONDS:
            return ""
        return f"Records are waiting, and none has been done for {seconds:.0f} seconds."
