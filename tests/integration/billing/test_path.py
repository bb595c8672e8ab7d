"""Billing on a real database: grants, units, ends and reversals, and what stands in the books after them."""

from typing import Any

import pytest

from services.billing.domain.session import SessionNews
from shared.codec.record import StoredRecord
from shared.messages.calls import CallEventType, TextSessionEventType
from shared.messages.fields import Modality, Role
from shared.path.errors import FatalError
from shared.settings import Settings
from tests.examples import MILLISECOND, NOW, minutes
from tests.examples_of_billing import (
    PERIOD,
    call_news,
    example_activation,
    example_cancellation,
    example_deduct,
    example_expiry,
    example_import,
    example_reversal,
    seconds,
    text_news,
)
from tests.integration.billing.books import Books, Log, of_type
from tests.integration.billing.conftest import Ends, MakeWorker
from tests.integration.worker import Worker, headers_of, outcome_of, value_of


async def connect(worker: Worker, log: Log, **parties: Any) -> None:
    """A voice call connects at ``NOW``."""
    await worker.handle(
        log.tell(call_news(CallEventType.STARTED, 1, **parties)),
        log.tell(call_news(CallEventType.CONNECTED, 2, connected_at=NOW, **parties)),
    )


def hung_up(after: Any, version: int = 3, **parties: Any) -> Any:
    return call_news(CallEventType.ENDED, version, connected_at=NOW, ended_at=NOW + after, ended_by=Role.PATIENT, **parties)


async def test_a_call_of_ten_minutes_costs_two_units(worker: Worker, log: Log, books: Books) -> None:
    assert await worker.outcomes(log.append(example_activation(units={"voice": 5}))) == ["activated"]
    await connect(worker, log)
    assert await worker.outcomes(log.append(example_deduct(), at=NOW + PERIOD + 2 * MILLISECOND)) == ["deducted"]
    messages = await worker.handle(log.tell(hung_up(PERIOD)))
    assert [outcome_of(message) for message in messages] == ["deducted", "settled"]
    [settled] = of_type(messages, "settled")
    assert (settled["units_deducted"], settled["units_refused"]) == (2, 0)
    assert settled["earning"] == {"amount_minor": 800_000, "currency": "MWK"}
    assert await books.remaining() == {"voice": 3}
    assert await books.earned() == {"MWK": 800_000}
    assert await books.entries() == [("granted", 1, 0, 5), ("deducted", 2, 5, 4), ("deducted", 3, 4, 3)]


async def test_an_entry_names_the_message_that_led_to_it(worker: Worker, log: Log, connection: Any) -> None:
    await worker.handle(log.append(example_activation(units={"voice": 5}), identifier="the-payment"))
    await connect(worker, log)
    await worker.handle(log.append(example_deduct(), identifier="the-tick", at=NOW + PERIOD), log.tell(hung_up(PERIOD)))
    causes = await connection.fetch("SELECT cause_source, cause_id, cause_type FROM ledger ORDER BY sequence")
    assert [tuple(cause) for cause in causes] == [
        ("/tests", "the-payment", "billing.subscription.activate.v1"),
        ("/tests", "the-tick", "billing.session_unit.deduct.v1"),
        ("/caremesh/calls", "session-1-3", "calls.call.ended.v1"),
    ]


async def test_a_row_of_the_ledger_holds_both_sides(worker: Worker, log: Log, connection: Any) -> None:
    await worker.handle(log.append(example_activation(units={"voice": 5})))
    await connect(worker, log)
    await worker.handle(log.append(example_deduct(), identifier="the-tick", at=NOW + PERIOD))
    row = dict(await connection.fetchrow("SELECT * FROM ledger WHERE kind = 'deducted'") or {})
    assert row == {
        "patient_id": "patient-1",
        "modality": "voice",
        "sequence": 2,
        "kind": "deducted",
        "at": NOW + PERIOD,
        "before": 5,
        "after": 4,
        "subscription_id": "sub-1",
        "deduction_id": "session-1:1",
        "session_id": "session-1",
        "unit": 1,
        "doctor_id": "doctor-1",
        "due_at": NOW + PERIOD,
        "amount_minor": 400_000,
        "currency": "MWK",
        "reason_code": None,
        "cause_source": "/tests",
        "cause_id": "the-tick",
        "cause_type": "billing.session_unit.deduct.v1",
    }


