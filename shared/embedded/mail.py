"""The mail catcher of an embedded mesh: the e-mails that people would get lie in the home, and go nowhere else."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.policy import default as reading
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from shared.embedded import ports
from shared.embedded.errors import EmbeddedError
from shared.embedded.logfile import open_log, tail
from shared.embedded.mail_catcher import SUFFIX
from shared.embedded.process import Child

_STOP_GRACE_SECONDS: Final = 3
_PROBE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtMail:
    """An e-mail that was caught.

    Attributes:
        file: where it lies.
        sent_at: as its header says.
        message_id: the same on each attempt to send one notification.
        notification_id: which notification it is.
    """

    file: Path
    sent_at: datetime | None
    to: str
    subject: str
    body: str
    message_id: str
    notification_id: str


class MailCatcher:
    """The mail server of one home. Messages lie in ``<home>/mail``; the port stays the same across restarts."""

    name = "mail"

    def __init__(self, home: Path) -> None:
        """Describe it; nothing is touched before ``start``."""
        self._home = home.absolute()
        self._folder = folder_of(home)
        self.log_path = self._home / "logs" / "mail.log"
        self._port: int | None = None
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where to send e-mails; known once ``start`` has returned."""
        assert self._port is not None, "await start() first"
        return f"smtp://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """The id of the running process, or None."""
        return self._child.pid if self._child is not None else None

    async def start(self) -> None:
        """Start the process; ``wait_ready`` waits for the rest.

        Raises:
            EmbeddedError: the home cannot be used, or no port is free.
        """
        try:
            for folder in (self._folder, self._home / "logs", self._home / "run"):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"The home {self._home} cannot be used ({error.strerror}): name another folder with CAREMESH_HOME."
            raise EmbeddedError(message) from error
        self._port = ports.choose(self._home / "run" / "mail.port", wanted=self._port)
        command = [sys.executable, "-m", "shared.embedded.mail_catcher", str(self._folder), str(self._port)]
        self._child = Child(command=command, record=self._home / "run" / "mail.pid")
        with open_log(self.log_path) as output:
            self._child.start(output=output)

    async def wait_ready(self, timeout_seconds: float = 20) -> None:
        """Return once it accepts connections.

        Raises:
            EmbeddedError: it ended, or does not answer in time; the message shows the end of its log.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while self._port is None or not ports.is_listening(self._port):
                    if self.pid is None:
                        raise EmbeddedError(self._epitaph("The mail catcher ended before it was ready."))
                    await asyncio.sleep(_PROBE_SECONDS)
        except TimeoutError:
            raise EmbeddedError(self._epitaph(f"The mail catcher did not answer within {timeout_seconds:g} seconds.")) from None

    async def wait_ended(self) -> int:
        """Return the exit code once the process has ended."""
        assert self._child is not None, "await start() first"
        return await self._child.wait()

    async def stop(self) -> None:
        """End it in order, by force where need be; it may be started again."""
        if self._child is not None:
            await self._child.stop(grace_seconds=_STOP_GRACE_SECONDS)

    def _epitaph(self, sentence: str) -> str:
        return f"{sentence} Its log is {self.log_path}. It ends with:\n{tail(self.log_path)}".rstrip()


def folder_of(home: Path) -> Path:
    """Where a home's caught e-mails lie."""
    return home.absolute() / "mail"


def caught_mails(home: Path, *, after: str = "") -> Sequence[CaughtMail]:
    """The e-mails that were caught in a home, in the order in which they came.

    Args:
        home: of an embedded mesh.
        after: only those whose file's name comes after this; a name begins with the nanosecond, in twenty digits.
    """
    return [_read(file) for file in sorted(folder_of(home).glob(f"*{SUFFIX}")) if file.name > after]


def _read(file: Path) -> CaughtMail:
    message = message_from_bytes(file.read_bytes(), policy=reading)
    body = message.get_body(preferencelist=("plain",))
    sent = message["Date"]
    return CaughtMail(
        file=file,
        sent_at=parsedate_to_datetime(str(sent)) if sent is not None else None,
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        body=str(body.get_content()).strip() if body is not None else "",
        message_id=str(message["Message-ID"] or "").strip(),
        notification_id=str(message["X-Notification-Id"] or ""),
    )
