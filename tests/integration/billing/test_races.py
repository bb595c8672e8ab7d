"""Two workers at one patient's account: whoever owns which partition, no unit is taken twice and none that is not there."""

import asyncio
from typing import Any

import pytest

from services.billing.app import billing
from shared.messages.calls import CallEventType
from shared.messages.fields import Role
from shared.settings import Settings
from tests.examples import NOW, minutes
from tests.examples_of_billing import (
    PERIOD,
    call_news,
    example_activation,
    example_cancellation,
    example_deduct,
    example_expiry,
    example_reversal,
    seconds,
)
from tests.integration.billing.books import Books, Log, of_type
from tests.integration.billing.conftest import MakeWorker
from tests.integration.races import meeting
from tests.integration.worker import Worker, outcome_of


async def call_begins(worker: Worker, log: Log, call_id: str, doctor_id: str) -> None:
    await worker.handle(log.tell(call_news(CallEventType.CONNECTED, 2, call_id=call_id, doctor_id=doctor_id, connected_at=NOW)))


async def test_two_sessions_at_two_doctors_and_one_unit(
    make_worker: MakeWorker, database_settings: Settings, log: Log, books: Books
) -> None:
    worker = make_worker()
    await worker.handle(log.append(example_activation(units={"voice": 1})))
    logs = [Log(partition=1), Log(partition=2)]
    for other in logs:
        await call_begins(worker, other, f"call-{other.partition}", f"doctor-{other.partition}")
    service = meeting(billing(database_settings), 2)
    asked = [
        other.append(example_deduct(session_id=f"call-{other.partition}", doctor_id=f"doctor-{other.partition}"), at=NOW + PERIOD)
        for other in logs
    ]
    said = await asyncio.gather(*(make_worker(service=service).handle(record) for record in asked))
    outcomes = sorted(outcome_of(messages[0]) for messages in said)
    assert outcomes == ["deducted", "insufficient_balance"]
    assert await books.remaining() == {"voice": 0}


async def test_hang_up_tick_and_an_end_by_hand_at_the_same_instant(
    make_worker: MakeWorker, database_settings: Settings, books: Books, connection: Any
) -> None:
    log = Log()
    worker = make_worker()
    await worker.handle(log.append(example_activation(units={"voice": 100})))
    for number in range(10):
        call = f"call-{number}"
        await call_begins(worker, log, call, "doctor-1")
        ended = call_news(CallEventType.ENDED, 3, call_id=call, connected_at=NOW, ended_at=NOW + PERIOD, ended_by=Role.DOCTOR)
        at = NOW + PERIOD + seconds(0.001)
        asked = [
            log.tell(ended),
            log.append(example_deduct(session_id=call), identifier=f"deduct:{call}:1:0", at=at),
            log.append(example_deduct(session_id=call), identifier=f"by-hand-{number}", at=at),
            log.append(example_deduct(session_id=call, unit=2), identifier=f"by-hand-2-{number}", at=at),
        ]
        service = meeting(billing(database_settings), 4)
        said = await asyncio.gather(*(make_worker(service=service).handle(record) for record in asked))
        messages = [message for answers in said for message in answers]
        assert sorted(value["unit"] for value in of_type(messages, "deducted")) == [1, 2]
        [settled] = of_type(messages, "settled")
        assert settled["units_deducted"] == 2
        refusals = [value["reason"] for value in of_type(messages, "rejected")]
        # The unit that the hang-up charges is refused to whoever asks before billing has heard of the hang-up.
        assert set(refusals) <= {"already_deducted", "not_due"}
        assert all(value["deduction_id"].startswith(f"{call}:") for value in of_type(messages, "rejected"))
    assert await books.remaining() == {"voice": 80}
    assert await connection.fetchval("SELECT count(*) FROM ledger WHERE kind = 'deducted'") == 20


async def test_a_unit_is_reversed_once_whoever_asks(make_worker: MakeWorker, database_settings: Settings, log: Log, books: Books) -> None:
    worker = make_worker()
    await worker.handle(log.append(example_activation(units={"voice": 5})))
    await call_begins(worker, log, "session-1", "doctor-1")
    assert await worker.outcomes(log.append(example_deduct(), at=NOW + PERIOD)) == ["deducted"]
    service = meeting(billing(database_settings), 3)
    ended = call_news(CallEventType.ENDED, 3, connected_at=NOW, ended_at=NOW + minutes(5), ended_by=Role.SYSTEM)
    asked = [log.append(example_reversal()), log.append(example_reversal()), log.tell(ended)]
    said = await asyncio.gather(*(make_worker(service=service).handle(record) for record in asked))
    assert len(of_type([message for answers in said for message in answers], "reversed")) == 1
    assert await books.remaining() == {"voice": 5}
    assert await books.earned() == {"MWK": 0}


async def test_one_subscription_id_for_two_patients_is_granted_once(
    make_worker: MakeWorker, database_settings: Settings, connection: Any
) -> None:
    service = meeting(billing(database_settings), 2)
    asked = [Log(partition=n).append(example_activation(patient_id=f"patient-{n}", units={"text": 5})) for n in (1, 2)]
    said = await asyncio.gather(*(make_worker(service=service).outcomes(record) for record in asked))
    assert sorted(outcome for outcomes in said for outcome in outcomes) == ["activated", "subscription_exists"]
    assert await connection.fetchval("SELECT sum(remaining) FROM balances") == 5


async def test_a_subscription_ends_once(make_worker: MakeWorker, database_settings: Settings, log: Log, books: Books) -> None:
    await make_worker().handle(log.append(example_activation(units={"voice": 5}, ends_at=NOW + minutes(30))))
    service = meeting(billing(database_settings), 2)
    asked = [log.append(example_cancellation(), at=NOW + minutes(29)), log.append(example_expiry(), at=NOW + minutes(31))]
    said = await asyncio.gather(*(make_worker(service=service).outcomes(record) for record in asked))
    [cancelled], [expired] = said
    assert (cancelled, expired) in {("cancelled", "wrong_status"), ("wrong_status", "expired")}
    assert await books.remaining() == {"voice": 0}


@pytest.mark.usefixtures("no_locks")
async def test_without_locks_the_last_wall_holds(make_worker: MakeWorker, database_settings: Settings, log: Log, books: Books) -> None:
    worker = make_worker()
    await worker.handle(log.append(example_activation(units={"voice": 1})))
    logs = [Log(partition=1), Log(partition=2)]
    for other in logs:
        await call_begins(worker, other, f"call-{other.partition}", f"doctor-{other.partition}")
    service = meeting(billing(database_settings), 2)
    asked = [
        other.append(example_deduct(session_id=f"call-{other.partition}", doctor_id=f"doctor-{other.partition}"), at=NOW + PERIOD)
        for other in logs
    ]
    said = await asyncio.gather(*(make_worker(service=service).handle(record) for record in asked))
    assert sorted(outcome_of(messages[0]) for messages in said) == ["deducted", "insufficient_balance"]
    assert await books.remaining() == {"voice": 0}
