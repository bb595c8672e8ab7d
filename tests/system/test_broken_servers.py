"""Kafka and PostgreSQL killed under load, and started again: the workers retry in place."""

from shared.embedded.kafka import KafkaServer
from shared.embedded.postgres import PostgresServer
from tests.system.harness.mesh import Mesh
from tests.system.harness.pouring import pouring
from tests.system.harness.progress import progress
from tests.system.harness.verdict import nothing_lost_nothing_twice
from tests.system.harness.waiting import SOAK


async def test_nothing_is_lost_when_kafka_is_killed_and_started_again_under_load(mesh: Mesh, kafka: KafkaServer) -> None:
    workers = [mesh.consumer(), mesh.consumer()]
    await mesh.assigned(2)
    async with pouring(mesh) as pour:
        for _ in range(SOAK):
            await progress(mesh, pour)
            kafka.kill()
            await kafka.wait_ended()
            await kafka.start()
            await kafka.wait_ready()
            await progress(mesh, pour)
    await nothing_lost_nothing_twice(mesh, pour)
    assert all(worker.runs for worker in workers), "they ride it out in place"


async def test_nothing_is_lost_when_postgresql_is_killed_and_started_again_under_load(mesh: Mesh, postgres: PostgresServer) -> None:
    workers = [mesh.consumer(), mesh.consumer(), mesh.processor()]
    await mesh.assigned(2)
    async with pouring(mesh) as pour:
        for _ in range(SOAK):
            await progress(mesh, pour)
            postgres.kill()
            await postgres.wait_ended()
            await postgres.start()
            await postgres.wait_ready()
            await progress(mesh, pour)
    await nothing_lost_nothing_twice(mesh, pour)
    await mesh.noticed()
    await mesh.is_clean(pour.acknowledged)
    assert all(worker.runs for worker in workers), "they ride it out in place"
