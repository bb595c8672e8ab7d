"""Billing on a real database: grants, units, ends and reversals, and what stands in the books after them."""

from shared.messages.calls import CallEventType
from shared.messages.fields import Role
from tests.examples import NOW, minutes
from tests.examples_of_billing import call_news, example_activation, example_deduct, seconds
from tests.integration.billing.books import Books, Log, of_type
from tests.integration.worker import Worker, outcome_of


async def test_a_call_of_ten_minutes_costs_two_units(worker: Worker, log: Log, books: Books) -> None:
    assert await worker.outcomes(log.append(example_activation(units={"voice": 5}))) == ["activated"]
    await worker.handle(log.tell(call_news(CallEventType.STARTED, 1)), log.tell(call_news(CallEventType.CONNECTED, 2, connected_at=NOW)))
    assert await worker.outcomes(log.append(example_deduct(), at=NOW + minutes(10) + seconds(0.002))) == ["deducted"]
    ended = call_news(CallEventType.ENDED, 3, connected_at=NOW, ended_at=NOW + minutes(10), ended_by=Role.PATIENT)
    messages = await worker.handle(log.tell(ended))
    assert [outcome_of(message) for message in messages] == ["deducted", "settled"]
    [settled] = of_type(messages, "settled")
    assert (settled["units_deducted"], settled["units_refused"]) == (2, 0)
    assert settled["earning"] == {"amount_minor": 800_000, "currency": "MWK"}
    assert await books.remaining() == {"voice": 3}
    assert await books.earned() == {"MWK": 800_000}
