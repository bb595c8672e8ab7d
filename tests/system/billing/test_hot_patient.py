"""Two hundred sessions of one patient, with as many doctors, fall due at once against fifty units, while workers are killed."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import cycle

from tests.system.harness.accounts import balances_of, earned, units_of
from tests.system.harness.billing_commands import RATES, activate, call_event
from tests.system.harness.commands import Message
from tests.system.harness.mesh import Mesh
from tests.system.harness.processes import Process
from tests.system.harness.reading import ending
from tests.system.harness.waiting import until

SESSIONS, UNITS, WORKERS, DEATHS = 200, 50, 4, 10
PERIOD = timedelta(minutes=10)
PATIENT = "patient-1"
SESSION_TIMEOUT = "session_timeout=3"
#: So many die, each in turn between its commit and its publication, or right after that.
FAULTS = cycle(["kill_before_publish=1", "kill_after_publish=1", "kill_before_publish=2", "kill_after_publish=2"])
#: Small batches: many workers come to the same account again and again.
SMALL = {"CAREMESH_BATCH_MAX_RECORDS": "10"}


def tell(word: str, version: int, number: int, connected_at: datetime, ended_at: datetime | None = None) -> Message:
    return call_event(
        word,
        version,
        f"call-{number}",
        f"doctor-{number}",
        PATIENT,
        connected_at=connected_at,
        ended_at=ended_at,
        ended_by=None if ended_at is None else "system",
    )


async def test_exactly_the_units_that_there_are_are_deducted_and_paid(billing: Mesh) -> None:
    billing.environment.update(SMALL)
    first = billing.consumer()
    async with billing.python_producer() as producer, billing.batch_producer(billing.of("calls").events_topic) as calls:
        connected_at = datetime.now(UTC) - PERIOD
        await producer.publish([activate("sub-1", PATIENT, "payment", starts_at=connected_at, voice=UNITS)])
        await billing.decided()
        await calls.publish([tell("connected", 2, number, connected_at) for number in range(SESSIONS)] * 3)

        async def all_heard() -> bool:
            return await billing.query("SELECT count(*) FROM sessions") == [(SESSIONS,)]

        await until(all_heard, "all sessions are heard of")
        await first.terminate()
        workers = [billing.consumer(SESSION_TIMEOUT, next(FAULTS)) for _ in range(WORKERS)]
        await billing.assigned(WORKERS)
        # The sweep finds them all due, and asks for two hundred units in one go.
        processor = billing.processor()
        deaths = await deaths_until_all_are_decided(billing, workers)
        await billing.decided()
        asked = [record for record in await billing.read("billing.commands.v1") if record.header("ce_id").startswith("deduct:")]
        assert len({record.json["session_id"] for record in asked}) == SESSIONS

        # Calls end them all, and say so more than once.
        ended_at = connected_at + PERIOD + timedelta(seconds=1)
        await calls.publish([tell("ended", 3, number, connected_at, ended_at) for number in range(SESSIONS)] * 3)

        async def all_settled() -> bool:
            return await billing.query("SELECT count(*) FROM sessions WHERE over_at IS NOT NULL") == [(SESSIONS,)]

        await until(all_settled, "all sessions are settled")
        assert processor.runs
        await billing.end_sweeps()
        await billing.is_clean(alone=True)
    assert deaths == DEATHS
    events = await billing.read_events()
    assert events.differing() == []
    assert balances_of(events) == {(PATIENT, "voice"): 0}
    standing = units_of(events)
    assert len(standing) == UNITS
    assert set(map(frozenset, standing.values())) == {frozenset({1})}
    outcomes = Counter(ending(outcome) for identifier, outcome in events.outcomes().items() if identifier.startswith("deduct:"))
    # Attempts of the sweep that came while workers were dead found the unit deducted, or still nothing left.
    assert outcomes["deducted"] == UNITS
    assert outcomes.keys() <= {"deducted", "409 insufficient_balance", "409 already_deducted"}
    refused = {event["session_id"] for event in events.of_type("rejected") if event["reason"] == "insufficient_balance"}
    assert len(refused) == SESSIONS - UNITS
    assert refused.isdisjoint(standing)
    paid = earned(events)
    assert set(paid.values()) == {RATES["MWK"]["voice"]}
    assert len(paid) == UNITS
    settled = events.of_type("settled")
    assert len(settled) == SESSIONS
    assert sum(event["units_deducted"] for event in settled) == UNITS
    assert sum(event["units_refused"] for event in settled) == SESSIONS - UNITS
    assert sum(event["earning"]["amount_minor"] for event in settled) == UNITS * RATES["MWK"]["voice"]
    await patient_is_told_once_for_each_session(billing, len(refused) + 1)
    entries = await billing.query("SELECT kind, count(*), sum(amount_minor)::bigint FROM ledger GROUP BY kind")
    assert sorted(entries) == [("deducted", UNITS, UNITS * RATES["MWK"]["voice"]), ("granted", 1, None)]


async def deaths_until_all_are_decided(billing: Mesh, workers: list[Process]) -> int:
    """Put another in the place of each that dies, until each session has its unit or was refused it. The first of them die, too."""
    deaths = 0

    async def all_are_decided() -> bool:
        nonlocal deaths
        for worker in [worker for worker in workers if not worker.runs]:
            deaths += 1
            workers.remove(worker)
            workers.append(billing.consumer(SESSION_TIMEOUT, *([next(FAULTS)] if deaths + WORKERS <= DEATHS else [])))
        waiting = await billing.query("SELECT 1 FROM sessions WHERE units_taken = 0 AND NOT is_exhausted LIMIT 1")
        return deaths == DEATHS and waiting == []

    await until(all_are_decided, "all are decided, and enough workers have died", seconds=120)
    return deaths


async def patient_is_told_once_for_each_session(billing: Mesh, sessions: int) -> None:
    """Of those that were refused, and of the one that took the last unit."""
    requests = {record.header("ce_id"): record.json for record in await billing.read("notify.commands.v1")}
    told = [request["params"]["session_id"] for request in requests.values() if request["template"] == "balance_exhausted"]
    assert len(told) == len(set(told)) == sessions
    assert {request["recipient_id"] for request in requests.values() if request["template"] == "balance_exhausted"} == {PATIENT}
    assert sum(request["template"] == "balance_low" for request in requests.values()) == 1
    ends = {record.header("ce_id"): record.json for record in await billing.read("calls.commands.v1")}
    assert sorted(end["call_id"] for end in ends.values()) == sorted(told)
    assert {end["reason_code"] for end in ends.values()} == {"insufficient_balance"}
