"""What reaches people: their addresses are made known, e-mails arrive by SMTP at the mesh's own catcher, entries lie in inboxes."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, cast

from shared.cli.consoles import consoles
from shared.database import create_engine, transaction
from shared.demo.findings import CannotPlayError
from shared.embedded.endpoints import as_environment
from shared.embedded.mail import CaughtMail, caught_mails
from shared.embedded.state import MeshState
from shared.messages.notify import Channel, DeliveryStatus, Template
from shared.settings import Settings

#: Where the invented people have their addresses: nobody's domain.
ADDRESSES: Final = "demo.example"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that somebody was told in a scenario."""

    recipient_id: str
    template: Template
    entity_id: str
    notification_id: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What has become of a notice.

    Attributes:
        mails: those that arrived here by SMTP.
        email_status: what notify says of its e-mail; ``None`` when there is none.
        inbox_at: since when it lies in the recipient's inbox.
    """

    notice: Notice
    mails: Sequence[CaughtMail]
    email_status: DeliveryStatus | None
    inbox_at: datetime | None


class Mailbox:
    """The e-mails that the mesh's catcher has got since this was made."""

    def __init__(self, settings: Settings) -> None:
        """Make it; nothing is read yet."""
        self._home = settings.home
        state = MeshState.read(settings.home.absolute())
        #: Whether e-mails arrive here; else they go to a server of which nothing is known.
        self.is_here = state is not None and bool(state.mail) and state.mail == settings.notify_email_url.get_secret_value()
        self._mails: list[CaughtMail] = []
        self._last_name = f"{time.time_ns():020}"

    def mails_of(self, notification_id: str) -> Sequence[CaughtMail]:
        """The e-mails that came of one notification."""
        for mail in caught_mails(self._home, after=self._last_name):
            self._mails.append(mail)
            self._last_name = mail.file.name
        return [mail for mail in self._mails if mail.notification_id == notification_id]


def address_of(recipient_id: str) -> str:
    """The e-mail address of an invented person."""
    return f"{recipient_id}@{ADDRESSES}"


async def register(settings: Settings, recipient_ids: Sequence[str]) -> None:
    """Make people's addresses known as an operator does it: by `caremesh recipients import`.

    Raises:
        CannotPlayError: notify does not take them.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recipients.csv"
        file.write_text("recipient_id,email\n" + "".join(f"{one},{address_of(one)}\n" for one in recipient_ids))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shared.cli.main", "recipients", "import", str(file)),
            env=os.environ | as_environment(settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    if process.returncode:
        message = f"`caremesh recipients import` did not take the addresses of the invented people:\n{output.decode().strip()}"
        raise CannotPlayError(message)


async def receipts_of(notices: Sequence[Notice], settings: Settings, mailbox: Mailbox) -> Sequence[Receipt]:
    """What has become of notices, as notify's own tables and the mail catcher say."""
    [show] = [console.shows["notification"] for console in consoles() if console.service == "notify"]
    receipts = []
    engine = create_engine(settings, "notify", connections=1)
    try:
        async with transaction(engine) as connection:
            for notice in notices:
                shown = await show(connection, notice.notification_id)
                assert shown is not None, "it was published as sent"
                statuses = {delivery["channel"]: delivery["status"] for delivery in shown.lists["deliveries"]}
                email = statuses.get(Channel.EMAIL)
                receipts.append(
                    Receipt(
                        notice,
                        mails=mailbox.mails_of(notice.notification_id),
                        email_status=DeliveryStatus(cast("str", email)) if email is not None else None,
                        inbox_at=cast("datetime | None", shown.fields["inbox_at"]),
                    )
                )
    finally:
        await engine.dispose()
    return receipts
