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


async def refuse_for_ever(_server: SMTP, _envelope: Envelope) -> str:
    """Say that it does not want what it got."""
    return "554 Not wanted"


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
        patience: so many messages it takes over one connection; then it has had enough of it.
        received: every message that it got whole, whatever it answered.
        connections: how many there were.
        sessions: those that there are.
    """

    port: int = 0
    answer: Answer = take
    refused: set[str] = field(default_factory=set)
    patience: int | None = None
    received: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    connections: int = 0
    sessions: "set[_Session]" = field(default_factory=set)

    def cut(self) -> None:
        """End every connection, as a server does that starts again."""
        for session in self.sessions:
            assert isinstance(session.transport, asyncio.WriteTransport)
            session.transport.abort()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def message_ids(self) -> list[str]:
        return [str(message["Message-ID"]) for message in self.received]


class _Session(SMTP):
    """A connection. Of its own, so that its server can count it; the names of the methods are aiosmtpd's."""

    def __init__(self, mail: MailServer) -> None:
        # Not the server itself: each property of the handler is looked at, again for each connection.
        super().__init__(_Handler(mail), hostname="test")
        self.mail = mail
        self.messages = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.mail.connections += 1
        self.mail.sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.mail.sessions.discard(self)
        super().connection_lost(error)


class _Handler:
    """What is done with a message."""

    def __init__(self, mail: MailServer) -> None:
        self._mail = mail

    async def handle_MAIL(self, server: _Session, _session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        if server.messages == self._mail.patience:
            return "421 Enough for one connection"
        envelope.mail_from, envelope.mail_options = address, options
        return TAKEN

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any) -> str:  # noqa: N802
        if address in self._mail.refused:
            return "550 No such user here"
        envelope.rcpt_tos.append(address)
        return TAKEN

    async def handle_DATA(self, server: _Session, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        server.messages += 1
        self._mail.received.append(message_from_bytes(envelope.content, policy=default))
        self._mail.recipients += [str(address) for address in envelope.rcpt_tos]
        return await self._mail.answer(server, envelope)


@asynccontextmanager
async def mail_server(port: int = 0) -> AsyncIterator[MailServer]:
    """A running one; on a free port, unless one is named."""
    mail = MailServer()
    server = await asyncio.get_running_loop().create_server(lambda: _Session(mail), "127.0.0.1", port)
    mail.port = server.sockets[0].getsockname()[1]
    try:
        yield mail
    finally:
        server.close()
        mail.cut()
