"""Random histories through a real database, in batches of any size: word for word what one message after another comes to in memory."""

from random import Random
from typing import Any

import orjson
import pytest

from services.billing.app import rules_of
from shared.codec.decode import Received
from shared.codec.encode import encode_command, encode_event
from shared.codec.record import StoredRecord
from shared.messages.events import Event
from shared.settings import Settings
from tests.integration.billing.books import Books
from tests.integration.billing.conftest import MakeWorker
from tests.integration.worker import value_of
from tests.unit.billing.histories import Shelf, history, read


def told(value: dict[str, Any]) -> dict[str, Any]:
    """Without what the database's clock says."""
    return {name: part for name, part in value.items() if name != "decision"}


@pytest.mark.parametrize("seed", range(8))
async def test_batches_come_to_what_one_message_after_another_does(
    seed: int, make_worker: MakeWorker, database_settings: Settings, books: Books
) -> None:
    random, records = Random(seed), history(seed)
    shelf, workers = Shelf(rules_of(database_settings)), [make_worker() for _ in range(3)]
    seen: dict[tuple[str, str], Any] = {}
    position = 0
    while position < len(records):
        batch = records[position : position + random.choice([1, 2, 7, 30])]
        position += len(batch)
        expected = []
        for record in batch:
            expected += in_memory(shelf, record, seen)
        # A copy of an event gets no answer, and each command comes once.
        said = [told(value_of(message)) for message in await random.choice(workers).handle(*batch)]
        assert said == expected
    await books.check()
    rows = await books.connection.fetch("SELECT patient_id, modality, remaining, told_low FROM balances")
    assert {(row["patient_id"], row["modality"]): (row["remaining"], row["told_low"]) for row in rows} == {
        (balance.patient_id, str(balance.modality)): (balance.remaining, balance.told_low) for balance in shelf.balances.values()
    }
    assert sum(1 for entry in shelf.entries if entry.deduction is not None) > 10, "the history is one to learn from"


def in_memory(shelf: Shelf, record: StoredRecord, seen: dict[tuple[str, str], Any]) -> list[dict[str, Any]]:
    received: Received = read(record)
    if (received.source, received.id) in seen:
        return []
    seen[received.source, received.id] = received
    messages = [
        encode_event(said, cause=received, index=index, service="billing", topic="events", decided_at="")
        if isinstance(said, Event)
        else encode_command(said.command, topic="commands", source="/caremesh/billing", identifier="")
        for index, said in enumerate(shelf.decide(received))
    ]
    return [told(orjson.loads(message.value or b"")) for message in messages]
