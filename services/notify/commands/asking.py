"""What notify's commands have in common: a transaction in notify's role, and commands to notify itself."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from shared.cli.reaching import CannotError
from shared.client import CaremeshClient, CaremeshError, Rejected
from shared.database import Connection, create_engine, transaction
from shared.messages.fields import Actor, Role
from shared.messages.notify import MarkRead, SetPreferences
from shared.settings import Settings

#: Who asks, at the command line.
SOURCE: Final = "/caremesh/console"
OPERATOR: Final = Actor(role=Role.ADMIN, id="console")
_AT_ONCE: Final = 200


@asynccontextmanager
async def in_notify(settings: Settings) -> AsyncIterator[Connection]:
    """A transaction in notify's role."""
    engine = create_engine(settings, "notify", connections=1)
    try:
        async with transaction(engine) as connection:
            yield connection
    finally:
        await engine.dispose()


async def ask(settings: Settings, commands: Iterable[SetPreferences | MarkRead]) -> list[str]:
    """Ask notify for something, many things at a time.

    Returns:
        Why it refused, for each that it did.

    Raises:
        CannotError: Kafka is not to be reached, or notify does not answer.
    """
    refusals: list[str] = []
    places = asyncio.Semaphore(_AT_ONCE)

    async def request(client: CaremeshClient, command: SetPreferences | MarkRead) -> None:
        async with places:
            outcome = await client.request(command)
        if isinstance(outcome, Rejected):
            refusals.append(f"{command.recipient_id}: {outcome.message}")

    try:
        async with CaremeshClient(settings, source=SOURCE) as client:
            await asyncio.gather(*(request(client, command) for command in commands))
    except CaremeshError as error:
        raise CannotError(str(error)) from error
    return refusals
