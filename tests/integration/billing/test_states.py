"""The topic of balances, and what the command line shows: what the books say, and why."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.billing.console import CONSOLE
from services.billing.states import STATES
from shared.codec.record import OutgoingMessage
from shared.database import transaction
from shared.messages.billing import BILLING_EVENTS, BalanceState
from shared.messages.calls import CallEventType
from shared.messages.fields import EventData, Modality, Role
from shared.path.watchdog import Watchdog
from shared.state_topic import StateTopics
from tests.examples import NOW, minutes
from tests.examples_of_billing import (
    PERIOD,
    call_news,
    example_activation,
    example_cancellation,
    example_deduct,
    example_reversal,
)
from tests.integration.billing.books import Log
from tests.integration.worker import Worker, value_of


def events_of(messages: Sequence[OutgoingMessage]) -> list[EventData]:
    values = [(value_of(message), message) for message in messages if message.topic.endswith("events.v1")]
    return [BILLING_EVENTS[value["type"]].model_validate_json(message.value or b"") for value, message in values]


@pytest.fixture
def topics(engine: AsyncEngine, watchdog: Watchdog) -> StateTopics:
    return StateTopics(STATES, service="billing", topic_prefix="test", engine=engine, watchdog=watchdog)


@pytest.fixture
async def messages(worker: Worker, log: Log) -> list[OutgoingMessage]:
    """A patient buys, calls for fourteen minutes, is given a unit back, and cancels."""
    said = await worker.handle(
        log.append(example_activation(units={"text": 3, "voice": 5}), identifier="the-payment"),
        log.tell(call_news(CallEventType.CONNECTED, 2, connected_at=NOW)),
        log.append(example_deduct(), identifier="the-tick", at=NOW + PERIOD),
        log.tell(call_news(CallEventType.ENDED, 3, connected_at=NOW, ended_at=NOW + minutes(14), ended_by=Role.PATIENT)),
        log.append(example_reversal(), identifier="the-complaint", at=NOW + minutes(20)),
    )
    return list(said)


async def test_a_balance_is_published_as_it_stands_on_its_patients_partition(
    messages: list[OutgoingMessage], topics: StateTopics, worker: Worker, log: Log
) -> None:
    unpublished = topics.after(events_of(messages))
    published = sorted(await unpublished(), key=lambda message: message.key or b"")
    assert [(message.topic, message.key, message.partition_key) for message in published] == [
        ("test.billing.balances.v1", b"patient-1:text", b"patient-1"),
        ("test.billing.balances.v1", b"patient-1:voice", b"patient-1"),
    ]
    states = [BalanceState.model_validate_json(message.value or b"") for message in published]
    assert [(state.modality, state.remaining, state.version, state.time) for state in states] == [
        (Modality.TEXT, 3, 1, NOW),
        (Modality.VOICE, 4, 4, NOW + minutes(20)),
    ]
    assert await unpublished() == []
    await worker.handle(log.append(example_cancellation(), at=NOW + minutes(21)))
    assert {value_of(message)["remaining"] for message in await unpublished()} == {0}, "who looks again finds the newest"


async def show(engine: AsyncEngine, kind: str, identifier: str) -> Any:
    async with transaction(engine) as connection:
        return await CONSOLE.shows[kind](connection, identifier)


@pytest.mark.usefixtures("messages")
async def test_a_subscription_is_shown_with_each_entry_and_the_message_that_led_to_it(engine: AsyncEngine) -> None:
    found = await show(engine, "subscription", "sub-1")
    assert found.fields["units"] == {"text": 3, "voice": 5, "video": 0}
    assert found.fields["units_remaining"] == {"text": 3, "voice": 4, "video": 0}
    assert [(row["entry"], row["units"], row["balance"], row["session"], row["because_of"]) for row in found.lists["ledger"]] == [
        ("reversed", "+1 voice", "3 → 4", "session-1, unit 1", "billing.session_unit.reverse.v1 the-complaint of /tests"),
        ("deducted", "-1 voice", "4 → 3", "session-1, unit 2", "calls.call.ended.v1 session-1-3 of /caremesh/calls"),
        ("deducted", "-1 voice", "5 → 4", "session-1, unit 1", "billing.session_unit.deduct.v1 the-tick of /tests"),
        ("granted", "+3 text", "0 → 3", None, "billing.subscription.activate.v1 the-payment of /tests"),
        ("granted", "+5 voice", "0 → 5", None, "billing.subscription.activate.v1 the-payment of /tests"),
    ]
    assert found.lists["ledger"][0]["which_lies_at"] == "test.billing.commands.v1/0/2"
    assert found.lists["ledger"][0]["why"] == "complaint"
    assert found.lists["ledger"][2]["accounts"] == {
        "subscription:sub-1": "-1 voice",
        "session:session-1": "+1 voice",
        "doctor:doctor-1": "+400000 MWK",
        "platform": "-400000 MWK",
    }


@pytest.mark.usefixtures("messages")
async def test_a_doctor_is_shown_with_what_was_earned(engine: AsyncEngine) -> None:
    found = await show(engine, "doctor", "doctor-1")
    assert found.fields == {"earned_minor": {"MWK": 400_000}}
    assert [row["entry"] for row in found.lists["ledger"]] == ["reversed", "deducted", "deducted"]


@pytest.mark.usefixtures("messages")
async def test_a_patient_and_a_session_are_shown(engine: AsyncEngine) -> None:
    patient = await show(engine, "patient", "patient-1")
    assert patient.fields == {"patient_id": "patient-1", "units": {"text": 3, "voice": 4}}
    assert [row["voice"] for row in patient.lists["subscriptions"]] == ["4 of 5"]
    assert len(patient.lists["ledger"]) == 5
    session = await show(engine, "call", "session-1")
    assert session.fields == {"units_taken": 2, "no_unit_left": False}
    assert [row["session"] for row in session.lists["ledger"]] == [f"session-1, unit {unit}" for unit in (1, 2, 1)]
    assert await show(engine, "session", "session-1") is None, "it is a call"


@pytest.mark.parametrize("kind", ["subscription", "patient", "doctor", "session", "call"])
async def test_what_billing_knows_nothing_of_is_not_shown(kind: str, engine: AsyncEngine) -> None:
    assert await show(engine, kind, "nobody") is None
