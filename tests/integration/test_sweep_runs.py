"""Who leads a sweep, when it last looked, and one look by hand, on a real database and a real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.booking.app import rules_of
from services.booking.sweeps import sweeps
from shared import sweep_runs
from shared.cli.sweeps import SweepStatus, look
from shared.database import create_engine, process_name
from shared.kafka_client import client_options
from shared.path.publisher import Publisher
from shared.path.watchdog import Watchdog
from shared.settings import Settings
from shared.sweeps import Due, Sweeper, SweepLedElsewhereError
from shared.topics import commands_topic, create_topics
from tests.examples import example_booking, hours
from tests.integration.worker import Log, Worker
from tests.system.harness.reading import read_all
from tests.system.harness.waiting import until

MakeSweeper = Callable[..., Sweeper]


@pytest.fixture
async def make_sweeper(settings: Settings, watchdog: Watchdog) -> AsyncIterator[MakeSweeper]:
    """Makes sweepers of ``appointments-expire``, each with a connection of its own."""
    await create_topics(settings)
    publisher = Publisher(client_options(settings), watchdog, service="booking")
    engines: list[AsyncEngine] = []

    def make(*, tell: Callable[[Due, str], None] = lambda _due, _identifier: None) -> Sweeper:
        engines.append(create_engine(settings, "booking", connections=1))
        sweep = sweeps(rules_of(settings))[0]
        return Sweeper(sweep, engine=engines[-1], publisher=publisher, topic_prefix=settings.topic_prefix, tell=tell)

    yield make
    for engine in engines:
        await engine.dispose()
    await publisher.stop()


@asynccontextmanager
async def running(sweeper: Sweeper) -> AsyncIterator[None]:
    task = asyncio.create_task(sweeper.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def book_two_long_ago(worker: Worker) -> None:
    """Both were to be answered until yesterday."""
    log = Log()
    long_ago = datetime.now(UTC) - hours(48)
    for name in ("apt-1", "apt-2"):
        command = example_booking(
            appointment_id=name, doctor_id=f"doctor-of-{name}", patient_id=f"patient-of-{name}", starts_at=long_ago + hours(100)
        )
        await worker.handle(log.append(command, at=long_ago))


async def look_at_booking(settings: Settings) -> list[SweepStatus]:
    return [status for status in await look(settings) if status.service == "booking"]


async def test_a_sweep_that_never_ran_has_no_last_run_and_no_leader(settings: Settings) -> None:
    statuses = await look_at_booking(settings)
    assert [(status.name, status.leader, status.last_run) for status in statuses] == [
        ("appointments-expire", None, None),
        ("appointments-warn", None, None),
    ]
    assert all(status.due.count == 0 and status.due.next is None for status in statuses)


async def test_a_leader_notes_that_it_looks_and_its_process_is_known(settings: Settings, make_sweeper: MakeSweeper) -> None:
    began = datetime.now(UTC)
    async with running(make_sweeper()):

        async def is_noted() -> bool:
            return (await look_at_booking(settings))[0].last_run is not None

        await until(is_noted, "the leader notes that it looked")
        status, other = await look_at_booking(settings)
    assert status.leader == f"caremesh-booking {process_name()}"
    assert status.last_run is not None
    assert status.last_run.ran_by == process_name()
    assert abs(status.last_run.ran_at - began) < timedelta(seconds=30)
    assert (status.last_run.published, status.last_run.published_at) == (0, None)
    assert (other.leader, other.last_run) == (None, None)


async def test_by_hand_everything_due_is_published_once_and_the_run_is_noted(
    settings: Settings, worker: Worker, make_sweeper: MakeSweeper
) -> None:
    await book_two_long_ago(worker)
    expire, _ = await look_at_booking(settings)
    assert (expire.due.count, expire.due.at_least, expire.due.next) == (2, False, None)
    told: list[str] = []
    assert await make_sweeper(tell=lambda due, _: told.append(due.entity_id)).run_once(wait_seconds=0) == 2
    assert sorted(told) == ["apt-1", "apt-2"]
    published = await read_all(settings.kafka_bootstrap_servers, commands_topic(settings.topic_prefix, "booking"))
    assert sorted(str(record.json["appointment_id"]) for record in published) == ["apt-1", "apt-2"]
    run = (await look_at_booking(settings))[0].last_run
    assert run is not None
    assert (run.published, run.published_at) == (2, run.ran_at)


async def test_a_run_by_hand_that_finds_nothing_keeps_when_something_was_found(
    settings: Settings, worker: Worker, make_sweeper: MakeSweeper, engine: AsyncEngine
) -> None:
    await book_two_long_ago(worker)
    await make_sweeper().run_once(wait_seconds=0)
    before = (await look_at_booking(settings))[0].last_run
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await sweep_runs.note(connection, "appointments-expire", ran_by="another", published=0)
    after = (await look_at_booking(settings))[0].last_run
    assert before is not None
    assert after is not None
    assert (after.ran_by, after.published, after.published_at) == ("another", 2, before.published_at)
    assert after.ran_at > before.ran_at


async def test_by_hand_the_holder_of_the_lead_is_named_and_nothing_is_published(settings: Settings, make_sweeper: MakeSweeper) -> None:
    async with running(make_sweeper()):

        async def is_led() -> bool:
            return (await look_at_booking(settings))[0].leader is not None

        await until(is_led, "somebody leads")
        with pytest.raises(SweepLedElsewhereError) as refused:
            await make_sweeper().run_once(wait_seconds=0.3)
        assert refused.value.holder == f"caremesh-booking {process_name()}"
        assert await make_sweeper().run_once(wait_seconds=0, alone=False) == 0


async def test_by_hand_the_lead_is_waited_for(settings: Settings, make_sweeper: MakeSweeper) -> None:
    holder = create_engine(settings, "booking", connections=1)
    async with holder.connect() as connection:
        key = sweep_runs.leader_lock("booking", "appointments-expire")
        await connection.exec_driver_sql(f"SELECT pg_advisory_lock({key})")
        waiting = asyncio.create_task(make_sweeper().run_once(wait_seconds=30))
        assert (await asyncio.wait([waiting], timeout=0.5))[1] == {waiting}
    # The lead ends with its session.
    await holder.dispose()
    assert await asyncio.wait_for(waiting, 10) == 0
