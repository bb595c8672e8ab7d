"""One mesh of a test: its topics, its database, its processes, and what can be asked of them."""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.auditor import CannotLookError, Report, Rules, audit
from shared.settings import Settings
from tests.system.harness.processes import Crew, Process
from tests.system.harness.producers import Acknowledged, NativeProducer, PythonProducer
from tests.system.harness.published import published_as_declared
from tests.system.harness.reading import Events, Lying, read_all
from tests.system.harness.waiting import until
from tests.system.harness.warm import answer

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """One service, on a topic prefix and a database of the test's own."""

    settings: Settings
    crew: Crew
    environment: dict[str, str] = field(default_factory=dict)
    service: str = "booking"

    def of(self, service: str) -> "Mesh":
        """Another service on the same topics and the same database."""
        return replace(self, service=service)

    def with_partitions(self, count: int) -> "Mesh":
        """The same, once its topics have so many partitions."""
        return replace(self, settings=self.settings.model_copy(update={"topic_partitions": count}))

    @property
    def bootstrap_servers(self) -> str:
        return self.settings.kafka_bootstrap_servers

    @property
    def commands(self) -> str:
        return f"{self.settings.topic_prefix}.{self.service}.commands.v1"

    @property
    def events_topic(self) -> str:
        return f"{self.settings.topic_prefix}.{self.service}.events.v1"

    @property
    def group(self) -> str:
        return f"{self.settings.topic_prefix}-{self.service}"

    # Processes

    def consumer(self, *faults: str, **environment: str) -> Process:
        """Start a consumer: the real one, or one with these faults of the tests' launcher."""
        return self._start("consumer", faults, environment)

    def processor(self, *faults: str, **environment: str) -> Process:
        """Start a processor."""
        return self._start("processor", faults, environment)

    async def caremesh(self, *arguments: str) -> str:
        """What the command line answers; fail when it exits with anything but 0."""
        code, output, complaints = await answer("shared.cli.main", *arguments, environment=self._environment())
        assert code == 0, complaints
        return output

    def _start(self, role: str, faults: Sequence[str], more: dict[str, str]) -> Process:
        entry = ["tests.system.worker", self.service] if faults else [f"services.{self.service}"]
        return self.crew.start(f"{self.service}-{role}", ["-m", *entry, role, *faults], self._environment() | more)

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CAREMESH_")}
        settings = {
            "CAREMESH_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "CAREMESH_DATABASE_URL": self.settings.database_url.get_secret_value(),
            "CAREMESH_TOPIC_PREFIX": self.settings.topic_prefix,
            "CAREMESH_TOPIC_PARTITIONS": str(self.settings.topic_partitions),
        }
        return inherited | settings | self.environment | {"PYTHONPATH": str(ROOT)}

    # Kafka

    def python_producer(self, *, metadata_max_age_seconds: float = 300) -> PythonProducer:
        return PythonProducer(self.bootstrap_servers, self.commands, metadata_max_age_seconds=metadata_max_age_seconds)

    def native_producer(self, *, compression: str = "none", metadata_max_age_seconds: float = 300) -> NativeProducer:
        return NativeProducer(
            self.bootstrap_servers, self.commands, compression=compression, metadata_max_age_seconds=metadata_max_age_seconds
        )

    def batch_producer(self, topic: str | None = None) -> PythonProducer:
        """One that publishes batches built by hand."""
        return PythonProducer(self.bootstrap_servers, topic or self.commands, idempotent=False)

    async def ends(self, topic: str | None = None) -> dict[int, int]:
        """Partition → the offset at its end."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap_servers, group_id=None)
        await consumer.start()
        try:
            places = [TopicPartition(topic or self.commands, number) for number in range(self.settings.topic_partitions)]
            return {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}
        finally:
            await consumer.stop()

    async def committed(self, group: str | None = None, topic: str | None = None) -> dict[int, int]:
        """Partition → what a group has committed of it."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(group or self.group)
            return {place.partition: entry.offset for place, entry in offsets.items() if place.topic == (topic or self.commands)}
        finally:
            await admin.close()

    async def has_committed(self, ends: dict[int, int], group: str | None = None, topic: str | None = None) -> bool:
        try:
            committed = await self.committed(group, topic)
        except KafkaError:
            # Right after its start a broker has no coordinator yet.
            return False
        return all(committed.get(partition, 0) >= end for partition, end in ends.items())

    async def decided(self, seconds: float = 60) -> float:
        """Return once the group has committed all that lies in the commands topic now."""
        ends = await self.ends()
        try:
            return await self._until(lambda: self.has_committed(ends), "all commands are committed", seconds)
        except AssertionError as error:
            decided = await self.query("SELECT partition, next_offset FROM positions WHERE topic = $1", self.commands)
            message = f"{error}\nends: {ends}, committed: {await self.committed()}, decided: {dict(decided)}"
            raise AssertionError(message) from None

    async def noticed(self, seconds: float = 60) -> float:
        """Return once the processors have committed all that lies in the events topic now."""
        ends = await self.ends(self.events_topic)
        group = f"{self.group}-processor"
        return await self._until(lambda: self.has_committed(ends, group, self.events_topic), "all events are noticed", seconds)

    async def nothing_is_pending(self) -> bool:
        return await self.query("SELECT 1 FROM appointments WHERE status = 'pending'") == []

    async def end_sweeps(self) -> None:
        """Return once all is decided, all is noticed, and no processor runs.

        A sweep may publish, late, a command for what it had found before somebody else closed it.
        """
        await self.decided()
        await self.noticed()
        for process in self.crew.all:
            if process.runs and process.name.endswith(f"-{self.service}-processor"):
                assert await process.terminate() == 0, self.crew.logs()
        await self.decided()

    async def assigned(self, members: int = 1, group: str | None = None, seconds: float = 30) -> None:
        """Return once the group is stable with so many members."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        await admin.start()

        async def is_stable() -> bool:
            try:
                responses = await admin.describe_consumer_groups([group or self.group])
            except KafkaError:
                return False
            described = responses[0].groups[0]
            return described[2] == "Stable" and len(described[5]) == members

        try:
            await self._until(is_stable, f"the group has {members} members", seconds)
        finally:
            await admin.close()

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str, seconds: float) -> float:
        """As `until`; a failure shows what the processes have to say."""
        try:
            return await until(condition, what, seconds=seconds, step=0.1)
        except AssertionError as error:
            message = f"{error}\n{self.crew.logs()}"
            raise AssertionError(message) from None

    async def read_events(self) -> Events:
        return Events(await read_all(self.bootstrap_servers, self.events_topic))

    async def read(self, name: str) -> list[Lying]:
        """Every record of one of the mesh's topics, named without the prefix."""
        return await read_all(self.bootstrap_servers, f"{self.settings.topic_prefix}.{name}")

    async def audit(self, acknowledged: Collection[Acknowledged] = (), *, alone: bool = False) -> Report:
        """The auditor's verdict on what lies in the topics now: of all services, or of this one alone."""
        options = {"bootstrap_servers": self.bootstrap_servers}
        try:
            return await audit(
                options,
                self.settings.topic_prefix,
                services=[self.service] if alone else None,
                rules=self._rules(),
                acknowledged=acknowledged,
            )
        except CannotLookError as error:
            sys.stderr.write(self.crew.logs())
            raise AssertionError(str(error)) from error

    def _rules(self) -> Rules:
        """The settings of the mesh's processes."""
        own: dict[str, Any] = {name.removeprefix("CAREMESH_").lower(): value for name, value in self.environment.items()}
        if "rates" in own:
            own["rates"] = json.loads(own["rates"])
        return Rules.of(Settings(**own))

    async def is_clean(self, acknowledged: Collection[Acknowledged] = (), *, alone: bool = False) -> Report:
        """Fail unless the auditor finds nothing, every command is decided, and what is published is what the contract says.

        Alone where a test plays another service, and leaves out what does not matter to it.
        """
        report = await self.audit(acknowledged, alone=alone)
        assert report.passed, "\n".join(
            [str(dict(report.totals)), *(violation.sentence for violation in report.violations[:10]), self.crew.logs()]
        )
        assert report.counts[self.service].in_flight_commands == 0
        assert report.acknowledged == len(set(acknowledged))
        await published_as_declared(self.settings)
        return report

    # The database

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(self.settings.database_url.get_secret_value(), server_settings={"search_path": self.service})

    async def query(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Rows, as plain tuples."""
        connection = await self.connect()
        try:
            return [tuple(row) for row in await connection.fetch(sql, *arguments)]
        finally:
            await connection.close()

    async def execute(self, sql: str) -> None:
        connection = await self.connect()
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every table, whole."""
        tables = {
            "appointments": "appointment_id",
            "time_off": "time_off_id",
            "decisions": "source, id",
            "positions": "consumer_group, topic, partition",
        }
        return {table: await self.query(f"SELECT * FROM {table} ORDER BY {order}") for table, order in tables.items()}
