"""``caremesh run``: one of the mesh's processes in the foreground, for a container or a process manager."""

import asyncio
import os
import sys
from typing import Annotated, Final, NoReturn

import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from shared.cli import topics
from shared.cli.migrate import unreachable
from shared.embedded.endpoints import resolve
from shared.embedded.errors import NoMeshError
from shared.mesh import MESH
from shared.settings import Settings

_EXIT_CANNOT_RUN: Final = 2
_NAMES: Final = ", ".join(process.name for process in MESH)


def run(
    service: Annotated[str, typer.Argument(help=f"One of: {_NAMES}.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Log one JSON object a line (as CAREMESH_LOG_JSON=1).")] = False,
) -> None:
    """Run one service or processor in the foreground, until SIGTERM or Ctrl-C.

    Several of the same share the partitions; when one dies, the others take over its part. Kafka and the database are those of the mesh that
    runs in CAREMESH_HOME, or those that CAREMESH_KAFKA_BOOTSTRAP_SERVERS and CAREMESH_DATABASE_URL name: then call `caremesh migrate` and
    `caremesh topics create` once before.

    Give every process of a service the same settings: limits are read where a command is decided.

    Exit code 0 after SIGTERM, 2 for an unknown name, or when Kafka, its topics or the database are not to be
    found, 78 when the process says that its set-up must be mended.
    """
    process = next((process for process in MESH if process.name == service), None)
    if process is None:
        _give_up(f"There is no {service} to run. There are: {_NAMES}.")
    try:
        settings = resolve(Settings())
    except NoMeshError as error:
        _give_up(str(error))
    if problem := asyncio.run(_problem(settings)):
        _give_up(problem)
    environment = os.environ | {
        "CAREMESH_HOME": str(settings.home.absolute()),
        "CAREMESH_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "CAREMESH_DATABASE_URL": settings.database_url.get_secret_value(),
    }
    if as_json:
        environment["CAREMESH_LOG_JSON"] = "1"
    # The process takes our place: signals and exit codes go straight to and from it.
    os.execve(sys.executable, [sys.executable, "-m", process.module, process.argument], environment)  # noqa: S606 - no shell is meant


async def _problem(settings: Settings) -> str:
    """What keeps a process from starting, as a sentence; empty when nothing does. Once it runs, it waits for what goes away."""
    try:
        missing = await topics.missing(settings)
    except (KafkaError, OSError) as error:
        return f"Kafka at {settings.kafka_bootstrap_servers} is not to be reached ({type(error).__name__}: {error})."
    if missing:
        return f"Kafka has no {', '.join(missing)}: call `caremesh topics create`, or is CAREMESH_TOPIC_PREFIX wrong?"
    return await unreachable(settings.database_url.get_secret_value())


def _give_up(sentence: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True, highlight=False).print(sentence, style="red", markup=False)
    raise typer.Exit(_EXIT_CANNOT_RUN)
