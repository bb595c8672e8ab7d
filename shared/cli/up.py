"""``caremesh up``: the whole mesh, supervised, until Ctrl-C."""

import asyncio
import contextlib
import signal
import sys
from functools import partial

from rich.console import Console

from shared.cli.masking import mask_url
from shared.embedded.kafka_setup import prepare_kafka
from shared.embedded.supervisor import Supervisor
from shared.settings import Settings


def up() -> None:
    """Run the whole mesh until Ctrl-C.

    Embedded Kafka and PostgreSQL run along, unless CAREMESH_KAFKA_BOOTSTRAP_SERVERS and CAREMESH_DATABASE_URL are set; with the embedded
    database also a mail server that delivers to nobody, unless CAREMESH_NOTIFY_EMAIL_URL is set. Prints `ready` and the endpoints once every
    consumer has its partitions.

    Examples:
        caremesh up
        CAREMESH_HOME=/tmp/try CAREMESH_PENDING_EXPIRY_SECONDS=30 caremesh up
    """
    settings = Settings()
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    if settings.embedded_kafka:
        # Here and not inside the event loop, so that Ctrl-C ends a long first download at once.
        prepare_kafka(errors)
    asyncio.run(_run(settings, errors))


async def _run(settings: Settings, errors: Console) -> None:
    supervisor = Supervisor(
        settings,
        say=lambda sentence: errors.print(sentence, style="yellow", markup=False),
        show=_show,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.request_stop)
    await supervisor.run(partial(_announce, catches_mail=settings.catches_mail))


def _show(line: str) -> None:
    """Write a line of a service as it is: rich would spend more on it than the service did."""
    # When nobody reads the terminal any more, the log still holds it all.
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(f"{line}\n")


def _announce(settings: Settings, *, catches_mail: bool) -> None:
    output = Console(soft_wrap=True, highlight=False)
    url = settings.database_url.get_secret_value()
    output.print("ready")
    output.print(f"kafka     {settings.kafka_bootstrap_servers}", markup=False)
    output.print(f"database  {url if '127.0.0.1' in url else mask_url(url)}", markup=False)
    if catches_mail:
        output.print(f"mail      {settings.notify_email_url.get_secret_value()}, caught: see `caremesh mail`", markup=False)
    output.file.flush()
