"""Ten thousand requests while one channel is dead: the others are through in time, and so is the partition."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.mail_server import MailServer
from tests.system.harness.notify_commands import send
from tests.system.harness.waiting import until
from tests.system.notify.conftest import Notify

REQUESTS = 10_000
RECIPIENTS = 500
#: Everybody has a number for text messages, and so many of them an e-mail address.
WITH_EMAIL = 50
MAILS = REQUESTS // RECIPIENTS * WITH_EMAIL


@pytest.fixture
async def dead_provider() -> AsyncIterator[tuple[str, list[int]]]:
    """It accepts connections and never says a word."""
    connections: list[int] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        # Until the other side has had enough.
        await reader.read()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    yield f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}/{{recipient}}", connections
    server.close()


async def test_a_dead_channel_holds_up_neither_the_others_nor_the_partition(
    notify: Notify, mail: MailServer, dead_provider: tuple[str, list[int]]
) -> None:
    url, connections = dead_provider
    people = [f"patient-{number}" for number in range(RECIPIENTS)]
    await notify.import_addresses(*people, with_email=WITH_EMAIL)
    notify.mesh.consumer(CAREMESH_NOTIFY_SMS_URL=url)
    wishes = [send(f"ntf-{number}", people[number % RECIPIENTS]) for number in range(REQUESTS)]
    async with notify.mesh.native_producer() as producer:
        await producer.publish(wishes)
    await notify.mesh.decided()

    async def are_told() -> bool:
        return await sent(notify, "email") == MAILS

    # The dead channel alone would take twenty minutes for one attempt each.
    await until(are_told, "all mails are out, and that is recorded", seconds=60, step=0.3)
    assert len(set(mail.message_ids)) == len(mail.received) == MAILS
    assert await sent(notify, "in_app") == REQUESTS
    assert await sent(notify, "sms") == 0
    assert connections, "it was tried"


async def sent(notify: Notify, channel: str) -> int:
    """How many are recorded as sent."""
    [(count,)] = await notify.mesh.query("SELECT count(*) FROM deliveries WHERE channel = $1 AND status = 'sent'", channel)
    return int(count)
