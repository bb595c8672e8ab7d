"""When a process is ready: each thing that keeps it from it, alone."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from aiokafka.errors import KafkaConnectionError

from shared import health as health_module
from shared.health import Health, PartitionProgress
from shared.path.watchdog import Watchdog


class Runtime:
    """A runtime and a pipeline as a test wants them."""

    def __init__(self) -> None:
        self.not_consuming_because = ""
        self.done, self.end = 5, 5
        self.kafka_failure: Exception | None = None
        self.kafka_hangs = False
        self.seconds = 0.0
        self.asked = 0

    def not_consuming(self) -> str:
        return self.not_consuming_because

    async def progress(self) -> Sequence[PartitionProgress]:
        self.asked += 1
        if self.kafka_hangs:
            await asyncio.Event().wait()
        if self.kafka_failure is not None:
            raise self.kafka_failure
        return [PartitionProgress("topic", 0, 5, 5), PartitionProgress("topic", 1, self.done, self.end)]

    def in_hand_seconds(self) -> float:
        return self.seconds


class Database:
    """A database that answers, or not."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.hangs = False

    async def ask(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def runtime() -> Runtime:
    return Runtime()


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watchdog = Watchdog(120)
    yield watchdog
    watchdog.stop()


@pytest.fixture
def health(runtime: Runtime, database: Database, watchdog: Watchdog) -> Health:
    health = Health("group", watchdog, database.ask)
    health.begin(runtime, runtime)
    return health


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that have passed; a test moves them."""
    seconds = [1_000.0]
    monkeypatch.setattr("shared.health.time.monotonic", lambda: seconds[0])
    return seconds


async def problems(health: Health) -> str:
    return " ".join((await health.examine()).problems)


async def test_a_process_that_works_is_ready(health: Health) -> None:
    report = await health.examine()
    assert report.ready
    assert [partition.lag for partition in report.progress] == [0, 0]


async def test_one_that_is_starting_says_what_it_waits_for(watchdog: Watchdog, database: Database) -> None:
    health = Health("group", watchdog, database.ask)
    assert await problems(health) == "It is starting."
    health.waits_for("The database cannot be reached.")
    assert await problems(health) == "The database cannot be reached."


async def test_one_without_partitions_is_not_ready(health: Health, runtime: Runtime) -> None:
    runtime.not_consuming_because = "It has no partitions."
    assert await problems(health) == "It has no partitions."


async def test_one_whose_batch_is_in_hand_for_long_is_not_ready(health: Health, runtime: Runtime) -> None:
    runtime.seconds = health_module.STUCK_SECONDS
    assert await problems(health) == ""
    runtime.seconds = health_module.STUCK_SECONDS + 1
    assert "A batch has been in hand for 11 seconds" in await problems(health)


async def test_one_that_waits_for_what_the_watchdog_watches_is_not_ready(
    health: Health, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "STUCK_SECONDS", 0.01)
    with watchdog.expect("publishing a batch"):
        await asyncio.sleep(0.02)
        assert "in hand" in await problems(health)
    assert await problems(health) == ""


async def test_one_whose_database_refuses_or_does_not_answer_is_not_ready(
    health: Health, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.failure = ConnectionRefusedError("nobody there")
    assert await problems(health) == "The database cannot be asked: ConnectionRefusedError: nobody there."
    monkeypatch.setattr(health_module, "ANSWER_SECONDS", 0.01)
    database.hangs = True
    assert await problems(health) == "The database has not answered for 0.01 seconds."


async def test_one_whose_kafka_refuses_or_does_not_answer_is_not_ready(
    health: Health, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.kafka_failure = KafkaConnectionError("away")
    assert await problems(health) == "Kafka cannot be asked: KafkaConnectionError."
    monkeypatch.setattr(health_module, "ANSWER_SECONDS", 0.01)
    runtime.kafka_hangs = True
    assert await problems(health) == "Kafka has not answered for 0.01 seconds."


async def test_one_that_gets_nothing_done_of_what_waits_is_not_ready(health: Health, runtime: Runtime, clock: list[float]) -> None:
    runtime.end = 9
    assert await problems(health) == "", "the records may have come only just now"
    clock[0] += health_module.STUCK_SECONDS + 1
    assert await problems(health) == "Records are waiting, and none has been done for 11 seconds."
    runtime.done = 6
    assert await problems(health) == "", "it goes on, if slowly"


async def test_one_that_waits_for_records_is_ready_however_long(health: Health, runtime: Runtime, clock: list[float]) -> None:
    for _ in range(3):
        clock[0] += 1_000
        assert await problems(health) == ""
    runtime.end = 6
    clock[0] += 1_000
    assert await problems(health) == "", "the first record after a long quiet is not late yet"


async def test_who_asks_at_once_gets_one_answer(health: Health, runtime: Runtime) -> None:
    reports = await asyncio.gather(*(health.examine() for _ in range(10)))
    assert all(report.ready for report in reports)
    assert runtime.asked == 1
    await health.examine()
    assert runtime.asked == 2