async def test_everything_in_one_batch(worker: Worker, log: Log, books: Books) -> None:
    ended = text_news(TextSessionEventType.ENDED, 9, activated_at=NOW, ended_at=NOW + minutes(25), ended_by=Role.DOCTOR)
    records = [
        log.append(example_activation(subscription_id="first", units={"text": 1})),
        log.append(example_activation(subscription_id="first", units={"text": 9})),
        log.append(example_import(subscription_id="second", units={"text": 3})),
        log.tell(text_news(TextSessionEventType.STARTED, 1)),
        log.tell(text_news(TextSessionEventType.ACTIVATED, 3, activated_at=NOW)),
        log.append(example_deduct(modality=Modality.TEXT), at=NOW + minutes(5)),
        log.append(example_deduct(modality=Modality.TEXT), at=NOW + minutes(10)),
        log.tell(ended),
        log.append(example_reversal(deduction_id="session-1:3"), at=NOW + minutes(30)),
        log.append(example_cancellation(subscription_id="second"), at=NOW + minutes(40)),
        log.append(example_expiry(subscription_id="first"), at=NOW + minutes(41)),
    ]
    assert await worker.outcomes(*records) == [
        "activated",
        "subscription_exists",
        "imported",
        "not_due",
        "deducted",
        "deducted",
        "deducted",
        "low",
        "settled",
        "reversed",
        "cancelled",
        "not_due",
    ]
    # The imported one is the older: it pays for the first three, and takes what was left of it, and what came back, with it.
    assert await books.remaining() == {"text": 1}
    assert await books.earned() == {"MWK": 800_000}


_CALL = [
    call_news(CallEventType.STARTED, 1),
    call_news(CallEventType.CONNECTED, 2, connected_at=NOW),
    call_news(CallEventType.RECONNECTING, 3, connected_at=NOW, disconnected_at=NOW + minutes(3)),
    call_news(CallEventType.RECONNECTED, 4, connected_at=NOW),
    call_news(CallEventType.ENDED, 5, connected_at=NOW, ended_at=NOW + minutes(25), ended_by=Role.PATIENT),
]
_TEXT_SESSION = [
    text_news(TextSessionEventType.STARTED, 1),
    text_news(TextSessionEventType.ACTIVATED, 3, activated_at=NOW),
    text_news(TextSessionEventType.ENDED, 4, activated_at=NOW, ended_at=NOW + minutes(25), ended_by=Role.DOCTOR),
]


@pytest.mark.parametrize("told, modality", [(_CALL, Modality.VOICE), (_TEXT_SESSION, Modality.TEXT)])
async def test_each_event_of_calls_comes_three_times_and_each_unit_is_charged_once(
    make_worker: MakeWorker, log: Log, books: Books, told: list[SessionNews], modality: Modality
) -> None:
    *going_on, ended = told
    worker = make_worker()
    await worker.handle(log.append(example_activation(units={str(modality): 9})))
    for news in going_on:
        assert await worker.handle(log.tell(news), log.tell(news)) == []
    assert await worker.outcomes(log.append(example_deduct(modality=modality), at=NOW + PERIOD)) == ["deducted"]
    assert await worker.outcomes(log.tell(ended), log.tell(ended)) == ["deducted", "deducted", "settled"]
    # The third copies come when all is over, the last first, to somebody who has seen none of it.
    assert await make_worker().handle(*map(log.tell, reversed(told))) == []
    assert await books.remaining() == {str(modality): 6}
    assert await books.earned() == {"MWK": 1_200_000}
    assert [kind for kind, *_ in await books.entries()] == ["granted", "deducted", "deducted", "deducted"]


