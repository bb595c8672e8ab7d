"""Random days through a real database, in batches of any size: what the naive model says, and rows as it keeps them."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.booking.app import booking
from services.booking.store.tables import metadata
from shared.codec.decode import Received
from shared.settings import Settings
from tests.integration.conftest import MakeWorker
from tests.integration.worker import value_of
from tests.unit.booking.days import cuts, days
from tests.unit.booking.naive import NAIVE_RULES, Naive

_STANDING = "SELECT appointment_id, status, version FROM appointments UNION ALL SELECT time_off_id, status, version FROM time_off"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(day=days, lengths=cuts)
async def test_every_batch_comes_to_what_the_naive_model_says(
    day: list[Received], lengths: list[int], make_worker: MakeWorker, database_settings: Settings, engine: AsyncEngine
) -> None:
    await empty(engine)
    rules = database_settings.model_copy(
        update={
            "pending_expiry_seconds": NAIVE_RULES.pending_expiry.total_seconds(),
            "expiry_warning_seconds": NAIVE_RULES.expiry_warning.total_seconds(),
            "max_pending_per_patient": NAIVE_RULES.max_pending_per_patient,
            "max_days_ahead": NAIVE_RULES.max_ahead.days,
            "no_show_after_seconds": NAIVE_RULES.no_show_after.total_seconds(),
        }
    )
    worker, naive = make_worker(service=booking(rules)), Naive()
    position, cut = 0, 0
    while position < len(day):
        batch = day[position : position + lengths[cut % len(lengths)]]
        position, cut = position + len(batch), cut + 1
        expected = {command.id: naive.decide(command) for command in batch}
        said: dict[str, list[str]] = {}
        for message in await worker.handle(*[command.record for command in batch]):
            value = value_of(message)
            said.setdefault(value["decision"]["command"]["id"], []).append(word_of(value))
        assert {identifier: [words[0], *sorted(words[1:])] for identifier, words in said.items()} == expected
    async with engine.connect() as connection:
        rows = await connection.execute(text(_STANDING))
        assert {identifier: (status, version) for identifier, status, version in rows} == naive.standing()


def word_of(value: dict[str, Any]) -> str:
    word: str = value["type"].split(".")[2]
    if word == "rejected":
        return str(value["reason"])
    return f"expired {value['appointment_id']}" if word == "expired" else word


async def empty(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        for table in metadata.sorted_tables:
            await connection.execute(text(f"DELETE FROM {table.name}"))
