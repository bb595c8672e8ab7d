"""/healthz and /readyz tell the truth: of processes that hang, wait, fail, or have nothing to do because others have it all."""

import asyncio
from dataclasses import replace

from shared.embedded.kafka import KafkaServer
from shared.embedded.postgres import PostgresServer
from shared.health import STUCK_SECONDS
from shared.topics import create_topics
from tests.system.harness.commands import book, slot
from tests.system.harness.mesh import Mesh
from tests.system.harness.probing import ask, is_ready, port_of, says
from tests.system.harness.processes import Process
from tests.system.harness.waiting import until


async def is_healthy_and_not_ready(process: Process, problem: str, seconds: float = 30) -> None:
    await says(process, "readyz", 503, problem, seconds)
    assert (await ask(process, "healthz")).status == 200


async def test_a_stopped_process_is_neither_healthy_nor_ready_until_it_goes_on(mesh: Mesh) -> None:
    processes = [mesh.consumer(), mesh.processor()]
    for process in processes:
        await is_ready(process)
        assert (await ask(process, "healthz")).status == 200

    for process in processes:
        process.stop()
    answers = await asyncio.gather(*(ask(process, page) for process in processes for page in ("healthz", "readyz")))
    assert {answer.status for answer in answers} == {None}, "nobody is there to answer"

    for process in processes:
        process.go_on()
        await is_ready(process)


async def test_a_process_whose_event_loop_hangs_is_neither_healthy_nor_ready_and_says_so(mesh: Mesh) -> None:
    well, consumer, processor = mesh.consumer(), mesh.consumer("hang_at_batch=1"), mesh.processor("hang_at_batch=1")
    await mesh.assigned(2)
    for process in (well, consumer, processor):
        await is_ready(process)
    async with mesh.python_producer() as producer:
        await producer.publish([book(f"doctor-{n}", "patient", slot(n), f"wish-{n}").on(n) for n in range(mesh.settings.topic_partitions)])

    for process in (consumer, processor):
        await says(process, "healthz", 503, "event loop has not turned")
        await says(process, "readyz", 503, "event loop has not turned")
    await is_ready(well)


async def test_a_member_without_a_partition_is_healthy_and_not_ready_until_it_gets_one(mesh: Mesh) -> None:
    single = mesh.settings.model_copy(update={"topic_prefix": f"{mesh.settings.topic_prefix}-single", "topic_partitions": 1})
    await create_topics(single)
    mesh = replace(mesh, settings=single)
    one, two = mesh.consumer("session_timeout=3"), mesh.consumer("session_timeout=3")
    await mesh.assigned(2)

    async def ready() -> list[Process]:
        return [process for process in (one, two) if (await ask(process, "readyz")).status == 200]

    async def one_is_ready() -> bool:
        return len(await ready()) == 1

    await until(one_is_ready, "the one with the partition is ready")
    (with_partition,) = await ready()
    without = two if with_partition is one else one
    await is_healthy_and_not_ready(without, "It has no partitions")

    await with_partition.kill()
    await is_ready(without)


async def test_a_process_that_waits_for_postgresql_is_healthy_and_not_ready(mesh: Mesh, postgres: PostgresServer) -> None:
    running = [mesh.consumer(), mesh.processor()]
    for process in running:
        await is_ready(process)
    postgres.kill()
    await postgres.wait_ended()
    try:
        starting = [mesh.consumer(), mesh.processor()]
        for process in (*running, *starting):
            await is_healthy_and_not_ready(process, "The database cannot be")
    finally:
        await postgres.start()
        await postgres.wait_ready()
    for process in (*running, *starting):
        await is_ready(process)


async def test_a_process_that_waits_for_kafka_is_healthy_and_not_ready(mesh: Mesh, kafka: KafkaServer) -> None:
    consumer, processor = mesh.consumer(), mesh.processor()
    for process in (consumer, processor):
        await is_ready(process)
    kafka.kill()
    await kafka.wait_ended()
    try:
        starting = [mesh.consumer(), mesh.processor()]
        for process in (consumer, processor, *starting):
            await is_healthy_and_not_ready(process, "Kafka")
    finally:
        await kafka.start()
        await kafka.wait_ready()
    # During an outage a Faust worker may end by itself; its supervisor starts it again.
    for process in (consumer, *starting, *([processor] if processor.runs else [])):
        await is_ready(process, seconds=60)


async def test_a_consumer_whose_batch_fails_for_long_is_healthy_and_not_ready_until_it_passes(mesh: Mesh) -> None:
    process = mesh.consumer()
    await is_ready(process)
    connection = await mesh.connect()
    try:
        holding = connection.transaction()
        await holding.start()
        # Somebody's careless maintenance: every statement about appointments waits, and fails when its time is up.
        await connection.execute("LOCK TABLE appointments IN ACCESS EXCLUSIVE MODE")
        async with mesh.python_producer() as producer:
            await producer.publish([book("doctor", "patient", slot(1), "wish")])
        assert (await ask(process, "readyz")).status == 200, "it has begun only just now"
        await is_healthy_and_not_ready(process, "A batch has been in hand for", seconds=STUCK_SECONDS + 5)
        await holding.rollback()
    finally:
        await connection.close()
    await is_ready(process)
    await mesh.decided()


async def test_several_workers_of_one_machine_do_not_die_of_a_port_that_is_taken(mesh: Mesh) -> None:
    first = mesh.consumer()
    port = await port_of(first)
    second = mesh.consumer(CAREMESH_HEALTH_PORT=str(port))
    assert await port_of(second) != port
    assert "CAREMESH_HEALTH_PORT is taken" in second.log()
    await mesh.assigned(2)
    await is_ready(first)
    await is_ready(second)
