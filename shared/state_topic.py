"""State topics: each entity as it stands, compacted, for those who want to know how things are and not how they came about.

An event says which entity has changed, and nothing more: what is published is read from the service's own tables. So a copy
of an event, or one of long ago, never makes a stale record. Another worker may publish a newer state while an older one is on
its way; hence a look afterwards, once the brokers have the record: what is no longer as it was published is published again.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.codec.encode import encode_state
from shared.codec.record import OutgoingMessage
from shared.database import Connection, transaction
from shared.messages.fields import EventData
from shared.path.backoff import Backoff
from shared.path.errors import DATABASE_ERRORS, Failure, FatalError, classify, describe
from shared.path.watchdog import Watchdog

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """An entity as it stands.

    Attributes:
        entity_id: the record's key.
        partition_key: such as the doctor's id: a doctor's entities lie on the doctor's partition.
        version: raised by each change.
        time: the business time of its last change.
        body: what is published of it.
    """

    entity_id: str
    partition_key: str
    version: int
    time: datetime
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTopic:
    """One kind of entity.

    Attributes:
        name: the topic's, without the prefix.
        type: the ``ce_type`` of its records.
        entity_of: the entity that an event has changed; ``None``: none of this kind.
        read: the states of those of the entities that exist, as they are at this moment.
    """

    name: str
    type: str
    entity_of: Callable[[EventData], str | None]
    read: Callable[[Connection, Collection[str]], Awaitable[Sequence[State]]]


class StateTopics:
    """Publishes the state topics of one service."""

    def __init__(self, topics: Sequence[StateTopic], *, service: str, topic_prefix: str, engine: AsyncEngine, watchdog: Watchdog) -> None:
        """Make it.

        Args:
            topics: what to publish.
            service: whose entities these are.
            topic_prefix: the beginning of the topics' names.
            engine: in the service's role.
            watchdog: ends the process when a look hangs.
        """
        self._topics = topics
        self._service = service
        self._topic_prefix = topic_prefix
        self._engine = engine
        self._watchdog = watchdog

    def after(self, events: Iterable[EventData]) -> Callable[[], Awaitable[Sequence[OutgoingMessage]]]:
        """What a batch of events leads to.

        Returns:
            A function that says what is still to be published: at first every entity that has changed, then, asked once the
            brokers have that, those that are no longer as they were published; nothing when all are.

        Raises:
            FatalError: by that function, when the database refuses to be asked.
        """
        changed: defaultdict[int, set[str]] = defaultdict(set)
        for event in events:
            for index, topic in enumerate(self._topics):
                entity_id = topic.entity_of(event)
                if entity_id is not None:
                    changed[index].add(entity_id)
        published: dict[tuple[int, str], State] = {}

        async def unpublished() -> Sequence[OutgoingMessage]:
            messages = []
            for index, entity_ids in changed.items():
                for state in await self._read(self._topics[index], entity_ids):
                    if published.get((index, state.entity_id)) != state:
                        published[index, state.entity_id] = state
                        messages.append(self._message(self._topics[index], state))
            return messages

        return unpublished

    async def _read(self, topic: StateTopic, entity_ids: Collection[str]) -> Sequence[State]:
        """Read for as long as the failures are of a kind that passes."""
        backoff = Backoff()
        while True:
            try:
                with self._watchdog.expect("reading states"):
                    async with transaction(self._engine) as connection:
                        return await topic.read(connection, entity_ids)
            except DATABASE_ERRORS as error:
                failure = classify(error)
                if failure is Failure.FATAL:
                    message = (
                        f"The database refuses to show what is to be published to {topic.name}: {describe(error)}. Run `caremesh migrate`."
                    )
                    raise FatalError(message) from error
                if failure is not Failure.TRANSIENT:
                    raise
                _log.warning("States not read for now, trying again", topic=topic.name, error=describe(error))
            await backoff.wait()

    def _message(self, topic: StateTopic, state: State) -> OutgoingMessage:
        return encode_state(
            topic=f"{self._topic_prefix}.{topic.name}",
            type_=topic.type,
            service=self._service,
            entity_id=state.entity_id,
            partition_key=state.partition_key,
            version=state.version,
            time=state.time,
            body=state.body,
        )
