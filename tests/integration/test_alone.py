"""A batch of one record meets the same failures as a batch of many, and comes to the same."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from shared.codec.decode import Received
from shared.settings import Settings
from tests.examples import example_booking
from tests.integration.conftest import MakeWorker
from tests.integration.races import meeting_before_they_write, race_for_one_slot
from tests.integration.worker import Log, Worker
from tests.unit.codec.records import with_fields


@pytest.mark.usefixtures("no_locks")
async def test_a_lone_loser_at_the_unique_index_is_refused_and_not_set_aside(
    make_worker: MakeWorker, database_settings: Settings, connection: Any
) -> None:
    await race_for_one_slot(0, make_worker, database_settings, connection)


@pytest.mark.parametrize("content", ["wrong data", "another key"])
async def test_a_command_decided_elsewhere_in_the_same_moment_is_recalled_and_not_set_aside(
    content: str, make_worker: MakeWorker, database_settings: Settings
) -> None:
    # Wrong data takes no lock, and another key another one: both may be decided by two workers at once.
    service = meeting_before_they_write(database_settings, 2)
    if content == "wrong data":
        record = other = with_fields(starts_at="soon")
    else:
        record = Log().append(example_booking(), identifier="command-1")
        other = Log(partition=1).append(example_booking(doctor_id="another", appointment_id="apt-2"), identifier="command-1")
    outcomes = list(await asyncio.gather(make_worker(service=service).outcomes(record), make_worker(service=service).outcomes(other)))
    if content == "wrong data":
        assert outcomes == [["invalid_data", "[invalid_data]"]] * 2
    else:
        assert sorted(outcomes) == [["[idempotency_conflict]"], ["booked"]]


async def test_the_database_may_be_away_while_a_record_is_set_aside(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    decide, away = worker.transactions.decide, [ConnectionRefusedError("connection refused")]

    async def decide_or_fail(batch: Mapping[int, Received], positions: Any, *, must: Any = None) -> Any:
        if batch:
            message = "a fault of ours"
            raise ZeroDivisionError(message)
        if away:
            raise away.pop()
        return await decide(batch, positions, must=must)

    monkeypatch.setattr(worker.transactions, "decide", decide_or_fail)
    assert await worker.outcomes(Log().append(example_booking())) == ["[handler_failed]"]
