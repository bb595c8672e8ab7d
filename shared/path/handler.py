"""From records to messages, whatever is in the records and whatever the database does.

Transient failures are retried in place, never skipped. What fails because of one record cuts the batch in two until that
record stands alone: then it is a dead letter.
"""

import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

import structlog

from shared.codec.dead_letters import DeadLetter, Stage, UndecidableReason, dead_letter_of
from shared.codec.decode import Received
from shared.codec.record import OutgoingMessage, Record
from shared.messages.events import Event
from shared.metrics import DecisionMetrics, retries
from shared.path.backoff import Backoff
from shared.path.dead_letters import show_no_dead_letters, write_off
from shared.path.decisions import Positions, outcome_of
from shared.path.errors import Failure, FatalError, classify, describe
from shared.path.hearing import Hearing
from shared.path.intake import Decoded, Intake
from shared.path.pipeline import Handled
from shared.path.service import Service, State
from shared.path.transaction import Answer, Transactions
from shared.path.watchdog import Watchdog

#: More dead letters of our own making than this in a minute are a bad deploy, which must not drain the topic.
MAX_OWN_DEAD_LETTERS_PER_MINUTE: Final = 20

#: How often a record that stands alone is decided again after somebody else was first.
_CHANCES_ALONE: Final = 5

_PASSING: Final = frozenset({Failure.TRANSIENT})
#: A single command is never too much; the lock table is full of others' locks.
_PASSING_ALONE: Final = _PASSING | {Failure.TOO_LARGE}

#: How soon records are decided again that wait for another service's events, if none come in.
_UNHEARD_PAUSE_SECONDS: Final = 0.05

Result = TypeVar("Result")

_log = structlog.get_logger()


