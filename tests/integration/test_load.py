"""The load of the system tests is what it is to be: it comes to everything that booking can say."""

from collections import Counter
from itertools import count

from shared.codec.record import StoredRecord
from tests.examples import milliseconds
from tests.integration.worker import Worker
from tests.system.harness.commands import BASE, Message
from tests.system.harness.load import Load

#: In a system test that kills somebody at least so many records come from each producer.
RECORDS = 600
PRODUCERS = 4


async def test_what_producers_pour_out_comes_to_every_step_of_booking(worker: Worker) -> None:
    loads = [Load(number) for number in range(PRODUCERS)]
    offsets = count()
    # As their records lie in the log: by turns, at a time when the first slots are three days away.
    messages = [message for chunks in zip(*(load.chunk(RECORDS) for load in loads), strict=True) for message in chunks]
    records = [record_of(message, next(offsets)) for message in messages]
    outcomes: Counter[str] = Counter()
    for begin in range(0, len(records), 200):
        outcomes.update(await worker.outcomes(*records[begin : begin + 200]))
    steps = {"booked", "imported", "confirmed", "declined", "cancelled", "completed", "no_show", "blocked", "unblocked"}
    proposals = {"reschedule_proposed", "rescheduled", "reschedule_rejected", "reschedule_withdrawn"}
    refusals = {"slot_already_booked", "patient_already_booked", "wrong_status", "not_due", "invalid_data", "key_mismatch"}
    assert steps | proposals | refusals <= outcomes.keys(), outcomes
    assert sum(outcomes[step] for step in steps | proposals) > len(records) / 3
    assert sum(number for outcome, number in outcomes.items() if outcome.startswith("[")) == sum(load.bad_records for load in loads)


def record_of(message: Message, offset: int) -> StoredRecord:
    return StoredRecord(
        "test.booking.commands.v1", 0, offset, milliseconds(BASE) - 3 * 86_400_000, message.key, message.value, message.headers
    )
