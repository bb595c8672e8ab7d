"""/metrics of real processes: what they did is what they say."""

from aiokafka import AIOKafkaProducer

from shared.topics import partition_of
from tests.system.harness.commands import book, slot
from tests.system.harness.mesh import Mesh
from tests.system.harness.poison import unreadable
from tests.system.harness.probing import is_ready, scrape
from tests.system.harness.waiting import until


async def test_a_consumer_counts_what_it_decides_sets_aside_and_finds_misrouted(mesh: Mesh) -> None:
    consumer = mesh.consumer()
    await is_ready(consumer)
    idle = await scrape(consumer)
    assert idle.total("caremesh_misrouted_records_total") == 0
    assert set(idle.series("caremesh_consumer_lag_records", "partition").values()) == {0.0}
    assert len(idle.series("caremesh_consumer_lag_records", "partition")) == mesh.settings.topic_partitions

    partitions = mesh.settings.topic_partitions
    elsewhere = (partition_of(b"doctor-0", partitions) + 1) % partitions
    async with mesh.python_producer() as producer:
        await producer.publish([book("doctor-0", f"patient-{n}", slot(n), f"wish-{n}") for n in range(10)])
        await producer.publish([book("doctor-0", f"patient-{n}", slot(n), f"late-{n}") for n in range(10, 13) for _ in range(2)])
        await producer.publish([book("doctor-0", "patient-50", slot(0), "taken"), unreadable(1)["not_json"], unreadable(2)["no_key"]])
        await mesh.decided()
        await producer.publish([book("doctor-0", "patient-60", slot(60), "misrouted").on(elsewhere)])
        await mesh.decided()

    seen = await scrape(consumer)
    outcome = "booking.appointment.{}.v1".format
    assert seen.series("caremesh_decisions_total", "service", "outcome", "reason") == {
        ("booking", outcome("booked"), ""): 14,
        ("booking", outcome("rejected"), "slot_already_booked"): 1,
    }
    assert seen.total("caremesh_copies_total", service="booking") == 3
    dead = seen.series("caremesh_dead_letters_total", "topic", "reason")
    assert {place: count for place, count in dead.items() if count} == {(mesh.commands, "not_json"): 1, (mesh.commands, "no_key"): 1}
    assert dead[mesh.commands, "handler_failed"] == 0, "shown before there is one: an alert sees the first"
    assert seen.series("caremesh_misrouted_records_total", "group", "topic") == {(mesh.group, mesh.commands): 1}
    for latency in ("decided", "published"):
        name = f"caremesh_{latency}_latency_seconds"
        assert seen.total(f"{name}_count", service="booking") == 15
        assert 0 < seen.total(f"{name}_sum") < 15 * 10
    assert seen.total("caremesh_batch_records_sum") == 18
    assert seen.total("caremesh_retries_total") == 0
    assert seen.total("caremesh_ready", group=mesh.group) == 1
    assert seen.total("process_resident_memory_bytes") > 0


async def test_the_lag_is_what_is_not_decided_and_the_retries_say_that_it_fails(mesh: Mesh) -> None:
    consumer = mesh.consumer()
    await is_ready(consumer)
    connection = await mesh.connect()
    try:
        holding = connection.transaction()
        await holding.start()
        await connection.execute("LOCK TABLE decisions IN ACCESS EXCLUSIVE MODE")
        # The statement that waits for the lock is ended as a careful operator would; the batch is tried again, and waits again.
        async with mesh.python_producer() as producer:
            await producer.publish([book(f"doctor-{n}", f"patient-{n}", slot(n), f"wish-{n}") for n in range(40)])

        async def is_retried() -> bool:
            waiting = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            await connection.execute(waiting)
            return (await scrape(consumer)).total("caremesh_retries_total", action="decide") >= 2

        await until(is_retried, "the batch was tried again", step=0.2)
        assert (await scrape(consumer)).total("caremesh_consumer_lag_records", group=mesh.group, topic=mesh.commands) == 40
        await holding.rollback()
    finally:
        await connection.close()
    await mesh.decided()

    async def is_done() -> bool:
        return (await scrape(consumer)).total("caremesh_consumer_lag_records") == 0

    await until(is_done, "the lag is gone")


async def test_a_processor_counts_its_requests_and_how_late_its_sweeps_are(mesh: Mesh) -> None:
    mesh.environment.update(CAREMESH_PENDING_EXPIRY_SECONDS="3", CAREMESH_EXPIRY_WARNING_SECONDS="1")
    mesh.consumer()
    processor = mesh.processor()
    await is_ready(processor)
    async with mesh.python_producer() as producer:
        await producer.publish([book("doctor", f"patient-{n}", slot(n), f"wish-{n}") for n in range(5)])

    async def has_swept() -> bool:
        return (await scrape(processor)).total("caremesh_sweep_lateness_seconds_count", sweep="appointments-expire") >= 5

    await until(has_swept, "all expired")
    await mesh.decided()
    await mesh.noticed()

    seen = await scrape(processor)
    templates = seen.series("caremesh_notification_requests_total", "service", "template")
    assert templates == {
        ("booking", "appointment_requested"): 5,
        ("booking", "appointment_booked"): 5,
        ("booking", "appointment_expiring"): 10,
        ("booking", "appointment_expired"): 5,
    }
    for sweep in ("appointments-expire", "appointments-warn"):
        assert seen.total("caremesh_sweep_lateness_seconds_count", sweep=sweep) == 5
        assert seen.total("caremesh_sweep_lateness_seconds_bucket", sweep=sweep, le="2.5") == 5
        assert seen.total("caremesh_sweep_last_look_timestamp_seconds", sweep=sweep) > 0
    lag = seen.series("caremesh_consumer_lag_records", "group", "topic", "partition")
    assert lag == {(f"{mesh.group}-processor", mesh.events_topic, str(n)): 0 for n in range(mesh.settings.topic_partitions)}


async def test_the_end_of_a_producers_transaction_is_no_record_that_waits(mesh: Mesh) -> None:
    consumer, processor = mesh.consumer(), mesh.processor()
    for process in (consumer, processor):
        await is_ready(process)
    message = book("doctor", "patient", slot(1), "wish")
    producer = AIOKafkaProducer(bootstrap_servers=mesh.bootstrap_servers, transactional_id=mesh.settings.topic_prefix)
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(mesh.commands, key=message.key, value=message.value, headers=list(message.headers))
            # Of a type that nobody knows, and so taken and left alone.
            await producer.send_and_wait(mesh.events_topic, key=message.key, value=b'{"type": "booking.appointment.dreamt_of.v1"}')
    finally:
        await producer.stop()

    async def is_all_done() -> bool:
        decided = (await scrape(consumer)).total("caremesh_decisions_total")
        lags = [(await scrape(process)).total("caremesh_consumer_lag_records") for process in (consumer, processor)]
        return (decided, lags) == (1, [0, 0])

    await until(is_all_done, "nothing waits any more", step=0.2)
    assert sum((await mesh.ends()).values()) == 2, "a record, and the end of the transaction"
