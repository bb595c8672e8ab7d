"""``caremesh status``: whether the mesh is ready, asked of Kafka and the processes themselves."""

import asyncio
import json
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
import typer
from aiokafka.errors import KafkaError
from rich.table import Table

from shared.cli.exits import Exit
from shared.cli.masking import mask_url
from shared.cli.terminal import line_console, table_console
from shared.embedded.endpoints import resolve
from shared.embedded.errors import EmbeddedError
from shared.embedded.process import Identity
from shared.embedded.readiness import GroupStatus, ReadinessProbe, problems_of_process
from shared.embedded.state import MeshState
from shared.mesh import MESH, MeshProcess
from shared.settings import Settings

_DATABASE_TIMEOUT_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class MeshStatus:
    """What the mesh is like at this moment."""

    ready: bool
    kafka: str
    database: str
    services: dict[str, dict[str, Any]]
    #: What keeps it from being ready, as a sentence; empty when it is.
    problem: str = ""

    def as_json(self) -> str:
        """Return the shape that the contract promises."""
        fields: dict[str, Any] = {"ready": self.ready, "kafka": self.kafka, "database": self.database, "services": self.services}
        return json.dumps(fields | ({"problem": self.problem} if self.problem else {}), indent=2)


def status(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False) -> None:  # noqa: FBT002
    """Say whether the mesh is ready, and where it is.

    Exit code 0 when it is ready, 1 when not.

    Examples:
        caremesh status
        caremesh status --json | jq -r .kafka
        until caremesh status > /dev/null; do sleep 1; done
    """
    found = asyncio.run(look(Settings()))
    if as_json:
        typer.echo(found.as_json())
    else:
        _print(found)
    raise typer.Exit(Exit.OK if found.ready else Exit.NO)


async def look(settings: Settings) -> MeshStatus:
    """Ask Kafka, the database and the processes how the mesh is."""
    try:
        settings = resolve(settings)
    except EmbeddedError as error:
        return MeshStatus(ready=False, kafka="", database="", services={}, problem=str(error))
    groups, kafka_problem = await _ask_kafka(settings)
    database_problem = await _ask_database(settings)
    state = MeshState.read(settings.home.absolute())
    says = await _ask_processes(state)
    services = {
        process.name: _service(process, group, state, says.get(process.name, "")) for process, group in zip(MESH, groups, strict=True)
    }
    unready = [name for name, service in services.items() if not service["ready"]]
    problems = [kafka_problem, database_problem, f"Not ready: {', '.join(unready)}." if unready else ""]
    problem = " ".join(sentence for sentence in problems if sentence)
    return MeshStatus(
        ready=not problem,
        kafka=settings.kafka_bootstrap_servers,
        database=_shown_url(settings, state),
        services=services,
        problem=problem,
    )


def _shown_url(settings: Settings, state: MeshState | None) -> str:
    """Return the URL whole if it is the embedded database of this home, which the user may use; else without its password."""
    url = settings.database_url.get_secret_value()
    embedded = state is not None and "postgres" in state.processes and url == state.database
    return url if embedded else mask_url(url)


async def _ask_kafka(settings: Settings) -> tuple[list[GroupStatus], str]:
    names = [process.group(settings.topic_prefix) for process in MESH]
    try:
        async with ReadinessProbe(settings) as probe:
            return await probe.groups(names), ""
    except (KafkaError, OSError) as error:
        unknown = [GroupStatus(group=name, state="unknown") for name in names]
        return unknown, f"Kafka at {settings.kafka_bootstrap_servers} is not to be reached ({type(error).__name__})."


async def _ask_database(settings: Settings) -> str:
    url = settings.database_url.get_secret_value()
    try:
        connection = await asyncpg.connect(url, timeout=_DATABASE_TIMEOUT_SECONDS)
    except (asyncpg.PostgresError, OSError, TimeoutError, ValueError) as error:
        return f"The database at {mask_url(url)} is not to be reached ({type(error).__name__}: {error})."
    await connection.close()
    return ""


async def _ask_processes(state: MeshState | None) -> dict[str, str]:
    """Why each process of a mesh that runs here is not ready, in its own words; nothing for one that is."""
    ports = state.health_ports if state is not None else {}
    return dict(zip(ports, await asyncio.gather(*map(problems_of_process, ports.values())), strict=True))


def _service(process: MeshProcess, group: GroupStatus, state: MeshState | None, says: str) -> dict[str, Any]:
    process_id = state.processes.get(process.name) if state is not None else None
    alive = process_id is not None and Identity.of(process_id) is not None
    return {
        # Without a supervisor here, the processes run elsewhere: Kafka alone can tell.
        "ready": group.ready and (alive or state is None) and not says,
        "pid": process_id if alive else None,
        "restarts": state.restarts.get(process.name, 0) if state is not None else None,
        "health": f"http://127.0.0.1:{state.health_ports[process.name]}"
        if state is not None and process.name in state.health_ports
        else None,
        "problems": says,
        "group": group.group,
        "state": group.state,
        "members": len(group.members),
        "partitions_assigned": group.partitions_assigned,
        "partitions": group.partitions,
    }


def _print(status: MeshStatus) -> None:
    output = line_console()
    if status.services:
        table = Table("service", "ready", "process", "restarts", "group", "members", "partitions", "health")
        for name, service in status.services.items():
            table.add_row(
                name,
                "[green]yes" if service["ready"] else "[red]no",
                str(service["pid"] or "-"),
                str(service["restarts"] if service["restarts"] is not None else "-"),
                service["state"],
                str(service["members"]),
                f"{service['partitions_assigned']}/{service['partitions']}",
                service["health"] or "-",
            )
        table_console().print(table)
        for name, service in status.services.items():
            if service["problems"]:
                output.print(f"{name}: {service['problems']}", style="red", markup=False)
        output.print(f"kafka     {status.kafka}", markup=False)
        output.print(f"database  {status.database}", markup=False)
    output.print("ready" if status.ready else f"not ready: {status.problem}", style="green" if status.ready else "red", markup=False)
