"""The deliverer: takes what is due from the delay queue, asks the providers, and tells what came of it.

    take: judge, note the attempt ──► commit ──► ask the provider ──► note what came of it ──► commit ──► publish
          (each short)                           (no transaction)                                  record_delivery

A delivery that is taken comes back after a while unless its end is noted; so whoever dies after the provider was asked and before
that is noted leads to a second attempt with the same key, and whoever dies after it is noted leads to a second publication of
the same command. Neither leads to silence. Several deliverers share the queue.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.notify.domain.attempt import Answer, Attempt, Conclude, Postpone, after, plan
from services.notify.domain.notification import Rules
from services.notify.provider import Outgoing, Provider, idempotency_key
from services.notify.store import queue
from services.notify.store.queue import DeliveryKey, Step, Taken
from services.notify.store.tables import ADDRESSED
from services.notify.wording import Reader, word
from shared.codec.encode import encode_command, source_of
from shared.codec.record import OutgoingMessage
from shared.database import transaction
from shared.messages.notify import Channel, RecordDelivery
from shared.metrics import count_delivery, count_delivery_attempt
from shared.path.backoff import Backoff
from shared.path.errors import DATABASE_ERRORS, Failure, FatalError, classify, describe

#: How often the queue is looked at while nothing is known to be due.
_LOOK_SECONDS: Final = 0.25
#: Between two looks and between two notes, so that each is of more than one delivery when there are many.
_GATHER_SECONDS: Final = 0.01
#: After the database was away, whoever has something to note goes before whoever wants to take.
_NOTES_FIRST_SECONDS: Final = 6.0
#: An end that was told is told again after so long, unless it is decided.
_TOLD_AGAIN_AFTER: Final = timedelta(seconds=30)
#: On the way out, attempts that have begun may end within this.
_FAREWELL_SECONDS: Final = 5.0
_MAX_IDENTIFIER: Final = 128
#: Of ends to publish; what does not fit is told again later.
_MOST_UNPUBLISHED: Final = 10_000

Result = TypeVar("Result")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What attempts may take.

    Attributes:
        concurrency: attempts at the same time on each channel, those among them that are not noted yet.
        attempt_seconds: how long one may last.
        noting_seconds: how long it may then take to note what came of it, before the attempt counts as lost.
    """

    concurrency: int = 16
    attempt_seconds: float = 20.0
    noting_seconds: float = 10.0

    @property
    def lease(self) -> timedelta:
        """After so long without a word, an attempt counts as lost."""
        return timedelta(seconds=self.attempt_seconds + self.noting_seconds)


class Publishes(Protocol):
    """Publishes messages, however long that takes."""

    async def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """Return once the brokers have them all."""


class _Attempted(NamedTuple):
    """An attempt that is over."""

    taken: Taken
    answer: Answer
    at: datetime


