"""The embedded runtime on real processes: started without anything of the machine's own, killed, and started again."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.embedded.endpoints import resolve
from shared.embedded.errors import EmbeddedError, PortTakenError
from shared.embedded.kafka import KafkaServer
from shared.embedded.options import EmbeddedOptions
from shared.embedded.postgres import PostgresServer
from shared.embedded.process import Identity
from shared.embedded.readiness import ReadinessProbe
from shared.mesh import MESH
from shared.settings import Settings
from tests.system.harness.waiting import until

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program can be found by its name: what is installed on the machine must not stand in for a missing step of ours."""
    # Decided before: the cache for downloads lies in the user's home.
    monkeypatch.setenv("CAREMESH_CACHE", str(EmbeddedOptions().cache_folder()))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    for name in ("CAREMESH_KAFKA_BOOTSTRAP_SERVERS", "CAREMESH_DATABASE_URL", "CAREMESH_JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[KafkaServer]:
    server = KafkaServer(tmp_path)
    await server.start()
    await server.wait_ready()
    yield server
    await server.stop()


async def test_kafka_keeps_its_address_and_what_it_acknowledged_when_it_is_killed(kafka: KafkaServer) -> None:
    address = kafka.bootstrap_servers
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic("t", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all")
    await producer.start()
    await producer.send_and_wait("t", b"acknowledged")
    await producer.stop()

    kafka.kill()
    assert await kafka.wait_ended() == -signal.SIGKILL
    await kafka.start()
    await kafka.wait_ready()

    assert kafka.bootstrap_servers == address
    consumer = AIOKafkaConsumer("t", bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    assert (await consumer.getone()).value == b"acknowledged"
    await consumer.stop()
    assert kafka.pid is not None
    assert {connection.laddr.ip.removeprefix("::ffff:") for connection in listening(kafka.pid)} == {"127.0.0.1"}


def listening(pid: int) -> list[Any]:
    return [connection for connection in psutil.Process(pid).net_connections("inet") if connection.status == psutil.CONN_LISTEN]


async def test_a_port_that_is_taken_is_refused_before_anything_starts(tmp_path: Path, kafka: KafkaServer) -> None:
    taken = int(kafka.bootstrap_servers.partition(":")[2])
    with pytest.raises(PortTakenError):
        await PostgresServer(tmp_path / "other", taken).start()


@pytest.fixture
def closed_home(tmp_path: Path) -> Path:
    """A home below a folder that belongs to us, and that nobody else may pass."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    return closed / "home"


@pytest.fixture
async def postgres(closed_home: Path) -> AsyncIterator[PostgresServer]:
    server = PostgresServer(closed_home)
    await server.start()
    await server.wait_ready()
    yield server
    await server.stop()


async def test_postgres_keeps_its_address_and_what_it_committed_when_it_is_killed(postgres: PostgresServer) -> None:
    url = postgres.database_url
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE t AS SELECT 'committed' AS word")
    await connection.close()

    postgres.kill()
    await postgres.wait_ended()
    await restart(postgres)

    assert postgres.database_url == url
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT word FROM t") == "committed"
    await connection.close()


async def restart(postgres: PostgresServer) -> None:
    """Start again, as the supervisor does, until the processes of the killed server have let go of its memory."""
    for _ in range(20):
        await postgres.start()
        try:
            await postgres.wait_ready()
        except EmbeddedError:
            continue
        return


async def test_postgres_is_set_up_for_durability_and_large_batches(postgres: PostgresServer) -> None:
    connection = await asyncpg.connect(postgres.database_url)
    settings = {name: await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes", "TimeZone")}
    limits = {name: int(await connection.fetchval(f"SHOW {name}")) for name in ("max_locks_per_transaction", "max_connections")}
    collation = await connection.fetchrow(
        "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"
    )
    await connection.close()
    assert settings == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "TimeZone": "UTC"}
    assert limits == {"max_locks_per_transaction": 1024, "max_connections": 200}
    assert collation is not None
    assert tuple(collation) == (b"b", "C.UTF-8", "UTF8")


async def test_nobody_enters_postgres_without_the_password(postgres: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.database_url.replace("@", "x@"))
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.database_url, user="postgres")


async def test_postgres_keeps_to_itself(postgres: PostgresServer, closed_home: Path) -> None:
    assert postgres.pid is not None
    server = psutil.Process(postgres.pid)
    assert server.uids().effective != 0
    assert {connection.laddr.ip for connection in listening(postgres.pid)} == {"127.0.0.1"}
    assert (closed_home / "run" / "postgres.password").stat().st_mode & 0o777 == 0o600
    assert (closed_home / "postgres" / "data").stat().st_mode & 0o777 == 0o700
    assert closed_home.parent.stat().st_mode & 0o777 == 0o700


class Mesh:
    """A supervisor over stub services, in a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[str] | None = None
        self.messages = home.parent / "messages"

    def start(self) -> None:
        with self.messages.open("a") as messages:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.system.stub_mesh"],
                cwd=ROOT,
                env=os.environ | {"CAREMESH_HOME": str(self.home)},
                stdout=subprocess.PIPE,
                stderr=messages,
                text=True,
            )

    def wait_ready(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", self.messages.read_text()

    def process_ids(self) -> dict[str, int]:
        ids: dict[str, int] = json.loads((self.home / "mesh.json").read_text())["processes"]
        return ids

    def processes(self) -> dict[str, psutil.Process]:
        """Everything that the mesh started, by name; PostgreSQL's own children by number."""
        found = {name: psutil.Process(pid) for name, pid in self.process_ids().items()}
        children = found["postgres"].children(recursive=True)
        return found | {f"postgres-{number}": child for number, child in enumerate(children)}

    def end(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    mesh = Mesh(tmp_path / "home")
    mesh.start()
    mesh.wait_ready()
    yield mesh
    assert mesh.process is not None
    if mesh.process.poll() is None:
        mesh.end()


def survivors(processes: dict[str, psutil.Process], *, seconds: float = 10) -> list[psutil.Process]:
    alive: list[psutil.Process] = psutil.wait_procs([*processes.values()], timeout=seconds)[1]
    return alive


async def test_a_mesh_from_its_start_to_its_end(mesh: Mesh) -> None:
    # A client finds it by its home.
    endpoints = resolve(Settings(home=mesh.home))
    connection = await asyncpg.connect(endpoints.database_url.get_secret_value())
    await connection.close()
    assert "stub consumer started" in (mesh.home / "logs" / "stub-consumer.log").read_text()

    # Whatever dies comes back, and people are told what died, how, and where to read on.
    before = mesh.process_ids()
    killed = {name: before[name] for name in ("stub-consumer", "kafka", "postgres")}
    for process_id in killed.values():
        os.kill(process_id, signal.SIGKILL)
    await until(
        lambda: all(mesh.process_ids().get(name, old) != old for name, old in killed.items()),
        "others run in the place of the killed",
        seconds=20,
        step=0.02,
    )
    messages = mesh.messages.read_text()
    assert "stub-consumer was ended by SIGKILL" in messages
    assert str(mesh.home / "logs" / "stub-consumer.log") in messages

    # Its home has room for one.
    second = Mesh(mesh.home)
    second.messages = mesh.home.parent / "second"
    second.start()
    assert mesh.process is not None
    assert second.process is not None
    assert second.process.wait(20) != 0
    assert f"already running in {mesh.home} (process {mesh.process.pid})" in second.messages.read_text()

    everything = mesh.processes()
    assert mesh.end() == 0
    assert survivors(everything, seconds=1) == []
    assert not (mesh.home / "mesh.json").exists()


async def test_a_killed_supervisor_takes_everything_along_and_the_next_one_finds_the_data(mesh: Mesh) -> None:
    everything = mesh.processes()
    endpoints = resolve(Settings(home=mesh.home))
    url = endpoints.database_url.get_secret_value()
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE t (a int)")
    await connection.close()

    assert mesh.process is not None
    mesh.process.kill()
    mesh.process.wait()
    assert survivors(everything) == []

    # As if the system had not ended one of them with its supervisor.
    leftover = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    identity = Identity.of(leftover.pid)
    assert identity is not None
    record = {"pid": identity.pid, "started": identity.started, "signal": int(signal.SIGTERM)}
    (mesh.home / "run" / "stub-consumer.pid").write_text(json.dumps(record))

    mesh.start()
    mesh.wait_ready()
    assert leftover.wait(5) == -signal.SIGTERM
    assert "Ended what an earlier mesh had left behind: stub-consumer." in mesh.messages.read_text()
    # Ready means the new processes, not those that Kafka had not yet missed.
    again = resolve(Settings(home=mesh.home))
    async with ReadinessProbe(again) as probe:
        groups = await probe.groups(["telemed-stub-consumer", "telemed-stub-processor"])
    assert [(len(group.members), group.ready) for group in groups] == [(1, True), (1, True)]
    assert (again.kafka_bootstrap_servers, again.database_url) == (endpoints.kafka_bootstrap_servers, endpoints.database_url)
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT count(*) FROM t") == 0
    await connection.close()


def test_the_command_line_runs_the_whole_mesh_and_says_how_it_is(tmp_path: Path) -> None:
    caremesh = [sys.executable, "-m", "shared.cli.main"]
    environment = os.environ | {"CAREMESH_HOME": str(tmp_path)}
    messages = tmp_path / "messages"
    with messages.open("w") as errors:
        up = subprocess.Popen([*caremesh, "up"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert up.stdout is not None
    lines = [up.stdout.readline().split() for _ in range(3)]
    assert lines[0] == ["ready"], messages.read_text()

    asked = subprocess.run([*caremesh, "status", "--json"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    status = json.loads(asked.stdout)
    assert status["ready"]
    assert lines[1:] == [["kafka", status["kafka"]], ["database", status["database"]]]
    assert {process.name for process in MESH} == set(status["services"])
    for process in MESH:
        with urlopen(f"{status['services'][process.name]['health']}/readyz", timeout=10) as answer:
            assert json.load(answer) == {"group": process.group("telemed"), "ready": True, "problems": []}

    stopped = status["services"]["booking"]["pid"]
    os.kill(stopped, signal.SIGSTOP)
    asked = subprocess.run([*caremesh, "status", "--json"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    os.kill(stopped, signal.SIGCONT)
    assert asked.returncode == 1
    status = json.loads(asked.stdout)
    assert not status["services"]["booking"]["ready"]
    assert "does not answer" in status["services"]["booking"]["problems"]
    assert status["services"]["booking-processor"]["ready"]

    up.send_signal(signal.SIGINT)
    assert up.wait(30) == 0
    asked = subprocess.run([*caremesh, "status", "--json"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert asked.returncode == 1
    assert json.loads(asked.stdout)["ready"] is False
