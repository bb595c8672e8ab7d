"""Asking the mesh for something from the command line: publish and hear the outcome, or that there will be none."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from shared.cli.exits import Exit
from shared.cli.publishing import Place, RawPublisher
from shared.cli.reaching import CannotError, UnansweredError
from shared.cli.wording import printable
from shared.client import CaremeshClient, CaremeshError, Listener, Message, NoOutcomeError
from shared.codec.encode import encode_command
from shared.messages.fields import Command, EventData, service_of
from shared.settings import Settings
from shared.topics import commands_topic, dead_letter_topic

#: So long may a refusal come after the dead letter of the same command.
_AFTER_DEAD_LETTER_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A command with its identity.

    Attributes:
        command: what is asked for.
        identifier: the ``ce_id``.
        source: the ``ce_source``.
        correlation_id: follows what the command causes; ``None``: its own id does.
    """

    command: Command
    identifier: str
    source: str
    correlation_id: str | None


class SetAsideError(CannotError):
    """The command was published, and can never be decided."""

    exit_code = Exit.NO

    def __init__(self, letter: Message) -> None:
        """Say why, and where it lies."""
        reason = letter.headers.get("__connect.errors.exception.class.name", "")
        why = letter.headers.get("__connect.errors.exception.message", "")
        identifier = letter.headers.get("caremesh_dead_letter_id", "")
        super().__init__(printable(f"It cannot be decided: {reason}: {why} `caremesh dlq show {identifier}` shows what became of it."))


async def publish(settings: Settings, asked: Asked) -> Place:
    """Publish a command, and return where it lies.

    Raises:
        aiokafka.errors.KafkaError: the brokers do not take it.
    """
    message = encode_command(
        asked.command,
        topic=commands_topic(settings.topic_prefix, service_of(asked.command.type)),
        source=asked.source,
        identifier=asked.identifier,
        time=datetime.now(UTC),
        context={} if asked.correlation_id is None else {"correlationid": asked.correlation_id},
    )
    async with RawPublisher(settings) as publisher:
        return await publisher.publish(message.topic, message.key, message.value, message.headers, keyless_partition=0)


async def request(settings: Settings, asked: Asked, *, timeout_seconds: float) -> EventData:
    """Publish a command, and return what became of it.

    Raises:
        UnansweredError: no outcome came.
        SetAsideError: none will come.
        CannotError: nothing was published.
        aiokafka.errors.KafkaError: its topics cannot be read.
    """
    set_aside: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def hear(letter: Message) -> None:
        is_ours = (letter.headers.get("ce_source"), letter.headers.get("ce_id")) == (asked.source, asked.identifier)
        if is_ours and not set_aside.done():
            set_aside.set_result(letter)

    dead_letters = dead_letter_topic(commands_topic(settings.topic_prefix, service_of(asked.command.type)))
    try:
        async with (
            CaremeshClient(settings, source=asked.source, timeout_seconds=timeout_seconds) as client,
            Listener(settings, [dead_letters], hear),
        ):
            answer: asyncio.Future[EventData] = asyncio.ensure_future(
                client.request(asked.command, identifier=asked.identifier, correlation_id=asked.correlation_id)
            )
            either: set[asyncio.Future[Any]] = {answer, set_aside}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            # A command whose data is wrong has both a dead letter and a refusal.
            await asyncio.wait({answer}, timeout=_AFTER_DEAD_LETTER_SECONDS)
            if not answer.done():
                answer.cancel()
                raise SetAsideError(set_aside.result())
            return await answer
    except NoOutcomeError as error:
        raise UnansweredError(str(error)) from None
    except CaremeshError as error:
        raise CannotError(str(error)) from None