class Handler(Generic[State]):
    """Turns batches of records into messages to publish."""

    def __init__(
        self,
        service: Service[State],
        transactions: Transactions[State],
        *,
        intake: Intake,
        hearing: Hearing,
        consumer_group: str,
        watchdog: Watchdog,
    ) -> None:
        """Make it.

        Args:
            service: what to decide by.
            transactions: where to decide.
            intake: how the records of each topic are read.
            hearing: what commands wait for that name something of another service.
            consumer_group: whose dead letters these are.
            watchdog: ends the process when an attempt hangs.
        """
        self._service = service
        self._transactions = transactions
        self._intake = intake
        self._hearing = hearing
        self._consumer_group = consumer_group
        self._watchdog = watchdog
        self._metrics = DecisionMetrics(service.name)
        self._retries = retries(service.name, "decide")
        show_no_dead_letters(service.name, intake)
        #: Left by the last batch, in order.
        self._carried: list[Decoded] = []
        self._pause_seconds = 0.0
        #: How far the last batch came, on partitions on which it left something.
        self._reached: Positions = {}
        self._own_dead_letters: deque[float] = deque(maxlen=MAX_OWN_DEAD_LETTERS_PER_MINUTE)

    @property
    def carries(self) -> bool:
        """Whether some records were left for the next batch; an empty batch decides them."""
        return bool(self._carried)

    @property
    def pause_seconds(self) -> float:
        """How long to wait for further records before an empty batch decides what was left."""
        return self._pause_seconds

    async def handle(self, records: Sequence[Record]) -> Handled:
        """Decide what was left by the last batch, and records in their order.

        A command whose patient is in somebody else's batch at this moment is left for the next batch, where it is waited for:
        waiting at once would cost more than all the rest. Nothing is left twice for that, and nothing when no record is new. What
        names something of another service that is not known here yet is left until it must be.

        Raises:
            FatalError: nothing can be decided before somebody mends the set-up.
        """
        fresh = [self._intake[record.topic](record) for record in records]
        decoded = self._carried + fresh
        if not decoded:
            return Handled([], {})
        waiting = len(self._carried) if fresh else None
        outcome = await self._decide(decoded, waiting=waiting)
        messages: list[OutgoingMessage] = []
        left: list[Decoded] = []
        for received, answer in zip(decoded, outcome.answers, strict=True):
            if answer is None:
                left.append(received)
            else:
                messages += self._messages(received, answer)
        reached = self._reached_after(decoded)
        first = first_offsets(left)
        self._reached = {place: reached[place] for place in first}
        self._carried = left
        await self._listen(decoded, left, outcome)
        self._log(outcome.events)
        return Handled(messages, {**reached, **first}, partial(self._metrics.published, outcome.log_times))

    async def _listen(self, decoded: Sequence[Decoded], left: Sequence[Decoded], outcome: "_Outcome") -> None:
        if not self._service.hears:
            return
        waiting = {id(received) for received in left}
        done = [received for received in decoded if isinstance(received, Received) and id(received) not in waiting]
        await self._hearing.listen(outcome.unheard, done)
        self._pause_seconds = _UNHEARD_PAUSE_SECONDS if outcome.unheard else 0.0

    def _positions(self, decoded: Sequence[Decoded], left: Iterable[Decoded]) -> Positions:
        """Up to where all is decided, on the partitions of a batch of which some is left."""
        return {**self._reached_after(decoded), **first_offsets(left)}

    def _reached_after(self, decoded: Sequence[Decoded]) -> Positions:
        """How far this batch and the one that left something to it have come, on the partitions of this batch."""
        return {place: max(position, self._reached.get(place, 0)) for place, position in positions_after(decoded).items()}

    def _messages(self, decoded: Decoded, answer: Answer) -> list[OutgoingMessage]:
        if isinstance(answer, DeadLetter):
            return [self._dead_letter(answer)]
        messages = list(answer)
        letter = dead_letter_of(decoded)
        if letter is not None:
            messages.append(self._dead_letter(letter))
        return messages

    def _dead_letter(self, letter: DeadLetter) -> OutgoingMessage:
        return write_off(letter, service=self._service.name, group=self._consumer_group)

    async def _decide(self, decoded: Sequence[Decoded], *, waiting: int | None = None, left: Sequence[Decoded] = ()) -> "_Outcome":
        """Decide a batch, in halves if it must be.

        Args:
            decoded: the batch.
            waiting: the locks of how many at its beginning are waited for; ``None``: of all.
            left: what was left of the batch before this part of it.
        """
        alone = len(decoded) == 1
        for chance in range(_CHANCES_ALONE if alone else 1):
            try:
                attempt = partial(self._attempt, decoded, waiting, left)
                return await self._patiently(attempt, passing=_PASSING_ALONE if alone else _PASSING)
            except FatalError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is belongs to one of the records, and none may be lost
                if alone and (classify(error) is not Failure.OVERTAKEN or chance == _CHANCES_ALONE - 1):
                    return await self._set_aside(decoded[0], error, left)
        middle = len(decoded) // 2
        first = await self._decide(decoded[:middle], left=left)
        left = [*left, *(received for received, answer in zip(decoded, first.answers, strict=False) if answer is None)]
        return first + await self._decide(decoded[middle:], left=left)

    async def _patiently(self, attempt: Callable[[], Awaitable[Result]], *, passing: AbstractSet[Failure]) -> Result:
        """Try for as long as the failures are of a kind that passes.

        Raises:
            FatalError: somebody must mend the set-up.
            Exception: what does not pass by itself.
        """
        backoff = Backoff()
        while True:
            try:
                with self._watchdog.expect("deciding a batch"):
                    return await attempt()
            except Exception as error:
                failure = classify(error)
                if failure is Failure.FATAL:
                    message = f"The database refuses the statements of {self._service.name}: {describe(error)}. Run `caremesh migrate`."
                    raise FatalError(message) from error
                if failure not in passing:
                    raise
                self._retries.inc()
                _log.warning("Batch failed for now, trying again", error=describe(error))
            await backoff.wait()

    async def _attempt(self, decoded: Sequence[Decoded], waiting: int | None, left: Sequence[Decoded]) -> "_Outcome":
        commands = {index: received for index, received in enumerate(decoded) if isinstance(received, Received)}
        must = None if waiting is None else frozenset(index for index in commands if index < waiting)
        if left:
            # What comes behind something that was left is left as well.
            keys = {received.record.key for received in left}
            behind = {index: received for index, received in commands.items() if received.record.key in keys}
        else:
            behind = {}
        now = {index: received for index, received in commands.items() if index not in behind} if behind else commands
        outcome = await self._transactions.decide(now, lambda more: self._positions(decoded, [*left, *behind.values(), *more]), must=must)
        self._metrics.decided(map(outcome_of, outcome.rows), outcome.log_times, records=len(outcome.answers))
        answers = [outcome.answers.get(index) if index in commands else () for index in range(len(decoded))]
        return _Outcome(answers, list(outcome.events), list(outcome.unheard), list(outcome.log_times))

    async def _set_aside(self, decoded: Decoded, error: Exception, left: Sequence[Decoded]) -> "_Outcome":
        """Make a dead letter of the one record that cannot be decided, unless that happens too often."""
        now = time.monotonic()
        if len(self._own_dead_letters) == self._own_dead_letters.maxlen and now - self._own_dead_letters[0] < 60:  # noqa: PLR2004
            message = (
                f"{self._service.name} failed on {MAX_OWN_DEAD_LETTERS_PER_MINUTE} records within a minute, the last time with "
                f"{describe(error)}: this looks like a fault of the service, not of the records. Nothing further was taken from the topic."
            )
            raise FatalError(message) from error
        self._own_dead_letters.append(now)
        record = decoded.record
        # Where it failed, and of what kind; its words may repeat what was in the record.
        at = "".join(traceback.format_tb(error.__traceback__))
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        _log.error("Record cannot be decided", **place, error=type(error).__name__, at=at)
        positions = self._positions([decoded], left)
        await self._patiently(partial(self._transactions.decide, {}, lambda _: positions), passing=_PASSING_ALONE)
        # Only the kind of the error: its words may repeat what was in the record.
        message = f"The service failed on this record alone: {type(error).__name__}."
        return _Outcome([DeadLetter(record, Stage.TASK_PUT, UndecidableReason.HANDLER_FAILED, message)], [], [], [])

    def _log(self, events: Sequence[Event]) -> None:
        for event in events:
            line = self._service.log_line(event)
            if line is not None:
                _log.info(line, subject=event.subject, key=event.key, version=event.version)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a batch, or a part of it, came to: an answer for each record, ``None`` for what was left."""

    answers: list[Answer | None]
    events: list[Event]
    unheard: list[Received]
    log_times: list[int]

    def __add__(self, other: "_Outcome") -> "_Outcome":
        return _Outcome(
            self.answers + other.answers, self.events + other.events, self.unheard + other.unheard, self.log_times + other.log_times
        )


def positions_after(decoded: Sequence[Decoded]) -> Positions:
    """The next offset of each partition, once these records are done."""
    positions: dict[tuple[str, int], int] = {}
    for received in decoded:
        record = received.record
        positions[record.topic, record.partition] = record.offset + 1
    return positions


def first_offsets(left: Iterable[Decoded]) -> Positions:
    """The offset of the first record that is left, on each of their partitions."""
    offsets: dict[tuple[str, int], int] = {}
    for received in left:
        place = (received.record.topic, received.record.partition)
        offsets[place] = min(received.record.offset, offsets.get(place, received.record.offset))
    return offsets
