"""The pages of one process: served at once, quiet while nobody asks, and gone when it ends."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.health import Health, PartitionProgress
from shared.health_check import ask
from shared.health_server import HealthServer
from shared.path.errors import FatalError
from shared.path.watchdog import Watchdog
from shared.settings import Settings
from tests.system.harness.waiting import until


class Runtime:
    """Three records behind on one partition, and at work."""

    def not_consuming(self) -> str:
        return ""

    async def progress(self) -> Sequence[PartitionProgress]:
        return [PartitionProgress("topic", 5, 7, 10)]

    def in_hand_seconds(self) -> float:
        return 0.0


async def the_database_answers() -> None:
    pass


@pytest.fixture
def health(watchdog: Watchdog) -> Health:
    health = Health("a-group", watchdog, the_database_answers)
    health.begin(Runtime(), Runtime())
    return health


@pytest.fixture
async def server(health: Health) -> AsyncIterator[HealthServer]:
    server = HealthServer(Settings(), health)
    server.start()
    yield server
    server.stop()


async def get(server: HealthServer, page: str) -> tuple[bool, str]:
    return await asyncio.to_thread(ask, "127.0.0.1", server.port, page)


async def test_it_answers_as_soon_as_it_is_made(server: HealthServer) -> None:
    assert await get(server, "healthz") == (True, '{"group":"a-group","healthy":true,"problems":[]}')
    assert await get(server, "readyz") == (True, '{"group":"a-group","ready":true,"problems":[]}')


async def test_the_metrics_show_the_lag_and_whether_it_is_ready(server: HealthServer) -> None:
    _, page = await get(server, "metrics")
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    lag = [(sample.labels, sample.value) for sample in samples if sample.name == "caremesh_consumer_lag_records"]
    assert lag == [({"group": "a-group", "topic": "topic", "partition": "5"}, 3)]
    assert [sample.value for sample in samples if sample.labels == {"group": "a-group"}] == [1]


async def test_a_page_that_does_not_exist_is_not_there(server: HealthServer) -> None:
    well, _ = await get(server, "secrets")
    assert not well


async def test_an_event_loop_that_hangs_is_told_by_the_thread_beside_it(server: HealthServer) -> None:
    answers: list[tuple[bool, str]] = []
    asking = threading.Thread(target=lambda: answers.extend(ask("127.0.0.1", server.port, page) for page in ("healthz", "readyz")))
    asking.start()
    # This very event loop: nothing else in it goes on meanwhile.
    asking.join()
    for well, says in answers:
        assert not well
        assert json.loads(says)["problems"] == ["The event loop has not turned for 3 seconds."]
    assert len(answers) == 2
    assert (await get(server, "readyz"))[0], "and it is well again"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux counts how often a thread wakes")
async def test_it_sleeps_while_nobody_asks(server: HealthServer) -> None:
    await get(server, "healthz")
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "health")

    def waits() -> int:
        status = Path(f"/proc/self/task/{thread.native_id}/status").read_text(encoding="ascii")
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    seen = [-1]

    def is_still() -> bool:
        seen.append(waits())
        return seen[-1] == seen[-2]

    await until(is_still, "what followed the last answer is over", step=0.3)
    before = waits()
    # To see that nothing happens takes a while in which nothing happens.
    await asyncio.sleep(1)
    assert waits() - before <= 1, "a server that looks ten times a second whether to stop wakes ten times"


async def test_it_is_gone_when_it_is_stopped_even_before_it_has_begun(health: Health) -> None:
    server = HealthServer(Settings(), health)
    server.start()
    server.stop()
    assert "health" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConnectionRefusedError):
        await get(server, "healthz")


async def test_an_address_of_somebody_else_is_told_in_a_sentence(health: Health) -> None:
    with pytest.raises(FatalError, match=r"192\.0\.2\.1:0 cannot be listened on .*CAREMESH_HEALTH_HOST"):
        HealthServer(Settings(health_host="192.0.2.1"), health)
