"""Catches e-mails: a mail server that delivers to nobody, and keeps each message as a file.

python -m shared.embedded.mail_catcher FOLDER PORT
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session

#: An e-mail of ours has a few lines; whoever sends more means another server.
_MAX_MESSAGE_BYTES: Final = 1_000_000
#: The end of a kept message's name.
SUFFIX: Final = ".eml"
_DONE: Final = "250 Message accepted"


class _Keeper:
    """Keeps messages in a folder, in the order of their names. The method's name is aiosmtpd's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers: Iterator[int] = count(1)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a message, and only then say that it was taken on."""
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        path = self._folder / f"{time.time_ns():020}-{os.getpid()}-{next(self._numbers):06}{SUFFIX}"
        # Whoever reads meanwhile sees a whole message or none.
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(content)
        unfinished.rename(path)
        return _DONE


async def serve(folder: Path, port: int) -> None:
    """Catch until SIGTERM or Ctrl-C."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    keeper = _Keeper(folder)

    def session() -> SMTP:
        return SMTP(keeper, data_size_limit=_MAX_MESSAGE_BYTES, hostname="caremesh.localhost", ident="caremesh", enable_SMTPUTF8=True)

    server = await loop.create_server(session, "127.0.0.1", port)
    async with server:
        await stop.wait()


def main() -> None:
    """Run it."""
    folder, port = sys.argv[1:]
    asyncio.run(serve(Path(folder), int(port)))


if __name__ == "__main__":
    main()
