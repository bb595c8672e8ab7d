"""Kafka and the database tell different stories: a group ahead of its decisions, and a group that is wound back."""

import re

from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition

from tests.system.harness.commands import Message, book, slot
from tests.system.harness.load import Load
from tests.system.harness.mesh import Mesh
from tests.system.harness.waiting import until


async def wind_back(mesh: Mesh, offsets: dict[int, int]) -> None:
    """Commit these offsets for the group, which has no members: what kafka-consumer-groups.sh --reset-offsets does."""
    consumer = AIOKafkaConsumer(bootstrap_servers=mesh.bootstrap_servers, group_id=mesh.group, enable_auto_commit=False)
    consumer.assign([TopicPartition(mesh.commands, partition) for partition in offsets])
    await consumer.start()
    try:
        await consumer.commit({TopicPartition(mesh.commands, number): OffsetAndMetadata(offset, "") for number, offset in offsets.items()})
    finally:
        await consumer.stop()


async def test_a_group_ahead_of_its_database_refuses_to_start_and_says_how_to_wind_it_back(mesh: Mesh) -> None:
    worker = mesh.consumer()
    async with mesh.python_producer() as producer:
        await producer.publish([book("doctor", f"patient-{number}", slot(number), f"wish-{number}") for number in range(200)])
        await mesh.decided()
        assert await worker.terminate() == 0
        before = await mesh.read_events()
        await mesh.execute("TRUNCATE appointments, decisions, positions")
        # A backlog that waits must not be decided before the refusal, or the loss would be covered up.
        await producer.publish([book("doctor", f"later-{number}", slot(300 + number), f"later-{number}") for number in range(200)])

        refusing = mesh.consumer()
        assert await refusing.ended() == 78
        assert await mesh.query("SELECT count(*) FROM decisions") == [(0,)]
        sentence = refusing.log()
        command = re.search(r"kafka-consumer-groups\.sh .*--reset-offsets --to-offset (\d+) --topic (\S+):(\d+) --execute", sentence)
        assert command is not None, sentence
        assert command.group(2) == mesh.commands
        assert "restored backup" in sentence

        await wind_back(mesh, {int(command.group(3)): int(command.group(1))})
        mesh.consumer()
        await mesh.decided()

    events = await mesh.read_events()
    assert await mesh.query("SELECT count(*) FROM decisions") == [(400,)]
    # The same decisions: the ids are the same, and only the note of when the database decided differs.
    assert before.tally() == {"booked": 200}
    assert events.tally() == {"booked": 400}


async def test_a_worker_notices_that_its_database_lost_decisions_while_it_ran(mesh: Mesh) -> None:
    worker = mesh.consumer()
    async with mesh.python_producer() as producer:
        await producer.publish([book("doctor", f"patient-{number}", slot(number), f"wish-{number}") for number in range(100)])
        await mesh.decided()
        # As a failover does to a replica that lacked the last commits: connections break, rows are missing.
        await mesh.execute("TRUNCATE appointments, decisions; UPDATE positions SET next_offset = next_offset - 50")
        await mesh.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'caremesh-booking%'")
        await producer.publish([book("doctor", f"later-{number}", slot(300 + number), f"later-{number}") for number in range(20)])
        assert await worker.ended() == 78
    assert "it lost decisions" in worker.log()
    assert await mesh.query("SELECT count(*) FROM decisions") == [(0,)]


async def test_the_topic_replayed_from_offset_0_changes_nothing(mesh: Mesh) -> None:
    mesh.environment.update(CAREMESH_PENDING_EXPIRY_SECONDS="3", CAREMESH_EXPIRY_WARNING_SECONDS="1")
    worker = mesh.consumer()
    mesh.processor()
    load = Load(1)
    await mesh.assigned(1)
    async with mesh.python_producer() as producer:
        await producer.publish(load.chunk(400))
        await mesh.decided()
        await until(mesh.nothing_is_pending, "what nobody answers has expired")
        await mesh.end_sweeps()
        commands = await mesh.read("booking.commands.v1")
        sweeps_command, *_ = [record for record in commands if dict(record.headers).get("ce_id", b"").startswith(b"expire:")]
        await producer.publish([Message(sweeps_command.key, sweeps_command.value, sweeps_command.headers)])
        await mesh.decided()
        assert await worker.terminate() == 0
        before, events, letters = await mesh.rows(), await mesh.read_events(), await mesh.read("booking.commands.v1.dlq")

        await wind_back(mesh, dict.fromkeys(range(mesh.settings.topic_partitions), 0))
        mesh.consumer()
        await mesh.decided()

        assert await mesh.rows() == before
        again = await mesh.read_events()
        assert again.by_id.keys() == events.by_id.keys()
        assert again.differing() == []
        # Each is published once more for each of its records; of a sweep's command only for the record that decided it.
        expired = again.outcome(sweeps_command.header("ce_id"))
        assert (expired["decision"]["partition"], expired["decision"]["offset"]) == (sweeps_command.partition, sweeps_command.offset)
        assert (len(events.by_id[expired["id"]]), len(again.by_id[expired["id"]])) == (1, 2)
        assert {identifier: 2 * len(copies) for identifier, copies in events.by_id.items()} == {
            identifier: len(copies) for identifier, copies in again.by_id.items()
        }
        letters_again = await mesh.read("booking.commands.v1.dlq")
        assert {letter.content for letter in letters_again} == {letter.content for letter in letters}
        assert len({letter.header("caremesh_dead_letter_id") for letter in letters_again}) == load.bad_records
        await mesh.is_clean(producer.acknowledged)