class Deliverer:
    """Delivers what is due, on all channels, until cancelled."""

    def __init__(
        self,
        providers: Mapping[Channel, Provider],
        *,
        engine: AsyncEngine,
        publisher: Publishes,
        topic: str,
        rules: Rules,
        limits: Limits,
        has_heard: Callable[[], bool] = lambda: True,
    ) -> None:
        """Make it.

        Args:
            providers: those that are set up.
            engine: in notify's role.
            publisher: of what came of it.
            topic: notify's commands topic.
            rules: how often to try, and for how long.
            limits: of attempts.
            has_heard: whether what is known of others is fresh enough to tell by; nothing is taken while it is not.
        """
        self._has_heard = has_heard
        self._providers = providers
        self._engine = engine
        self._publisher = publisher
        self._topic = topic
        self._rules = rules
        self._limits = limits
        #: Attempts of this worker that are under way, or not noted yet: as many, at the most, are made again if it is killed.
        self._in_hand: set[DeliveryKey] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopping = False
        #: Attempts are noted, or no more are to begin.
        self._room_again = asyncio.Event()
        self._attempted: asyncio.Queue[_Attempted] = asyncio.Queue()
        self._to_publish: asyncio.Queue[OutgoingMessage] = asyncio.Queue(maxsize=_MOST_UNPUBLISHED)

    async def run(self) -> None:
        """Deliver until cancelled; what is under way then may still end, for a moment.

        Raises:
            FatalError: the database refuses.
        """
        taking = asyncio.create_task(self._take_until_stopped())
        telling = [asyncio.create_task(part) for part in (self._note_forever(), self._publish_forever())]
        try:
            done, _ = await asyncio.wait([taking, *telling], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._stopping = True
            self._room_again.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await self._all_told(taking)
            for task in (taking, *telling, *self._under_way):
                task.cancel()

    async def _all_told(self, taking: "asyncio.Task[None]") -> None:
        await asyncio.wait([taking])
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self._attempted.join()
        await self._to_publish.join()

    # Taking

    async def _take_until_stopped(self) -> None:
        while not self._stopping:
            self._room_again.clear()
            taken = []
            if self._has_heard():
                taken = await self._patiently("Deliveries are not taken for now", self._take, pause_seconds=_NOTES_FIRST_SECONDS)
            for one in taken:
                self._begin(one)
            if taken:
                await asyncio.sleep(_GATHER_SECONDS)
            elif not self._stopping:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._room_again.wait()

    async def _take(self) -> list[Taken]:
        """Take what is due and judge it: note which attempts begin, until when others wait, and what has ended.

        Returns:
            Those of which an attempt begins.
        """
        in_hand = Counter(channel for _, channel in self._in_hand)
        room = {channel: self._limits.concurrency - in_hand[channel] for channel in ADDRESSED}
        async with transaction(self._engine) as connection:
            taken = await queue.take(connection, room)
            judged = [(one, self._judge(one)) for one in taken]
            await queue.advance(connection, (step for _, (step, _) in judged), is_taken=True)
        for one, (step, _) in judged:
            if step.result is not None:
                self._tell(one, step.result, step.attempts)
        return [one for one, (_, begins) in judged if begins]

    def _judge(self, taken: Taken) -> tuple[Step, bool]:
        """What is next for a delivery, and whether an attempt begins."""
        standing, now = taken.standing, taken.taken_at
        attempts, first = standing.attempts, standing.first_attempt_at
        if taken.result is not None:
            return Step(taken.key, attempts, attempts, now + _TOLD_AGAIN_AFTER, first, taken.result), False
        if taken.key in self._in_hand:
            # Its lease has run out, and nobody else has it: what came of it is still to be noted, by us.
            return Step(taken.key, attempts, attempts, now + self._limits.lease, first), False
        match plan(standing, now, self._rules):
            case Attempt():
                return Step(taken.key, attempts, attempts + 1, now + self._limits.lease, first or now), True
            case Postpone(until):
                return Step(taken.key, attempts, attempts, until, None), False
            case Conclude() as end:
                return Step(taken.key, attempts, attempts, now + _TOLD_AGAIN_AFTER, first, end), False

    # Attempting

    def _begin(self, taken: Taken) -> None:
        self._in_hand.add(taken.key)
        task = asyncio.create_task(self._attempt(taken))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _attempt(self, taken: Taken) -> None:
        began = time.monotonic()
        answer = await self._ask(taken)
        count_delivery_attempt(taken.standing.channel, answer.value)
        self._attempted.put_nowait(_Attempted(taken, answer, taken.taken_at + timedelta(seconds=time.monotonic() - began)))

    async def _ask(self, taken: Taken) -> Answer:
        """Ask the provider, and say what came of it, whatever does."""
        channel = taken.standing.channel
        about = {"notification_id": taken.notification_id, "channel": channel, "attempt": taken.standing.attempts + 1}
        try:
            async with asyncio.timeout(self._limits.attempt_seconds):
                answer = await self._providers[channel].send(_outgoing(taken))
        except TimeoutError:
            answer = Answer.UNKNOWN
        except Exception as error:  # noqa: BLE001 - whatever a provider's library raises, the others are not held up by it
            # Only its kind: its words may repeat an address.
            _log.warning("Provider failed", **about, error=type(error).__name__)
            return Answer.FAILED
        if answer is not Answer.TAKEN:
            _log.info("Not sent for now", **about, answer=answer.value)
        return answer

    # Noting

    async def _note_forever(self) -> None:
        while True:
            batch = [await self._attempted.get()]
            await asyncio.sleep(_GATHER_SECONDS)
            while not self._attempted.empty():
                batch.append(self._attempted.get_nowait())
            await self._patiently("Attempts are not noted for now", partial(self._note, batch))
            for attempted in batch:
                self._in_hand.discard(attempted.taken.key)
                self._attempted.task_done()
            self._room_again.set()

    async def _note(self, batch: Sequence[_Attempted]) -> None:
        steps = {one.taken.key: self._step_after(one) for one in batch}
        async with transaction(self._engine) as connection:
            mine = await queue.advance(connection, steps.values(), is_taken=False)
        for one in batch:
            step = steps[one.taken.key]
            if step.result is not None and step.key in mine:
                self._tell(one.taken, step.result, mine[step.key])

    def _step_after(self, attempted: _Attempted) -> Step:
        taken, answer, now = attempted
        standing = taken.standing
        attempts, first = standing.attempts + 1, standing.first_attempt_at or taken.taken_at
        jitter = random.random()  # noqa: S311 - spreads retries, keeps no secret
        match after(answer, standing, now, self._rules, jitter):
            case Postpone(until):
                return Step(taken.key, attempts, attempts, until, first)
            case Conclude() as end:
                return Step(taken.key, attempts, attempts, now + _TOLD_AGAIN_AFTER, first, end)

    # Telling

    def _tell(self, taken: Taken, end: Conclude, attempts: int) -> None:
        if taken.result is None:
            # It is told for the first time.
            count_delivery(taken.standing.channel, taken.standing.template, end.status)
        with suppress(asyncio.QueueFull):
            self._to_publish.put_nowait(self._command(taken, end, attempts))

    async def _publish_forever(self) -> None:
        while True:
            batch = [await self._to_publish.get()]
            while not self._to_publish.empty():
                batch.append(self._to_publish.get_nowait())
            await self._publisher.publish(batch)
            for _ in batch:
                self._to_publish.task_done()

    def _command(self, taken: Taken, end: Conclude, attempts: int) -> OutgoingMessage:
        channel = taken.standing.channel
        command = RecordDelivery(
            notification_id=taken.notification_id,
            recipient_id=taken.recipient_id,
            channel=channel,
            status=end.status,
            reason=end.reason,
            attempts=attempts,
        )
        context = {"correlationid": taken.correlation_id, "causationid": taken.cause_id}
        if taken.traceparent is not None:
            context["traceparent"] = taken.traceparent
        identifier = command_id(taken.notification_id, channel)
        return encode_command(command, topic=self._topic, source=source_of("notify"), identifier=identifier, context=context)

    async def _patiently(self, problem: str, work: Callable[[], Awaitable[Result]], *, pause_seconds: float = 0) -> Result:
        """Do something in the database, for as long as it takes.

        Args:
            problem: what to say when it fails for now.
            work: what to do.
            pause_seconds: how long to wait after a failure at least.

        Raises:
            FatalError: the database refuses.
        """
        backoff = Backoff()
        while True:
            try:
                return await work()
            except DATABASE_ERRORS as error:
                if classify(error) is Failure.FATAL:
                    message = f"The database refuses the statements of notify: {describe(error)}. Run `caremesh migrate`."
                    raise FatalError(message) from error
                _log.warning(problem, error=describe(error))
            await asyncio.sleep(pause_seconds)
            await backoff.wait()


def command_id(notification_id: str, channel: Channel) -> str:
    """The identity of the command that records a delivery: one for each notification and channel, however often it is published."""
    identifier = f"record_delivery:{notification_id}:{channel}"
    if len(identifier) <= _MAX_IDENTIFIER:
        return identifier
    return f"record_delivery:{blake2b(notification_id.encode(), digest_size=16).hexdigest()}:{channel}"


def _outgoing(taken: Taken) -> Outgoing:
    assert taken.address is not None
    reader = Reader(taken.recipient_id, taken.language, taken.timezone)
    words = word(taken.standing.template, taken.params, reader)
    return Outgoing(taken.notification_id, taken.address, words, idempotency_key(taken.notification_id, taken.standing.channel))
