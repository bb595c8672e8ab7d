"""Publish a command and await its outcome.

    stand at the ends of the events topic → publish → the event whose ``decision.command`` is ours
                                               ▲                │ no answer in time
                                               └── the same record, again

Publishing again is safe: a command is known by its source and id, and the recorded outcome is what comes back.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol, Self, TypeVar, cast
from uuid import uuid4

from aiokafka.errors import KafkaError
from pydantic import ValidationError

from shared.client.errors import NoOutcomeError, NotPublishedError, RequestError, UnreachableError, UnreadableOutcomeError
from shared.client.listener import Listener, Message
from shared.client.publisher import REFUSED_BY_KAFKA, RecordPublisher
from shared.codec.decode import describe_invalid
from shared.codec.encode import encode_command
from shared.codec.record import OutgoingMessage
from shared.embedded.endpoints import resolve
from shared.messages.fields import IDENTIFIER_PATTERN, SOURCE_PATTERN, Command, EventData, service_of
from shared.messages.refusal import Rejected
from shared.messages.registry import EVENTS
from shared.settings import Settings
from shared.topics import commands_topic, events_topic

_FIRST_PAUSE_SECONDS: Final = 2.0
_LONGEST_PAUSE_SECONDS: Final = 30.0

Outcome = TypeVar("Outcome", bound=EventData)
Outcome_co = TypeVar("Outcome_co", bound=EventData, covariant=True)


class ComesTo(Protocol[Outcome_co]):
    """A command that comes to one of these events, unless it is refused."""

    @property
    def outcomes(self) -> tuple[type[Outcome_co], ...]:
        """The events."""


@dataclass(slots=True)
class _Asked:
    """A command that waits for its outcome.

    Attributes:
        answer: the outcome, once it is here.
        requests: how many wait for it.
        publications: how often it was published.
        failure: why the last attempt to publish it failed.
    """

    type: str
    value: bytes | None
    answer: asyncio.Future[EventData]
    requests: int = 0
    publications: int = 0
    failure: KafkaError | None = None


class CaremeshClient:
    """Asks the mesh for something and says what became of it; use it as ``async with``, one for a whole process.

    However many requests wait at once, there is one connection that publishes, and one that listens to each service asked.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        source: str,
        timeout_seconds: float = 30.0,
        max_waiting: int = 1_000,
    ) -> None:
        """Make it; nothing is connected yet.

        Args:
            settings: where Kafka is and how to be let in; by default those of the environment (``CAREMESH_…``), and where these name
                no Kafka, the embedded mesh that runs in ``CAREMESH_HOME``.
            source: who asks, such as ``/platform/web``: a URI reference, the same in all processes of your service. With the id of
                a command it is that command's identity.
            timeout_seconds: for how long a request waits for its outcome, unless it says otherwise.
            max_waiting: so many requests wait at once; further ones wait for their turn.

        Raises:
            ValueError: ``source`` is not a URI reference of at most 128 characters.
            shared.embedded.errors.NoMeshError: the settings name no Kafka, and no embedded mesh runs.
        """
        if not re.fullmatch(SOURCE_PATTERN, source):
            message = f"source is a URI reference of at most 128 characters, such as /platform/web, and not {source!r}"
            raise ValueError(message)
        settings = settings or Settings()
        self._settings = resolve(settings) if settings.embedded_kafka else settings
        self._source = source
        self._timeout_seconds = timeout_seconds
        self._places = asyncio.Semaphore(max_waiting)
        self._publisher = RecordPublisher(self._settings)
        self._listeners = AsyncExitStack()
        self._heard_services: set[str] = set()
        self._starting = asyncio.Lock()
        self._asked: dict[str, _Asked] = {}
        self._is_open = False

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            UnreachableError: no broker is to be reached, or it does not let us in.
        """
        try:
            await self._publisher.__aenter__()
        except (KafkaError, OSError) as error:
            servers = self._settings.kafka_bootstrap_servers
            problem = f"Kafka at {servers} is not to be reached, or does not let us in ({type(error).__name__}: {error})."
            raise UnreachableError(problem) from error
        self._is_open = True
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Disconnect. Requests that still wait get a :class:`NoOutcomeError`."""
        self._is_open = False
        for identifier, asked in self._asked.items():
            problem = f"The client was closed before {asked.type} {identifier} was answered. {_ask_again(identifier)}"
            _fail(asked, NoOutcomeError(problem, identifier))
        try:
            await self._listeners.aclose()
        finally:
            await self._publisher.__aexit__(*exception)

    async def request(
        self,
        command: ComesTo[Outcome],
        *,
        identifier: str | None = None,
        timeout_seconds: float | None = None,
        correlation_id: str | None = None,
        traceparent: str | None = None,
    ) -> Outcome | Rejected:
        """Ask for something, and return what became of it: the event that happened, or the refusal.

        When no answer comes, the same record is published again after 2, 4, 8 … seconds, until the time is over: that never leads to
        a second decision.

        Args:
            command: what to ask for, one of ``shared.messages``.
            identifier: the command's id, 1 to 128 characters of ``A-Z a-z 0-9 . _ : -``; ``None``: a new one. The same command with the
                same id comes to the same outcome, at any time and in any process with this ``source``. So an id that is derived from
                what the user did (an HTTP request's ``Idempotency-Key``, say) makes a retry of theirs harmless, also after a crash.
            timeout_seconds: for how long to wait.
            correlation_id: follows the conversation across services, in the headers of all that the command causes; by default its id.
            traceparent: W3C trace context, passed on likewise.

        Raises:
            NoOutcomeError: it is not known whether it was or will be decided; ask again, with the id in the error.
            NotPublishedError: nothing was published.
            ValueError: ``identifier`` or ``correlation_id`` is no id, or a request with this id and another content is waiting.
        """
        # mypy holds that nothing can be both; the commands are.
        asked_for = cast("Command", command)
        message = self._encode(asked_for, identifier, {"correlationid": correlation_id, "traceparent": traceparent})
        outcome = await self._request(asked_for, message, self._timeout_seconds if timeout_seconds is None else timeout_seconds)
        return cast("Outcome | Rejected", outcome)

    async def _request(self, command: Command, message: OutgoingMessage, seconds: float) -> EventData:
        identifier = dict(message.headers)["ce_id"].decode()
        asked: _Asked | None = None
        try:
            async with asyncio.timeout(seconds), self._places:
                await self._listen(command, identifier)
                async with self._asking(command, identifier, message) as asked:
                    return await asyncio.shield(asked.answer)
        except TimeoutError:
            raise _no_answer(command, identifier, seconds, asked) from (asked.failure if asked is not None else None)

    def _encode(self, command: Command, identifier: str | None, context: Mapping[str, str | None]) -> OutgoingMessage:
        for name, value in (("identifier", identifier), ("correlation_id", context["correlationid"])):
            if value is not None and not re.fullmatch(IDENTIFIER_PATTERN, value):
                problem = f"{name} is 1 to 128 characters of A-Z a-z 0-9 . _ : - and not {value!r}"
                raise ValueError(problem)
        return encode_command(
            command,
            topic=commands_topic(self._settings.topic_prefix, service_of(command.type)),
            source=self._source,
            identifier=identifier or str(uuid4()),
            time=datetime.now(UTC),
            context={name: value for name, value in context.items() if value is not None},
        )

    async def _listen(self, command: Command, identifier: str) -> None:
        """Hear what becomes of this service's commands, from before the first of them is published."""
        service = service_of(command.type)
        async with self._starting:
            if not self._is_open:
                problem = f"{command.type} {identifier} was not published: the client is not open. Use it inside `async with`."
                raise NotPublishedError(problem, identifier)
            if service in self._heard_services:
                return
            try:
                await self._listeners.enter_async_context(
                    Listener(self._settings, [events_topic(self._settings.topic_prefix, service)], self._hear)
                )
            except (KafkaError, OSError) as error:
                problem = (
                    f"{command.type} {identifier} was not published: its outcome could not be heard ({type(error).__name__}: {error})."
                )
                raise NotPublishedError(problem, identifier) from error
            self._heard_services.add(service)

    @asynccontextmanager
    async def _asking(self, command: Command, identifier: str, message: OutgoingMessage) -> AsyncIterator[_Asked]:
        """Publish it again and again, until the caller has heard enough."""
        asked = self._asked.get(identifier)
        if asked is None:
            asked = self._asked[identifier] = _Asked(command.type, message.value, asyncio.get_running_loop().create_future())
        elif (asked.type, asked.value) != (command.type, message.value):
            problem = f"Another command with the id {identifier} waits for its outcome: an id belongs to one command, with one content."
            raise ValueError(problem)
        asked.requests += 1
        publishing = asyncio.create_task(self._publish(message, asked, identifier), name=f"publishing {identifier}")
        try:
            yield asked
        finally:
            publishing.cancel()
            asked.requests -= 1
            if not asked.requests:
                del self._asked[identifier]
                # Nobody waits any more: that nobody fetches it is no fault.
                asked.answer.cancel()

    async def _publish(self, message: OutgoingMessage, asked: _Asked, identifier: str) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._publisher.publish(message)
                asked.publications += 1
            except REFUSED_BY_KAFKA as error:
                problem = f"{asked.type} {identifier} was not published: Kafka refuses it ({type(error).__name__}: {error})."
                _fail(asked, NotPublishedError(problem, identifier))
                return
            except (KafkaError, OSError) as error:
                asked.failure = error
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    def _hear(self, message: Message) -> None:
        asked = self._asked.get(message.headers.get("ce_causationid", ""))
        if asked is None or asked.answer.done():
            return
        match message.value:
            case {"decision": {"index": 0, "command": {"source": self._source, "id": str(identifier), "type": asked.type}}}:
                self._answer(asked, identifier, message)

    def _answer(self, asked: _Asked, identifier: str, message: Message) -> None:
        model = EVENTS.get(message.type)
        try:
            if model is not None:
                asked.answer.set_result(model.model_validate_json(message.raw))
                return
            wrong = "its type is unknown here"
        except ValidationError as error:
            wrong = describe_invalid(error)
        problem = (
            f"{asked.type} {identifier} was decided, but this version of caremesh cannot read the outcome {message.type}: {wrong}. "
            "Upgrade caremesh here; the event is in the error's `event`."
        )
        _fail(asked, UnreadableOutcomeError(problem, identifier, message.value))


def _fail(asked: _Asked, error: RequestError) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(error)


def _ask_again(identifier: str) -> str:
    return (
        f"It may still be decided, or be decided already: ask again with the same command and identifier={identifier!r}, at any time. "
        "That gives the one outcome and leads to no second decision."
    )


def _no_answer(command: Command, identifier: str, seconds: float, asked: _Asked | None) -> RequestError:
    what = f"{command.type} {identifier}"
    if asked is None:
        problem = f"{what} was not published within {seconds:g} seconds: so many requests waited before it, or Kafka did not answer."
        return NotPublishedError(problem, identifier)
    if asked.publications:
        why = (
            f"published {asked.publications} times; does the service run (`caremesh status`)? Was the id used before, for another command?"
        )
    else:
        why = f"Kafka has not said that it has it ({asked.failure!r})" if asked.failure is not None else "Kafka did not answer"
    return NoOutcomeError(f"No outcome of {what} within {seconds:g} seconds ({why}). {_ask_again(identifier)}", identifier)
