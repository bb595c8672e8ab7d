"""The channels: how a notification leaves the mesh. One small protocol, and behind it SMTP and, through Apprise, all else.

E-mail has a way of its own, for two things that Apprise does not give: a Message-ID of ours, by which a second attempt can be
told from a second message; and an end to an attempt that hangs.
"""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import SplitResult, quote, unquote, urlsplit

import aiosmtplib

from services.notify.domain.attempt import Answer
from services.notify.wording import Words
from shared.messages.notify import Channel
from shared.path.errors import FatalError
from shared.settings import Settings

#: Where the recipient's address belongs in the URL of a provider.
PLACEHOLDER: Final = "{recipient}"
_SMTP_PORTS: Final = {"smtp": 587, "smtps": 465}
_PERMANENT: Final = 500
#: After an e-mail was taken on, goodbye is said no longer than this.
_QUIT_SECONDS: Final = 2.0


class Outgoing(NamedTuple):
    """A notification on its way out.

    Attributes:
        address: where the channel reaches the recipient. Personal: it appears in no log.
        key: the same for every attempt, so that whoever can tell copies does.
    """

    notification_id: str
    address: str
    words: Words
    key: str


class Provider(Protocol):
    """Takes notifications on, for one channel."""

    async def send(self, outgoing: Outgoing) -> Answer:
        """Hand one over, and say what came of it. It may be cancelled at any time; then nobody knows."""


def idempotency_key(notification_id: str, channel: Channel) -> str:
    """What every attempt to send a notification on a channel has in common."""
    return blake2b(f"{notification_id}\n{channel}".encode(), digest_size=16).hexdigest()


class SmtpProvider:
    """Hands e-mails to a mail server, each over a connection of its own: no connection is found dead when it is needed."""

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
        self._domain = parseaddr(sender)[1].rpartition("@")[2]
        self._options: dict[str, Any] = {
            "hostname": parts.hostname,
            "port": parts.port or _SMTP_PORTS[parts.scheme],
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "use_tls": parts.scheme == "smtps",
            "start_tls": _start_tls(parts),
            "local_hostname": self._domain,
        }

    async def send(self, outgoing: Outgoing) -> Answer:
        """Send an e-mail."""
        message = self._message(outgoing)
        client = aiosmtplib.SMTP(**self._options, timeout=None)
        try:
            await client.connect()
            await client.send_message(message, sender=parseaddr(self._sender)[1], recipients=[outgoing.address])
        except aiosmtplib.SMTPRecipientsRefused as error:
            permanent = all(refused.code >= _PERMANENT for refused in error.recipients)
            return Answer.REFUSED if permanent else Answer.FAILED
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPReadTimeoutError):
            return Answer.UNKNOWN
        except (aiosmtplib.SMTPException, OSError):
            return Answer.FAILED
        else:
            # It was taken on: whatever happens to the connection now is of no importance.
            with suppress(aiosmtplib.SMTPException, OSError):
                async with asyncio.timeout(_QUIT_SECONDS):
                    await client.quit()
            return Answer.TAKEN
        finally:
            client.close()

    def _message(self, outgoing: Outgoing) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = outgoing.address
        message["Subject"] = outgoing.words.title
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = f"<{outgoing.key}@{self._domain}>"
        message["X-Notification-Id"] = outgoing.notification_id
        # No machine answers a machine.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(outgoing.words.body or outgoing.words.title)
        return message


def _start_tls(parts: SplitResult) -> bool | None:
    """Whether to ask for TLS: never inside TLS, always before a password goes over a network, else where the server offers it."""
    if parts.scheme == "smtps":
        return False
    return True if parts.password and parts.hostname not in {"127.0.0.1", "::1", "localhost"} else None


class AppriseProvider:
    """Hands notifications to whatever provider a URL of Apprise names. Apprise blocks, so each waits in a thread."""

    def __init__(self, channel: Channel, url: str, concurrency: int) -> None:
        """Make it; nothing is connected yet.

        Args:
            channel: for the sentences.
            url: one of Apprise's, with ``{recipient}`` where the address belongs.
            concurrency: how many wait at the same time.

        Raises:
            FatalError: the URL has no place for an address, or is none of Apprise's.
        """
        scheme = url.partition("://")[0].lower()
        if PLACEHOLDER not in url or scheme not in _apprise_schemes():
            message = (
                f"CAREMESH_NOTIFY_{channel.upper()}_URL is no URL of Apprise with {PLACEHOLDER} in the place of the address: "
                "see the list of services in Apprise's documentation."
            )
            raise FatalError(message)
        self._url = url
        # Threads of its own: those that a dead provider holds are missing to no other channel.
        self._threads = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix=f"notify-{channel}")

    async def send(self, outgoing: Outgoing) -> Answer:
        """Send it; Apprise says no more than whether that went well."""
        sent = await asyncio.get_running_loop().run_in_executor(self._threads, self._send, outgoing)
        return Answer.TAKEN if sent else Answer.FAILED

    def _send(self, outgoing: Outgoing) -> bool:
        import apprise

        service = apprise.Apprise.instantiate(self._url.replace(PLACEHOLDER, quote(outgoing.address, safe="")))
        # An address that the provider cannot have been given in this form.
        if service is None:
            return False
        return bool(service.notify(body=outgoing.words.body or outgoing.words.title, title=outgoing.words.title))


@cache
def _apprise_schemes() -> frozenset[str]:
    # Imported when it is needed: it takes a second.
    import apprise

    # It logs whom it has written to.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    services = apprise.Apprise().details()["schemas"]
    return frozenset(scheme for service in services for kind in ("protocols", "secure_protocols") for scheme in service[kind] or ())


def providers_of(settings: Settings) -> dict[Channel, Provider]:
    """The providers that are set up.

    Raises:
        FatalError: a URL is none.
    """
    providers: dict[Channel, Provider] = {}
    for channel, url in urls_of(settings).items():
        if channel is Channel.EMAIL and url.partition("://")[0].lower() in _SMTP_PORTS:
            providers[channel] = SmtpProvider(url, settings.notify_email_from)
        else:
            providers[channel] = AppriseProvider(channel, url, settings.notify_concurrency)
    return providers


def urls_of(settings: Settings) -> Mapping[Channel, str]:
    """The channels that a provider is set up for, with its URL."""
    urls = {
        Channel.EMAIL: settings.notify_email_url,
        Channel.PUSH: settings.notify_push_url,
        Channel.SMS: settings.notify_sms_url,
        Channel.CHAT: settings.notify_chat_url,
    }
    return {channel: url.get_secret_value() for channel, url in urls.items() if url.get_secret_value()}
