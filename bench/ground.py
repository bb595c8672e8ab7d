"""The ground of the benchmark: one Kafka and one PostgreSQL, and for each measurement fresh topics and a fresh database."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from bench.processes import ROOT
from shared.embedded.kafka import KafkaServer
from shared.embedded.postgres import PostgresServer
from shared.embedded.readiness import ReadinessProbe
from shared.kafka_client import client_options
from shared.migrations import migrate
from shared.settings import Settings
from shared.topics import TOPICS, commands_topic, create_topics, events_topic

#: No patient of the load has as many open requests: it books only, and the rule counts all the same.
MAX_PENDING_PER_PATIENT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Stage:
    """Where one measurement takes place."""

    name: str
    settings: Settings
    folder: Path
    service: str = "booking"

    @property
    def database_url(self) -> str:
        """Where its database is."""
        return self.settings.database_url.get_secret_value()

    @property
    def database(self) -> str:
        """Its database's name."""
        return self.database_url.rpartition("/")[2]

    @property
    def commands_topic(self) -> str:
        """Where the service's commands go."""
        return commands_topic(self.settings.topic_prefix, self.service)

    @property
    def events_topic(self) -> str:
        """Where its outcomes come from."""
        return events_topic(self.settings.topic_prefix, self.service)

    @property
    def consumer_group(self) -> str:
        """The group of its workers."""
        return f"{self.settings.topic_prefix}-{self.service}"

    def environment(self) -> dict[str, str]:
        """What a process of the mesh needs to work here."""
        settings = self.settings
        return {
            "CAREMESH_HOME": str(self.folder),
            "CAREMESH_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "CAREMESH_DATABASE_URL": self.database_url,
            "CAREMESH_TOPIC_PREFIX": settings.topic_prefix,
            "CAREMESH_MAX_PENDING_PER_PATIENT": str(settings.max_pending_per_patient),
            "CAREMESH_PENDING_EXPIRY_SECONDS": str(settings.pending_expiry_seconds),
            "CAREMESH_EXPIRY_WARNING_SECONDS": str(settings.expiry_warning_seconds),
            "CAREMESH_CALL_CONNECT_TIMEOUT_SECONDS": str(settings.call_connect_timeout_seconds),
        }

    async def settle(self) -> None:
        """Let PostgreSQL and the system do now what they do by themselves within a minute or two, so that each measurement begins alike.

        PostgreSQL looks at the tables, so that no plan is made for empty ones; what the preparation left in memory is written out.
        """
        await _execute(self.database_url, "ANALYZE")
        await _write_out(self.database_url)

    async def decided(self) -> int:
        """How many records the service has decided, over all topics that it reads."""
        connection = await asyncpg.connect(self.database_url)
        try:
            total: int = await connection.fetchval(f"SELECT coalesce(sum(next_offset), 0)::bigint FROM {self.service}.positions")  # noqa: S608
        finally:
            await connection.close()
        return total

    async def count(self, table: str) -> int:
        """How many rows a table of booking has."""
        connection = await asyncpg.connect(self.database_url)
        try:
            count: int = await connection.fetchval(f"SELECT count(*) FROM booking.{table}")  # noqa: S608 - our own tables
        finally:
            await connection.close()
        return count


class Ground:
    """The two servers."""

    def __init__(self, home: Path) -> None:
        """Describe them.

        Args:
            home: an empty folder, for all that the benchmark leaves behind.
        """
        self.home = home
        self._kafka = KafkaServer(home)
        self._postgres = PostgresServer(home)
        self._numbers = itertools.count(1)

    async def start(self) -> None:
        """Start them, and return once both answer."""
        await self._kafka.start()
        await self._postgres.start()
        await self._kafka.wait_ready()
        await self._postgres.wait_ready()

    async def stop(self) -> None:
        """End them."""
        await self._kafka.stop()
        await self._postgres.stop()

    @asynccontextmanager
    async def stage(
        self,
        name: str,
        *,
        service: str = "booking",
        template: str | None = None,
        pending_expiry_seconds: float = 86_400,
        expiry_warning_seconds: float = 7_200,
        call_connect_timeout_seconds: float = 90,
    ) -> AsyncIterator[Stage]:
        """Fresh topics and a fresh database; both are removed at the end.

        Args:
            name: for people.
            service: whose topics and workers are meant.
            template: the name of the database to begin with a copy of; ``None``: empty tables.
            pending_expiry_seconds: a setting of the mesh.
            expiry_warning_seconds: a setting of the mesh.
            call_connect_timeout_seconds: a setting of the mesh.
        """
        number = next(self._numbers)
        database = f"bench{number:03}"
        await _execute(
            self._postgres.database_url, f"CREATE DATABASE {database}" + (f" TEMPLATE {template} STRATEGY file_copy" if template else "")
        )
        base = self._postgres.database_url.rpartition("/")[0]
        settings = Settings(
            home=self.home,
            kafka_bootstrap_servers=self._kafka.bootstrap_servers,
            database_url=SecretStr(f"{base}/{database}"),
            topic_prefix=f"bench{number:03}",
            max_pending_per_patient=MAX_PENDING_PER_PATIENT,
            pending_expiry_seconds=pending_expiry_seconds,
            expiry_warning_seconds=expiry_warning_seconds,
            call_connect_timeout_seconds=call_connect_timeout_seconds,
        )
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_execute, self._postgres.database_url, f"DROP DATABASE {database} WITH (FORCE)")
            for migrations in sorted((ROOT / "services").glob("*/migrations")):
                await migrate(settings, migrations.parent.name, migrations)
            # The broker's clock also stamps the outcomes: the one clock that all figures are read from.
            names = await create_topics(settings, [replace(topic, log_append_time=True) for topic in TOPICS])
            stack.push_async_callback(_delete_topics, settings, names)
            async with ReadinessProbe(settings) as probe:
                await probe.wait_coordinators([f"{settings.topic_prefix}-{service}"])
            await _write_out(self._postgres.database_url)
            yield Stage(name, settings, self.home / "stages" / f"{number:03}", service)


async def _execute(database_url: str, statement: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _write_out(database_url: str) -> None:
    """Write to the disk what lies in memory, of Kafka's log too.

    Else the disk would be busy with that in the middle of a measurement, which waits for it at each commit.
    """
    await _execute(database_url, "CHECKPOINT")
    await asyncio.to_thread(os.sync)


async def _delete_topics(settings: Settings, names: list[str]) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        await admin.delete_topics(names)
    finally:
        await admin.close()


def changed_settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The settings of the mesh that the environment changes; a figure is worth nothing without them."""
    neutral = {"CAREMESH_HOME", "CAREMESH_CACHE", "CAREMESH_JAVA_HOME"}
    return {name: value for name, value in sorted(environment.items()) if name.startswith("CAREMESH_") and name not in neutral}
