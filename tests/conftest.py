"""What tests share: a real PostgreSQL and a real Kafka for the whole session, and a database of its own for each test."""

import asyncio
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
import pytest
import structlog
from pydantic import SecretStr
from rich.console import Console

from shared.embedded.kafka import KafkaServer
from shared.embedded.kafka_setup import prepare_kafka
from shared.embedded.postgres import PostgresServer
from shared.migrations import migrate
from shared.settings import Settings

REPOSITORY: Final = Path(__file__).resolve().parent.parent
#: Of every service that has a schema.
MIGRATIONS: Final = sorted((REPOSITORY / "services").glob("*/migrations"))

#: Where downloads and Java are is the machine's business; all else that tests depend on they say themselves.
_KEPT: Final = {"CAREMESH_CACHE", "CAREMESH_JAVA_HOME", "CAREMESH_KAFKA_HEAP_MIB"}
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: what is short then fills the processes evenly to the end."""
    items.sort(key=lambda item: item.path.relative_to(REPOSITORY).parts[1] != "system")


@pytest.fixture(scope="session", autouse=True)
def _settings_of_the_shell_mean_nothing() -> None:
    for name in [name for name in os.environ if name.startswith("CAREMESH_") and name not in _KEPT]:
        del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def _interrupts_reach_whom_they_are_sent_to() -> None:
    # A run in the background begins with SIGINT ignored, and what it starts would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    # Tracebacks in colour take longer than what they are about.
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer(key_order=["event"])])


@pytest.fixture(scope="session")
def servers_home() -> Iterator[Path]:
    """A folder for the servers of the session."""
    home = Path(tempfile.mkdtemp(prefix="caremesh-tests-"))
    # PostgreSQL runs as another user when root runs the tests, and has to pass.
    home.chmod(0o711)
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(servers_home: Path) -> Iterator[PostgresServer]:
    """A running PostgreSQL; its first database is migrated, and the template of every test's own: let nobody connect to it."""
    server = PostgresServer(servers_home / "postgres-server")
    (servers_home / "postgres-server").mkdir(mode=0o711)

    async def start() -> None:
        await server.start()
        await server.wait_ready()
        for folder in MIGRATIONS:
            await migrate(Settings(database_url=SecretStr(server.database_url)), folder.parent.name, folder)

    # Each in an event loop of its own: a test's loop lasts no longer than the test.
    asyncio.run(start())
    yield server
    asyncio.run(server.stop())


@pytest.fixture(scope="session")
def kafka(servers_home: Path) -> Iterator[KafkaServer]:
    """A running Kafka."""
    prepare_kafka(Console(stderr=True))
    server = KafkaServer(servers_home / "kafka-server")

    async def start() -> None:
        await server.start()
        await server.wait_ready()

    asyncio.run(start())
    yield server
    asyncio.run(server.stop())


@asynccontextmanager
async def own_database(postgres: PostgresServer) -> AsyncIterator[str]:
    """A migrated database that nobody else uses."""
    name = f"test_{next(_numbers)}"
    server, _, template = postgres.database_url.rpartition("/")
    await _execute(f"{server}/postgres", f"CREATE DATABASE {name} TEMPLATE {template}")
    yield f"{server}/{name}"
    await _execute(f"{server}/postgres", f"DROP DATABASE {name} WITH (FORCE)")


def own_settings(database_url: str, home: Path) -> Settings:
    """Settings with a topic prefix that nobody else uses, and no Kafka."""
    return Settings(home=home, database_url=SecretStr(database_url), topic_prefix=f"test{os.getpid()}-{next(_numbers)}")


@pytest.fixture
async def database_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    async with own_database(postgres) as url:
        yield url


@pytest.fixture
def database_settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings with a database of the test's own, and no Kafka."""
    return own_settings(database_url, tmp_path)


@pytest.fixture
def settings(database_settings: Settings, kafka: KafkaServer) -> Settings:
    """Settings with a database and a topic prefix of the test's own; its topics are still to be created."""
    return database_settings.model_copy(update={"kafka_bootstrap_servers": kafka.bootstrap_servers})


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
