"""A mesh of its own for each system test, on one Kafka and one PostgreSQL for all of them."""

import itertools
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from services.booking import __main__ as booking_entry
from shared.embedded.kafka import KafkaServer
from shared.embedded.postgres import PostgresServer
from shared.migrations import migrate
from shared.settings import Settings
from shared.topics import create_topics
from tests.system.harness.mesh import Mesh
from tests.system.harness.processes import Crew

_MIGRATIONS = Path(booking_entry.__file__).parent / "migrations"
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KafkaServer]:
    server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    await server.start()
    try:
        await server.wait_ready()
        yield server
    finally:
        await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    await server.start()
    try:
        await server.wait_ready()
        yield server
    finally:
        await server.stop()


@pytest.fixture
async def mesh(shared_kafka: KafkaServer, shared_postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[Mesh]:
    """Topics and a migrated database that no other test has seen; its processes are ended whatever happens."""
    name = f"system_{next(_numbers)}_{secrets.token_hex(3)}"
    connection = await asyncpg.connect(shared_postgres.database_url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    settings = Settings.model_validate(
        {
            "kafka_bootstrap_servers": shared_kafka.bootstrap_servers,
            "database_url": f"{shared_postgres.database_url.rpartition('/')[0]}/{name}",
            "topic_prefix": name,
            "topic_partitions": 4,
        },
    )
    await migrate(settings, "booking", _MIGRATIONS)
    await create_topics(settings)
    folder = tmp_path / "processes"
    folder.mkdir()
    mesh = Mesh(settings=settings, crew=Crew(folder), environment={"CAREMESH_MAX_PENDING_PER_PATIENT": "1000"})
    try:
        yield mesh
    finally:
        await mesh.crew.end()
        if os.environ.get("CAREMESH_TEST_LOGS"):
            print(mesh.crew.logs())