async def test_the_same_one_by_one_on_other_workers(make_worker: MakeWorker, log: Log, books: Books) -> None:
    ended = text_news(TextSessionEventType.ENDED, 9, activated_at=NOW, ended_at=NOW + minutes(25), ended_by=Role.DOCTOR)
    records = [
        log.append(example_activation(subscription_id="first", units={"text": 1})),
        log.append(example_import(subscription_id="second", units={"text": 3})),
        log.tell(text_news(TextSessionEventType.ACTIVATED, 3, activated_at=NOW)),
        log.append(example_deduct(modality=Modality.TEXT), at=NOW + minutes(10)),
        log.tell(ended),
        log.append(example_reversal(deduction_id="session-1:3"), at=NOW + minutes(30)),
        log.append(example_reversal(deduction_id="session-1:3"), at=NOW + minutes(31)),
        log.append(example_cancellation(subscription_id="second"), at=NOW + minutes(40)),
    ]
    outcomes = [outcome for record in records for outcome in await make_worker().outcomes(record)]
    assert outcomes == [
        "activated",
        "imported",
        "deducted",
        "deducted",
        "deducted",
        "low",
        "settled",
        "reversed",
        "already_reversed",
        "cancelled",
    ]
    assert await books.remaining() == {"text": 1}
    assert await books.earned() == {"MWK": 800_000}


async def test_what_calls_tell_three_times_is_heard_once(worker: Worker, make_worker: MakeWorker, log: Log, books: Books) -> None:
    await worker.handle(log.append(example_activation(units={"voice": 5})))
    news = [
        call_news(CallEventType.STARTED, 1),
        call_news(CallEventType.CONNECTED, 2, connected_at=NOW),
        hung_up(minutes(14)),
    ]
    said = [
        await worker.handle(*[log.tell(tale) for tale in news for _ in range(3)]),
        await worker.handle(*[log.tell(tale) for tale in news]),
        await make_worker().handle(*[log.tell(tale) for tale in reversed(news)]),
    ]
    assert [[outcome_of(message) for message in messages] for messages in said] == [["deducted", "deducted", "settled"], [], []]
    assert await books.remaining() == {"voice": 3}


async def test_a_redelivered_batch_is_answered_byte_for_byte(worker: Worker, make_worker: MakeWorker, log: Log, books: Books) -> None:
    batch = [
        log.append(example_activation(units={"voice": 1})),
        log.tell(call_news(CallEventType.CONNECTED, 2, connected_at=NOW)),
        log.append(example_deduct(), at=NOW + PERIOD),
        log.append(example_deduct(unit=2), at=NOW + 2 * PERIOD),
        log.tell(hung_up(minutes(25))),
    ]
    first = await worker.handle(*batch)
    assert [outcome_of(message) if not message.topic.endswith("commands.v1") else "end" for message in first] == [
        "activated",
        "deducted",
        "exhausted",
        "end",
        "insufficient_balance",
        "settled",
    ]
    entries = await books.entries()
    assert await make_worker().handle(*batch) == first
    assert [message for record in batch for message in await make_worker().handle(record)] == first
    assert await books.entries() == entries


async def test_the_end_that_calls_are_asked_for_is_a_command_of_billing(worker: Worker, log: Log) -> None:
    [told, request] = await worker.handle(log.tell(text_news(TextSessionEventType.STARTED, 1)))
    assert (request.topic, request.key) == ("test.calls.commands.v1", b"doctor-1")
    headers = headers_of(request)
    assert (headers["ce_type"], headers["ce_source"]) == ("calls.text_session.end.v1", "/caremesh/billing")
    assert headers["ce_causationid"] == "session-1-1"
    assert value_of(request) == {
        "session_id": "session-1",
        "doctor_id": "doctor-1",
        "actor": {"role": "system", "id": "billing"},
        "reason_code": "insufficient_balance",
    }
    assert outcome_of(told) == "exhausted"


