"""A mesh of its own for each system test, on the session's Kafka and PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from shared.settings import Settings
from shared.topics import create_topics
from tests.system.harness.mesh import Mesh
from tests.system.harness.processes import Crew


@asynccontextmanager
async def own_mesh(settings: Settings, folder: Path) -> AsyncIterator[Mesh]:
    """A mesh on topics that nobody else uses; its processes are ended whatever happens."""
    settings = settings.model_copy(update={"topic_partitions": 4})
    await create_topics(settings)
    processes = folder / "processes"
    processes.mkdir()
    mesh = Mesh(settings=settings, crew=Crew(processes), environment={"CAREMESH_MAX_PENDING_PER_PATIENT": "1000"})
    try:
        yield mesh
    finally:
        await mesh.crew.end()
        await delete_topics(settings)


async def delete_topics(settings: Settings) -> None:
    """Every later start of Kafka would look at all their partitions, and stream processors ask about every topic there is."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([topic for topic in await admin.list_topics() if topic.startswith(f"{settings.topic_prefix}.")])
    finally:
        await admin.close()


@pytest.fixture
async def mesh(settings: Settings, tmp_path: Path) -> AsyncIterator[Mesh]:
    """Topics and a migrated database that no other test has seen; its processes are ended whatever happens."""
    async with own_mesh(settings, tmp_path) as mesh:
        yield mesh
