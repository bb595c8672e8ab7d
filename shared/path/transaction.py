"""One batch, one transaction: parties → lock → recall → load → decide → record → commit.

This is the order in which everything happens, for every service, on every runtime.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.codec.dead_letters import DeadLetter, Stage, UndecidableReason
from shared.codec.decode import Malformed, Received
from shared.codec.encode import encode_command, encode_event, event_id, pack, source_of
from shared.codec.record import OutgoingMessage
from shared.database import Connection, NewRows, connected
from shared.messages.events import Event, Request
from shared.messages.fields import EventData, format_time
from shared.path import decisions, locks
from shared.path.decisions import Decision, DecisionRow, Identity, Positions, Recalled
from shared.path.errors import FatalError
from shared.path.hearing import Hearing
from shared.path.needs import Needs, needs_of
from shared.path.service import Service, State
from shared.topics import commands_topic, events_topic

#: What a command comes to: messages to publish, or a dead letter.
Answer = Sequence[OutgoingMessage] | DeadLetter
#: The positions to write, given the commands that are left.
PositionsWhenLeft = Callable[[Collection[Received]], Positions]

_MORE_THAN_EVER_NEEDED = 10


class PartiesAppearedError(Exception):
    """An entity that was unknown before the locks were taken is known under them: its doctor may not be locked."""


class Outcome(NamedTuple):
    """What one transaction came to.

    Attributes:
        answers: for each command that was not left.
        events: the new ones, for the logs.
        unheard: what was left because this service may not have heard yet of what it names.
        rows: of the new decisions.
        log_times: of the records that these were taken on, in milliseconds since 1970.
    """

    answers: Mapping[int, Answer]
    events: Sequence[Event]
    unheard: Sequence[Received]
    rows: Sequence[DecisionRow]
    log_times: Sequence[int]


@dataclass(slots=True)
class _Decided:
    """What one transaction comes to, in the making."""

    answers: dict[int, Answer] = field(default_factory=dict)
    rows: list[DecisionRow] = field(default_factory=list)
    log_times: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    unheard: list[Received] = field(default_factory=list)
    #: The keys of what is unheard: nothing later of theirs may overtake it.
    waiting: set[bytes | None] = field(default_factory=set)
    #: What waits behind something unheard, and that itself.
    left: list[Received] = field(default_factory=list)


class Transactions(Generic[State]):
    """Decides batches of commands, each in one transaction."""

    def __init__(
        self,
        service: Service[State],
        *,
        engine: AsyncEngine,
        rescuer: AsyncEngine,
        topic_prefix: str,
        consumer_group: str,
        hearing: Hearing,
    ) -> None:
        """Make it.

        Args:
            service: what to decide by.
            engine: in the service's role.
            rescuer: in the role of the URL; ends connections of stopped processes.
            topic_prefix: the beginning of the names of the topics that messages go to.
            consumer_group: whose positions to write.
            hearing: what commands wait for that name something of another service.
        """
        self._service = service
        self._engine = engine
        self._rescuer = rescuer
        self._topic_prefix = topic_prefix
        self._events_topic = events_topic(topic_prefix, service.name)
        self._consumer_group = consumer_group
        self._hearing = hearing
        #: Up to where this process has seen the database decide.
        self._seen: dict[tuple[str, int], int] = {}

    async def decide(self, batch: Mapping[int, Received], positions: PositionsWhenLeft, *, must: Collection[int] | None = None) -> Outcome:
        """Decide commands in log order, and write the decisions and the positions.

        A command that needs a lock which another batch holds at the moment is left, and so is one that names something which
        this service may not have heard of yet; and with them the later commands of their keys, which must not overtake them.

        Args:
            batch: the commands, in order.
            positions: the positions to write, given what is left.
            must: those whose locks are waited for; ``None``: all.

        Raises:
            FatalError: the database has lost decisions that this process saw it commit.
        """
        must = frozenset(batch if must is None else must)
        for _ in range(_MORE_THAN_EVER_NEEDED):
            try:
                decided, written = await self._decide_in_transaction(batch, positions, must)
            except PartiesAppearedError:
                continue
            self._seen |= {place: max(offset, self._seen.get(place, 0)) for place, offset in written.items()}
            return Outcome(decided.answers, decided.events, decided.unheard, decided.rows, decided.log_times)
        message = "Entities kept appearing while their locks were taken, ten times in a row."
        raise RuntimeError(message)

    async def _decide_in_transaction(
        self, batch: Mapping[int, Received], positions: PositionsWhenLeft, must: Collection[int]
    ) -> tuple[_Decided, Positions]:
        service = self._service
        async with connected(self._engine) as connection:
            named = {entity for received in batch.values() if (entity := service.named_entity(received)) is not None}
            parties = await service.parties(connection, named) if named else {}
            needs = needs_of(service.name, {index: service.locks(received, parties) for index, received in batch.items()}, must)
            async with locks.holding(connection, needs.waited, rescuer=self._rescuer):
                return await self._decide_under_locks(connection, batch, positions, needs, unknown=named - parties.keys())

    async def _decide_under_locks(
        self,
        connection: Connection,
        batch: Mapping[int, Received],
        positions: PositionsWhenLeft,
        needs: Needs,
        *,
        unknown: Collection[str],
    ) -> tuple[_Decided, Positions]:
        service = self._service
        identities = {(received.source, received.id) for received in batch.values()}
        recalled = await decisions.recall(connection, identities, tried=needs.tried)
        now, left = needs.split(batch, recalled.busy)
        fresh = [received for received in now.values() if (received.source, received.id) not in recalled.decisions]
        # Before the states: what is written by another worker between the two must not be taken for something never heard of.
        heard = await decisions.read(connection, self._consumer_group) if self._hearing.awaits(fresh) else {}
        state = await service.load(connection, fresh)
        if any(state.knows(entity) for entity in unknown):
            raise PartiesAppearedError
        decided = self._decide_each(now, recalled, state, heard)
        # Somebody else may have decided one of the commands meanwhile: its primary key says so.
        news = [*await service.record(connection, state), NewRows(service.decisions, decided.rows)]
        written = positions([*left, *decided.left])
        self._check_nothing_was_lost(await decisions.write(connection, news, self._consumer_group, written), written)
        return decided, written

    def _check_nothing_was_lost(self, before: Positions, positions: Positions) -> None:
        """A database that was restored, or failed over without its last commits, must not be written on as if nothing were missing."""
        for place in positions:
            seen, found = self._seen.get(place, 0), before.get(place, 0)
            if found < seen:
                topic, partition = place
                message = (
                    f"The database had decided {topic}, partition {partition}, up to offset {seen}, and now knows of {found} only: it lost "
                    "decisions (a restored backup, a failover?). Nothing is decided on top of that; the next start checks where to go on."
                )
                raise FatalError(message)

    def _decide_each(
        self,
        batch: Mapping[int, Received],
        recalled: Recalled,
        state: State,
        heard: Positions,
    ) -> _Decided:
        decided = _Decided()
        known, clock = recalled.decisions, recalled.clock
        decided_at = format_time(clock)
        # The rows of this very batch, for copies within it.
        row_of: dict[Identity, int] = {}
        for index, received in batch.items():
            identity = (received.source, received.id)
            if identity in row_of:
                known[identity] = _decision_of(decided.rows[row_of[identity]])
            if (decision := known.get(identity)) is not None:
                decided.answers[index] = _answer_again(received, decision)
                continue
            if self._must_wait(received, state, heard, decided):
                continue
            consequences = state.decide(received)
            messages = self._encode(consequences, received, decided_at)
            packed = pack(messages)
            row_of[identity] = len(decided.rows)
            decided.rows.append(_row(received, consequences, packed, clock))
            decided.log_times.append(received.record.timestamp)
            decided.events += [event for event in consequences if isinstance(event, Event)]
            decided.answers[index] = messages
        return decided

    def _must_wait(self, received: Received, state: State, heard: Positions, decided: _Decided) -> bool:
        """Whether it names something that this service may not have heard of yet, or comes behind such a command."""
        may_be_unheard = self._service.may_be_unheard
        if may_be_unheard is None:
            return False
        key = received.record.key
        if key not in decided.waiting:
            if not may_be_unheard(received, state) or self._hearing.has_heard(received, heard):
                return False
            decided.unheard.append(received)
            decided.waiting.add(key)
        elif isinstance(received.content, EventData):
            # What others say is not in this service's order, and may be the very thing that is waited for.
            return False
        decided.left.append(received)
        return True

    def _encode(self, consequences: Sequence[Event | Request], cause: Received, decided_at: str) -> list[OutgoingMessage]:
        name = self._service.name
        return [
            encode_event(consequence, cause=cause, index=index, service=name, topic=self._events_topic, decided_at=decided_at)
            if isinstance(consequence, Event)
            else self._encode_request(consequence, cause, index)
            for index, consequence in enumerate(consequences)
        ]

    def _encode_request(self, request: Request, cause: Received, index: int) -> OutgoingMessage:
        service = self._service.name
        decided_by = request.command.type.partition(".")[0]
        context = {"correlationid": cause.correlation_id, "causationid": cause.id}
        if cause.traceparent is not None:
            context["traceparent"] = cause.traceparent
        return encode_command(
            request.command,
            topic=commands_topic(self._topic_prefix, decided_by),
            source=source_of(service),
            identifier=request.identifier or event_id(service, cause.source, cause.id, index),
            time=cause.log_time,
            context=context,
        )


def _answer_again(received: Received, decision: Decision) -> Answer:
    """Answer a command that was decided before."""
    if decision.fingerprint != received.fingerprint:
        return DeadLetter(
            received.record,
            Stage.TASK_PUT,
            UndecidableReason.IDEMPOTENCY_CONFLICT,
            f"The command {received.id} of {received.source} came before with another type, key or data; its first outcome stands.",
        )
    if _is_often_copied(received) and not decision.lies_at(received):
        # One answer is enough: every worker's sweep publishes its commands, and every redelivery the events that it led to.
        return ()
    return decision.messages()


def _decision_of(row: DecisionRow) -> Decision:
    _, _, _, fingerprint, topic, partition, offset, _, packed, _ = row
    return Decision(fingerprint, topic, partition, offset, packed)


def _is_often_copied(received: Received) -> bool:
    content = received.content
    if isinstance(content, EventData):
        return True
    return (content.command_type if isinstance(content, Malformed) else content).from_sweep


def _outcome_of(consequences: Sequence[Event | Request]) -> str:
    """What people read in the decision table; nothing if nothing followed."""
    if not consequences:
        return ""
    outcome = consequences[0]
    if isinstance(outcome, Request):
        return outcome.command.type
    reason = outcome.body.get("reason")
    return outcome.type if reason is None else f"{outcome.type} {reason}"


def _row(received: Received, consequences: Sequence[Event | Request], packed: bytes, clock: datetime) -> DecisionRow:
    record = received.record
    return (
        received.source,
        received.id,
        received.type,
        received.fingerprint,
        record.topic,
        record.partition,
        record.offset,
        _outcome_of(consequences),
        packed,
        clock,
    )
