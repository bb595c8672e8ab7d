"""The channels: which provider takes what, and those that Apprise speaks to. E-mail by SMTP is in ``mail``."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final
from urllib.parse import quote

from services.notify.domain.attempt import Answer
from services.notify.mail import SMTP_PORTS, SmtpProvider
from services.notify.provider import Outgoing, Provider
from shared.messages.notify import Channel
from shared.path.errors import FatalError
from shared.settings import Settings

#: Where the recipient's address belongs in the URL of a provider.
PLACEHOLDER: Final = "{recipient}"


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
        if channel is Channel.EMAIL and url.partition("://")[0].lower() in SMTP_PORTS:
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
