"""A real mail server for tests, which does what the test wants it to do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

Answer = Callable[[SMTP, Envelope], Awaitable[str]]

TAKEN = "250 OK"


async def take(_server: SMTP, _envelope: Envelope) -> str:
    """Take it on."""
    return TAKEN


async def refuse_for_now(_server: SMTP, _envelope: Envelope) -> str:
    """Say that it is busy."""
    return "451 Try again later"


async def drop(server: SMTP, _envelope: Envelope) -> str:
    """Take it, and end the connection before that is said."""
    assert isinstance(server.transport, asyncio.WriteTransport)
    server.transport.abort()
    return TAKEN


async def hang(_server: SMTP, _envelope: Envelope) -> str:
    """Take it, and never say so."""
    await asyncio.Event().wait()
    raise AssertionError


@dataclass
class MailServer:
    """A mail server on 127.0.0.1.

    Attributes:
        answer: what it does when it has got a message.
        refused: the addresses that it does not know.
        received: every message that it got whole, whatever it answered.
    """

    port: int = 0
    answer: Answer = take
    refused: set[str] = field(default_factory=set)
    received: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def message_ids(self) -> list[str]:
        return [str(message["Message-ID"]) for message in self.received]

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any) -> str:  # noqa: N802
        """aiosmtpd's name."""
        if address in self.refused:
            return "550 No such user here"
        envelope.rcpt_tos.append(address)
        return TAKEN

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """aiosmtpd's name."""
        assert isinstance(envelope.content, bytes)
        self.received.append(message_from_bytes(envelope.content, policy=default))
        self.recipients += [str(address) for address in envelope.rcpt_tos]
        return await self.answer(server, envelope)


@asynccontextmanager
async def mail_server(port: int = 0) -> AsyncIterator[MailServer]:
    """A running one; on a free port, unless one is named."""
    mail = MailServer()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(mail, hostname="test"), "127.0.0.1", port)
    mail.port = server.sockets[0].getsockname()[1]
    try:
        yield mail
    finally:
        server.close()
