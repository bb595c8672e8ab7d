"""Partitions are added while workers and producers run: whoever holds a doctor before and after the change, locks keep them apart."""

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from tests.system.harness.mesh import Mesh
from tests.system.harness.pouring import pouring
from tests.system.harness.progress import progress
from tests.system.harness.verdict import nothing_lost_nothing_twice
from tests.system.harness.waiting import until

#: Clients ask for the partitions so often; by default every few minutes.
SOON = "metadata_age=1"


async def test_partitions_added_under_load_lose_nothing_and_book_nothing_twice(mesh: Mesh) -> None:
    before, after = mesh.settings.topic_partitions, mesh.settings.topic_partitions + 2
    workers = [mesh.consumer(SOON), mesh.consumer(SOON)]
    await mesh.assigned(2)
    grown = mesh.with_partitions(after)
    async with pouring(mesh, metadata_max_age_seconds=1) as pour:
        await progress(mesh, pour)
        await add_partitions(mesh, after)

        async def new_ones_are_decided() -> bool:
            committed = await grown.committed()
            return all(committed.get(partition, 0) > 0 for partition in range(before, after))

        # Not all of them learn of it at once: for a while some write and read as before.
        await until(new_ones_are_decided, "the new partitions are written to and decided", seconds=60, step=0.2)
        await workers.pop().kill()
        workers.append(mesh.consumer(SOON))
        await progress(grown, pour)
    report = await nothing_lost_nothing_twice(grown, pour)
    assert report.counts["booking"].misrouted_commands < len(pour.acknowledged)
    events = await grown.read_events()
    moved = {value["doctor_id"] for value in events.values if value.get("doctor_id") and value["decision"]["partition"] >= before}
    both = {value["doctor_id"] for value in events.values if value.get("doctor_id") in moved and value["decision"]["partition"] < before}
    assert both, "some doctors have commands on both sides of the change"


async def add_partitions(mesh: Mesh, count: int) -> None:
    """As an operator does, to all topics of the mesh."""
    admin = AIOKafkaAdminClient(bootstrap_servers=mesh.bootstrap_servers)
    await admin.start()
    try:
        topics = [topic for topic in await admin.list_topics() if topic.startswith(f"{mesh.settings.topic_prefix}.")]
        await admin.create_partitions({topic: NewPartitions(count) for topic in topics})
    finally:
        await admin.close()
