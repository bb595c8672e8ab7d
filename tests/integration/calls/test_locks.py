"""Locks: whoever owns a partition, nobody is in two calls or text sessions at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.calls.app import calls
from services.calls.working_set import Sessions
from shared.codec.decode import Received
from shared.database import Connection
from shared.messages.fields import Command
from shared.path.service import Service
from shared.settings import Settings
from tests.calls_examples import example_activity, example_start, example_text_start
from tests.integration.calls.conftest import MakeWorker
from tests.integration.worker import Log


def meeting_before_they_write(settings: Settings) -> Service[Sessions]:
    """Calls, whose two workers wait for each other between reading and writing, as far as locks let them."""
    service = calls(settings)
    load, barrier = service.load, asyncio.Barrier(2)

    async def load_and_meet(connection: Connection, batch: Sequence[Received]) -> Sessions:
        state = await load(connection, batch)
        if batch and not barrier.broken:
            try:
                async with asyncio.timeout(0.3):
                    await barrier.wait()
            except (TimeoutError, asyncio.BrokenBarrierError):
                await barrier.abort()
        return state

    return replace(service, load=load_and_meet)


async def race(make_worker: MakeWorker, settings: Settings, left: Sequence[Command], right: Sequence[Command]) -> list[tuple[str, str]]:
    """Two workers, each with a batch of its own: what the pairs come to."""
    service = meeting_before_they_write(settings)
    batches = [[log.append(command) for command in side] for log, side in ((Log(partition=0), left), (Log(partition=1), right))]
    outcomes = await asyncio.gather(*(make_worker(service=service).outcomes(*batch) for batch in batches))
    return list(zip(*outcomes, strict=True))


async def test_a_patient_at_two_doctors_at_once_gets_one_of_them(make_worker: MakeWorker, database_settings: Settings) -> None:
    left = [example_start(call_id=f"call-{n}", doctor_id=f"left-{n}", patient_id=f"patient-{n}") for n in range(10)]
    right = [example_text_start(session_id=f"text-{n}", doctor_id=f"right-{n}", patient_id=f"patient-{n}") for n in range(10)]
    for pair in await race(make_worker, database_settings, left, right):
        assert sorted(pair) == ["patient_busy", "started"]


@pytest.mark.usefixtures("no_locks")
async def test_without_locks_they_would_get_both(make_worker: MakeWorker, database_settings: Settings) -> None:
    left = [example_start(call_id="call", doctor_id="left")]
    right = [example_text_start(session_id="text", doctor_id="right")]
    assert await race(make_worker, database_settings, left, right) == [("started", "started")]


async def test_a_doctor_on_two_owners_of_a_partition_is_called_once(
    make_worker: MakeWorker, database_settings: Settings, connection: Any
) -> None:
    left = [example_start(call_id="left", patient_id="left")]
    right = [example_start(call_id="right", patient_id="right")]
    [pair] = await race(make_worker, database_settings, left, right)
    assert sorted(pair) == ["doctor_busy", "started"]
    assert await connection.fetchval("SELECT count(*) FROM sessions") == 1


async def test_a_doctor_on_two_owners_of_a_partition_does_not_answer_while_being_called(
    make_worker: MakeWorker, database_settings: Settings, connection: Any
) -> None:
    await make_worker().handle(Log(partition=2).append(example_text_start(patient_id="waiting")))
    left = [example_start(patient_id="calling")]
    right = [example_activity()]
    service = meeting_before_they_write(database_settings)
    one = make_worker(service=service).outcomes(Log(partition=0).append(left[0]))
    two = make_worker(service=service).outcomes(Log(partition=1).append(right[0]))
    called, answered = await asyncio.gather(one, two)
    assert (called, answered) in ((["started"], ["doctor_busy"]), (["doctor_busy"], ["activity_recorded", "activated"]))
    occupied = "SELECT count(*) FROM sessions WHERE status IN ('connecting', 'active')"
    assert await connection.fetchval(occupied) == 1


async def test_an_id_on_two_partitions_is_used_once(make_worker: MakeWorker, database_settings: Settings, connection: Any) -> None:
    left = [example_start(call_id="the-id", doctor_id="left", patient_id="left")]
    right = [example_text_start(session_id="the-id", doctor_id="right", patient_id="right")]
    [pair] = await race(make_worker, database_settings, left, right)
    assert sorted(pair) == ["already_started", "started"]
    assert await connection.fetchval("SELECT count(*) FROM sessions") == 1