async def test_a_unit_of_a_session_that_calls_never_told_of_is_not_found(worker: Worker, log: Log) -> None:
    assert await worker.outcomes(log.append(example_deduct())) == ["session_not_found"]


async def test_a_unit_that_comes_before_the_news_of_its_session_waits_for_it(worker: Worker, log: Log, ends: Ends) -> None:
    await worker.handle(log.append(example_activation()))
    ends.end = 1
    asked = log.append(example_deduct(), at=NOW + PERIOD)
    handled = await worker.handler.handle([asked])
    assert handled.messages == []
    assert worker.handler.carries
    assert await worker.outcomes(log.tell(call_news(CallEventType.CONNECTED, 2, connected_at=NOW))) == ["deducted"]


async def test_a_deduction_that_appears_while_locks_are_taken_is_looked_at_again(
    make_worker: MakeWorker, log: Log, database_settings: Settings
) -> None:
    from dataclasses import replace

    from services.billing.app import billing
    from services.billing.store import load

    await make_worker().handle(log.append(example_activation()), log.tell(call_news(CallEventType.CONNECTED, 2, connected_at=NOW)))
    deduct, calls = log.append(example_deduct(), at=NOW + PERIOD), []

    async def parties_then_somebody_deducts(connection: Any, ids: Any) -> Any:
        found = await load.parties(connection, ids)
        calls.append(dict(found))
        if len(calls) == 1:
            assert await make_worker().outcomes(deduct) == ["deducted"]
        return found

    service = replace(billing(database_settings), parties=parties_then_somebody_deducts)
    assert await make_worker(service=service).outcomes(log.append(example_reversal())) == ["reversed"]
    assert [list(found) for found in calls] == [[], ["session-1:1"]]


async def test_wrong_data_gives_its_refusal_under_the_patients_key_and_one_dead_letter(worker: Worker, log: Log) -> None:
    record = log.append(example_activation())
    broken = StoredRecord(
        record.topic, 0, record.offset, record.timestamp, record.key, (record.value or b"").replace(b'"MWK"', b'"mwk"'), record.headers
    )
    messages = await worker.handle(broken)
    assert [outcome_of(message) for message in messages] == ["invalid_data", "[invalid_data]"]
    assert messages[0].key == b"patient-1"
    assert value_of(messages[0])["subscription_id"] == "sub-1"


async def test_units_without_a_rate_stop_billing_before_anything_is_decided(
    worker: Worker, make_worker: MakeWorker, log: Log, database_settings: Settings, books: Books
) -> None:
    await worker.handle(log.append(example_activation()))
    await connect(worker, log)
    without = database_settings.model_copy(update={"rates": {"USD": {"text": 1, "voice": 1, "video": 1}}})
    record = log.append(example_deduct(), at=NOW + PERIOD)
    with pytest.raises(FatalError, match=r"text units in MWK.*CAREMESH_RATES"):
        await make_worker(settings=without).handle(record)
    assert await worker.outcomes(record) == ["deducted"]
    assert await books.remaining() == {"text": 10, "voice": 9, "video": 10}


async def test_a_subscription_pays_for_what_fell_due_before_its_end_although_the_sweep_for_its_end_was_first(
    worker: Worker, log: Log, books: Books
) -> None:
    end = NOW + PERIOD + MILLISECOND
    await worker.handle(log.append(example_activation(units={"voice": 5}, ends_at=end)))
    await connect(worker, log)
    await connect(worker, log, call_id="of-another", patient_id="another", doctor_id="doctor-2")
    messages = await worker.handle(log.append(example_expiry(), at=end + minutes(30)), log.append(example_deduct(), at=end + minutes(30)))
    assert [outcome_of(message) for message in messages] == ["expired", "deducted", "already_deducted"]
    assert await books.entries() == [("granted", 1, 0, 5), ("deducted", 2, 5, 4), ("lapsed", 3, 4, 0)]
    assert await books.remaining() == {"voice": 0}


