"""A worker stopped in the middle of a COPY holds locks that no time-out of the server ends. The others end it."""

import time

from shared.path.locks import PATIENCE_SECONDS, STUCK_AFTER_SECONDS
from tests.system.harness.commands import book, slot
from tests.system.harness.mesh import Mesh
from tests.system.harness.waiting import until

SESSION = "session_timeout=3"
LIMIT_SECONDS = 25

HOLDER = """
SELECT activity.pid, count(*) FROM pg_stat_activity AS activity JOIN pg_locks AS held ON held.pid = activity.pid
JOIN pg_stat_progress_copy AS copying ON copying.pid = activity.pid
WHERE activity.datname = current_database() AND activity.wait_event = 'ClientRead' AND held.locktype = 'advisory' AND held.granted
  AND copying.bytes_processed > 0
GROUP BY activity.pid
"""


async def test_a_worker_stopped_in_the_middle_of_a_copy_holds_up_nobody_beyond_the_limit_and_recovers(mesh: Mesh) -> None:
    assert STUCK_AFTER_SECONDS + PATIENCE_SECONDS < LIMIT_SECONDS
    async with mesh.python_producer() as producer:
        await producer.publish([book("doctor", f"patient-{number}", slot(number), f"wish-{number}") for number in range(1_500)])
        stopped = mesh.consumer(SESSION, "stop_in_copy=700")
        await until(stopped.is_stopped, "the worker stops in its COPY", step=0.01)
        began = time.monotonic()
        ((backend, locks),) = await mesh.query(HOLDER)
        assert locks > 0

        another = mesh.consumer(SESSION)
        await mesh.decided(seconds=LIMIT_SECONDS)
        assert time.monotonic() - began < LIMIT_SECONDS
        assert await mesh.query("SELECT pid FROM pg_stat_activity WHERE pid = $1", backend) == []
        assert "Connection of a stopped process ended" in another.log()

        stopped.go_on()
        await mesh.assigned(2)
        await producer.publish([book("doctor", f"late-{number}", slot(2_000 + number), f"late-{number}") for number in range(50)])
        await mesh.decided()
        await another.terminate()
        await mesh.assigned(1)
        await producer.publish([book("doctor", f"last-{number}", slot(2_100 + number), f"last-{number}") for number in range(50)])
        await mesh.decided()

    assert stopped.runs, stopped.log()
    events = await mesh.read_events()
    assert events.tally() == {"booked": 1_600}
    assert events.differing() == []
    await mesh.is_clean(producer.acknowledged)
