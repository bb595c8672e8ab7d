"""A baseline, as a process: a plain loop that sends one e-mail in each transaction.

``python -m bench.mail_loop '{"mail_server": "smtp://…", "mails": 100, "warm_up": 10}'``. Each turn: BEGIN; ``SELECT … FOR UPDATE SKIP LOCKED``
of the next row of an outbox; the e-mail, by SMTP; UPDATE of the row; COMMIT. It is a good one of its kind: its connections stay open.
"""

import json
import sys
import time
from email.message import EmailMessage
from typing import Any, Final
from urllib.parse import urlsplit

import aiosmtplib
import asyncpg
import uvloop

from shared.settings import Settings

_BODY: Final = "Your appointment on Tuesday, January 8, 2030, 2:00 PM (UTC) is confirmed.\n\nReference: apt-1\n"


async def _send_next(connection: "asyncpg.Connection[Any]", smtp: aiosmtplib.SMTP) -> None:
    async with connection.transaction():
        row = await connection.fetchrow(
            "SELECT number, address FROM outbox WHERE sent_at IS NULL ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED",
        )
        assert row is not None
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "no-reply@example.org", row["address"], "Your appointment is confirmed"
        message.set_content(_BODY)
        await smtp.send_message(message)
        await connection.execute("UPDATE outbox SET sent_at = now() WHERE number = $1", row["number"])


async def main(configuration: dict[str, Any]) -> None:
    """Send all, and print how fast that was."""
    mails, warm_up = configuration["mails"], configuration["warm_up"]
    connection = await asyncpg.connect(Settings().database_url.get_secret_value())
    await connection.execute("CREATE TABLE outbox (number integer PRIMARY KEY, address text NOT NULL, sent_at timestamptz)")
    await connection.execute("CREATE INDEX ON outbox (number) WHERE sent_at IS NULL")
    await connection.executemany(
        "INSERT INTO outbox VALUES ($1, $2)", [(number, f"{number}@example.org") for number in range(mails + warm_up)]
    )
    await connection.execute("ANALYZE outbox")
    server = urlsplit(configuration["mail_server"])
    async with aiosmtplib.SMTP(hostname=server.hostname, port=server.port) as smtp:
        for _ in range(warm_up):
            await _send_next(connection, smtp)
        started_at = time.monotonic()
        for _ in range(mails):
            await _send_next(connection, smtp)
        seconds = time.monotonic() - started_at
    await connection.close()
    sys.stdout.write(json.dumps({"per_second": mails / seconds}) + "\n")


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
