"""E-mail by SMTP. It has a way of its own, for two things that Apprise does not give.

These are a Message-ID of ours, by which a second attempt can be told from a second message, and an end to an attempt that hangs.
"""

import asyncio
from collections.abc import Callable
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from email.mime.text import MIMEText
from email.utils import formatdate, parseaddr
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import SplitResult, unquote, urlsplit

import aiosmtplib

from services.notify.domain.attempt import Answer
from services.notify.provider import Outgoing
from services.notify.wording import Words
from shared.path.errors import FatalError

SMTP_PORTS: Final = {"smtp": 587, "smtps": 465}
_PERMANENT: Final = 500
#: Encoded words are folded as RFC 2047 wants it; plain ones may be longer, up to 998 characters.
_ENCODED_LINE: Final = 76
_PLAIN_LINE: Final = 400
#: A connection is used again within this, and for so many e-mails at the most.
_IDLE_SECONDS: Final = 5.0
_MOST_MAILS: Final = 100

_UTF_8: Final = Charset("utf-8")
_UTF_8.body_encoding = QP


class _Connection:
    """A connection to the mail server. Used as ``with``, it is closed when anything fails: nobody knows then what its server awaits.

    Attributes:
        mails: how many it has carried.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._client = aiosmtplib.SMTP(**options, timeout=None)
        self._alarm: asyncio.TimerHandle | None = None
        self.mails = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if error is not None:
            self._client.close()

    async def connect(self) -> None:
        with self:
            await self._client.connect()

    async def introduce(self, sender: str, recipient: str) -> None:
        """Have both accepted; nothing is taken on by that."""
        with self:
            await self._client.mail(sender)
            await self._client.rcpt(recipient)

    async def hand_over(self, content: bytes) -> None:
        with self:
            await self._client.data(content)
        self.mails += 1

    def rest(self, when_over: "Callable[[_Connection], None]") -> None:
        self._alarm = asyncio.get_running_loop().call_later(_IDLE_SECONDS, when_over, self)

    def wake(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    def leave(self) -> None:
        """Say goodbye, and do not wait for the answer."""
        if self._client.transport is not None and self._client.is_connected:
            self._client.transport.write(b"QUIT\r\n")  # type: ignore[attr-defined]  # a socket's transport writes
        self._client.close()


class SmtpProvider:
    """Hands e-mails to a mail server, one after the other over a connection, and over several at a time."""

    def __init__(self, url: str, sender: str) -> None:
        """Make it; nothing is connected yet.

        Args:
            url: ``smtp://user:password@host:port`` (with STARTTLS where the server has it) or ``smtps://…``.
            sender: from whom the e-mails come.

        Raises:
            FatalError: the URL names no host.
        """
        parts = urlsplit(url)
        if not parts.hostname:
            message = "CAREMESH_NOTIFY_EMAIL_URL names no mail server: it is smtp://user:password@host:port, or smtps://…"
            raise FatalError(message)
        self._sender = sender
        self._sender_address = parseaddr(sender)[1]
        self._domain = self._sender_address.rpartition("@")[2]
        self._options: dict[str, Any] = {
            "hostname": parts.hostname,
            "port": parts.port or SMTP_PORTS[parts.scheme],
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "use_tls": parts.scheme == "smtps",
            "start_tls": _start_tls(parts),
            "local_hostname": self._domain,
        }
        self._resting: list[_Connection] = []

    async def send(self, outgoing: Outgoing) -> Answer:
        """Send an e-mail."""
        if not outgoing.address.isascii():
            # It would need SMTPUTF8 on every server on its way.
            return Answer.REFUSED
        content = self._content(outgoing)
        try:
            connection = await self._introduced(outgoing.address)
        except aiosmtplib.SMTPRecipientRefused as refused:
            return _answer_of(refused)
        except (aiosmtplib.SMTPException, OSError):
            return Answer.FAILED
        try:
            await connection.hand_over(content)
        except aiosmtplib.SMTPDataError as refused:
            return _answer_of(refused)
        except (aiosmtplib.SMTPException, OSError):
            # The connection broke before the server said whether it has taken the e-mail on.
            return Answer.UNKNOWN
        self._keep(connection)
        return Answer.TAKEN

    async def _introduced(self, address: str) -> _Connection:
        """A connection on which sender and recipient are accepted."""
        while self._resting:
            connection = self._resting.pop()
            connection.wake()
            try:
                await connection.introduce(self._sender_address, address)
            except aiosmtplib.SMTPRecipientRefused:
                raise
            except (aiosmtplib.SMTPException, OSError):
                # It ended while it rested, or its server has had enough of it: that is no reason to fail.
                continue
            return connection
        connection = _Connection(self._options)
        await connection.connect()
        await connection.introduce(self._sender_address, address)
        return connection

    def _keep(self, connection: _Connection) -> None:
        if connection.mails >= _MOST_MAILS:
            connection.leave()
            return
        self._resting.append(connection)
        connection.rest(self._let_go)

    def _let_go(self, connection: _Connection) -> None:
        self._resting.remove(connection)
        connection.leave()

    def _content(self, outgoing: Outgoing) -> bytes:
        message = _text(outgoing.words)
        message["From"] = self._sender
        message["To"] = outgoing.address
        message["Subject"] = _subject(outgoing.words.title)
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = f"<{outgoing.key}@{self._domain}>"
        message["X-Notification-Id"] = outgoing.notification_id
        # No machine answers a machine.
        message["Auto-Submitted"] = "auto-generated"
        return message.as_bytes()


def _answer_of(refused: aiosmtplib.SMTPResponseException) -> Answer:
    return Answer.REFUSED if refused.code >= _PERMANENT else Answer.FAILED


def _text(words: Words) -> "Message[Any, Any]":
    """The body, by the older interface of the standard library: it takes a third of the newer one's time."""
    body = words.body or words.title
    is_plain = body.isascii() and all(len(line) <= _PLAIN_LINE for line in body.split("\n"))
    return MIMEText(f"{body}\n", "plain", "us-ascii" if is_plain else _UTF_8)  # type: ignore[arg-type]  # it takes both


def _subject(title: str) -> Header:
    return Header(title, maxlinelen=_PLAIN_LINE) if title.isascii() else Header(title, "utf-8", maxlinelen=_ENCODED_LINE)


def _start_tls(parts: SplitResult) -> bool | None:
    """Whether to ask for TLS: never inside TLS, always before a password goes over a network, else where the server offers it."""
    if parts.scheme == "smtps":
        return False
    return True if parts.password and parts.hostname not in {"127.0.0.1", "::1", "localhost"} else None
