"""``caremesh run``: one of the mesh's processes in the foreground, for a container or a process manager."""

import asyncio
import os
import sys
from typing import Annotated, Final

import typer

from shared.cli import topics
from shared.cli.migrate import unreachable
from shared.cli.reaching import CannotError, mesh_settings, named, reaching_kafka, told
from shared.embedded.endpoints import as_environment
from shared.mesh import MESH
from shared.settings import Settings

_NAMES: Final = ", ".join(process.name for process in MESH)


def run(
    service: Annotated[str, typer.Argument(help=f"One of: {_NAMES}.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Log one JSON object a line (as CAREMESH_LOG_JSON=1).")] = False,
) -> None:
    """Run one service or processor in the foreground, until SIGTERM or Ctrl-C.

    Several of the same share the partitions; when one dies, the others take over its part. Kafka, the database and the limits are those of the
    mesh that runs in CAREMESH_HOME, where the environment sets no others; or CAREMESH_KAFKA_BOOTSTRAP_SERVERS and CAREMESH_DATABASE_URL name
    them: then call `caremesh migrate` and `caremesh topics create` once before.

    Elsewhere, give every process of a service the same settings: limits are read where a command is decided.

    Exit code 0 after SIGTERM, 2 for an unknown name, or when Kafka, its topics or the database are not to be
    found, 78 when the process says that its set-up must be mended.

    Examples:
        caremesh run booking
        CAREMESH_LOG_JSON=1 caremesh run booking-processor
    """
    with told(as_json=False):
        process = named("service or processor", service, {process.name: process for process in MESH})
        settings = mesh_settings()
        asyncio.run(_check(settings))
    environment = os.environ | as_environment(settings)
    if as_json:
        environment["CAREMESH_LOG_JSON"] = "1"
    # The process takes our place: signals and exit codes go straight to and from it.
    os.execve(sys.executable, [sys.executable, "-m", process.module, process.argument], environment)  # noqa: S606 - no shell is meant


async def _check(settings: Settings) -> None:
    """Say what keeps a process from starting. Once it runs, it waits for what goes away.

    Raises:
        CannotError: Kafka, its topics or the database are not to be found.
    """
    with reaching_kafka(settings):
        missing = await topics.missing(settings)
    problem = await unreachable(settings.database_url.get_secret_value())
    if missing:
        problem = f"Kafka has no {', '.join(missing)}: call `caremesh topics create`, or is CAREMESH_TOPIC_PREFIX wrong?"
    if problem:
        raise CannotError(problem)