async def test_a_unit_goes_back_to_a_subscription_that_is_no_more_and_is_lost(worker: Worker, log: Log, books: Books) -> None:
    await worker.handle(log.append(example_activation(units={"voice": 5})))
    await connect(worker, log)
    await worker.handle(log.append(example_deduct(), at=NOW + PERIOD), log.append(example_cancellation(), at=NOW + PERIOD))
    messages = await worker.handle(log.append(example_reversal(), at=NOW + minutes(20)))
    assert [outcome_of(message) for message in messages] == ["reversed", "changed"]
    assert await books.remaining() == {"voice": 0}
    assert await books.earned() == {"MWK": 0}


async def test_sessions_are_told_apart_by_their_parties_and_an_id_belongs_to_whom_it_belonged_to(
    worker: Worker, log: Log, books: Books
) -> None:
    await worker.handle(log.append(example_activation(units={"voice": 5})))
    await connect(worker, log)
    assert await worker.handle(log.tell(hung_up(PERIOD, 9, patient_id="another"))) == []
    assert await worker.outcomes(log.append(example_deduct(patient_id="another"), at=NOW + PERIOD)) == ["session_not_found"]
    assert await worker.outcomes(log.append(example_deduct(), at=NOW + PERIOD)) == ["deducted"]
    assert await books.remaining() == {"voice": 4}


async def test_next_ticks_are_kept_for_the_sweep(worker: Worker, log: Log, connection: Any) -> None:
    async def tick() -> Any:
        return await connection.fetchval("SELECT next_tick_at FROM sessions")

    await worker.handle(log.append(example_activation(units={"voice": 5})))
    await worker.handle(log.tell(call_news(CallEventType.STARTED, 1)))
    assert await tick() is None
    await worker.handle(log.tell(call_news(CallEventType.CONNECTED, 2, connected_at=NOW)))
    assert await tick() == NOW + PERIOD
    await worker.handle(log.append(example_deduct(), at=NOW + PERIOD))
    assert await tick() == NOW + 2 * PERIOD
    await worker.handle(log.tell(call_news(CallEventType.RECONNECTING, 3, connected_at=NOW, disconnected_at=NOW + minutes(15))))
    assert await tick() is None
    await worker.handle(log.tell(call_news(CallEventType.RECONNECTED, 4, connected_at=NOW)))
    assert await tick() == NOW + 2 * PERIOD
    await worker.handle(log.tell(hung_up(minutes(17), 5)))
    assert await tick() is None


async def test_a_batch_of_a_thousand_units_is_one_transaction(worker: Worker, log: Log, connection: Any, books: Books) -> None:
    patients = [f"patient-{number}" for number in range(1000)]
    await worker.handle(
        *[log.append(example_activation(subscription_id=f"of-{patient}", patient_id=patient, units={"voice": 2})) for patient in patients]
    )
    await worker.handle(
        *[
            log.tell(call_news(CallEventType.CONNECTED, 2, call_id=f"call-{patient}", patient_id=patient, connected_at=NOW))
            for patient in patients
        ]
    )
    ticks = [
        log.append(example_deduct(session_id=f"call-{patient}", patient_id=patient), at=NOW + PERIOD + seconds(1)) for patient in patients
    ]
    assert set(await worker.outcomes(*ticks)) == {"deducted", "low"}
    assert await connection.fetchval("SELECT count(DISTINCT xmin::text) FROM ledger WHERE kind = 'deducted'") == 1
    assert await connection.fetchval("SELECT sum(remaining) FROM balances") == 1000
    await books.check()
