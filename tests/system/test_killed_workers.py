"""Workers that are killed, stopped and replaced under load: nothing is lost, nothing is decided twice."""

import random

import pytest

from tests.system.harness.commands import book, cancel, slot
from tests.system.harness.mesh import Mesh
from tests.system.harness.pouring import pouring
from tests.system.harness.processes import Process
from tests.system.harness.progress import progress
from tests.system.harness.verdict import nothing_lost_nothing_twice
from tests.system.harness.waiting import SOAK, until

SESSION = "session_timeout=3"


async def test_three_workers_killed_terminated_and_stopped_at_random_lose_nothing_and_decide_nothing_twice(mesh: Mesh) -> None:
    chance = random.Random(7)
    workers = [mesh.consumer(SESSION) for _ in range(3)]
    await mesh.assigned(3)
    async with pouring(mesh) as pour:
        for blow in ("kill", "stop", "terminate", "kill") * SOAK:
            await progress(mesh, pour)
            victim = chance.choice(workers)
            if blow == "stop":
                await stopped_beyond_its_session(mesh, victim)
                continue
            await (victim.kill() if blow == "kill" else victim.terminate())
            workers.remove(victim)
            workers.append(mesh.consumer(SESSION))
        await progress(mesh, pour)
    await nothing_lost_nothing_twice(mesh, pour)


async def stopped_beyond_its_session(mesh: Mesh, worker: Process) -> None:
    """Stop a worker until the others have taken its partitions, then let it go on with what it held in hand."""
    worker.stop()
    await mesh.assigned(2)
    await mesh.decided()
    worker.go_on()
    await mesh.assigned(3)


@pytest.mark.parametrize("point", ["kill_before_publish", "kill_after_publish"])
async def test_a_worker_killed_between_commit_publish_and_offset_commit_leaves_every_outcome_once(mesh: Mesh, point: str) -> None:
    wishes = [book(f"doctor-{number % 5}", f"patient-{number % 40}", slot(number % 60), f"wish-{number}") for number in range(300)]
    async with mesh.python_producer() as producer:
        first = mesh.consumer(SESSION, f"{point}=3", CAREMESH_BATCH_MAX_RECORDS="50")
        await producer.publish(wishes)
        assert await first.ended() == -9

        # The third batch is decided and committed in the database; in Kafka it is not.
        rows = len(await mesh.query("SELECT id FROM decisions"))
        published = len((await mesh.read_events()).by_id)
        committed = sum((await mesh.committed()).values())
        assert 0 < committed < rows
        assert (published < rows) if point == "kill_before_publish" else (published > committed)

        mesh.consumer(SESSION)
        await mesh.decided()
        events = await mesh.read_events()
        assert len(events.outcomes()) == 300
        assert events.differing() == []
        if point == "kill_after_publish":
            assert len(events.records) > len(events.by_id), "what was published and not committed is published again"
        await mesh.is_clean(producer.acknowledged)


async def test_a_worker_stopped_before_it_publishes_wakes_after_the_others_went_on_and_does_no_harm(mesh: Mesh) -> None:
    wishes = [
        book(f"doctor-{number % 5}", f"patient-{number % 40}", slot(number % 60), f"wish-{number}", f"apt-{number}")
        for number in range(200)
    ]
    stopped = mesh.consumer(SESSION, "stop_before_publish=2", CAREMESH_BATCH_MAX_RECORDS="50")
    async with mesh.python_producer() as producer:
        await producer.publish(wishes)
        await until(stopped.is_stopped, "the worker has decided what it has not published", step=0.01)
        mesh.consumer(SESSION)
        await mesh.decided()
        # The stopped one holds outcomes that are old by now.
        await producer.publish(
            [cancel(f"apt-{number}", f"doctor-{number % 5}", f"cancel-{number}", patient=f"patient-{number % 40}") for number in range(200)]
        )
        await mesh.decided()
        before = await mesh.read_events()
        stopped.go_on()
        await mesh.assigned(2)
        await mesh.decided()

        async def has_published() -> bool:
            return len((await mesh.read_events()).records) > len(before.records)

        await until(has_published, "what was in its hand is published", step=0.2)
        events = await mesh.read_events()
        assert events.by_id.keys() == before.by_id.keys()
        assert events.differing() == []
        await mesh.is_clean(producer.acknowledged)
