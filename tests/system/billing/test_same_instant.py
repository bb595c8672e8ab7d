"""Hang-up, tick and an end by hand at the same instant: each unit is charged once, whoever was first."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

from tests.system.harness.accounts import balances_of, units_of
from tests.system.harness.billing_commands import activate, call_event, deduct
from tests.system.harness.mesh import Mesh
from tests.system.harness.waiting import SOAK, until

PERIOD = timedelta(minutes=10)
ROUNDS, EACH = 3 * SOAK, 40


async def test_two_units_whoever_asks(billing: Mesh) -> None:
    for _ in range(2):
        billing.consumer()
    billing.processor()
    await billing.assigned(2)
    await billing.assigned(1, group=f"{billing.group}-processor")
    since = datetime.now(UTC) - timedelta(days=1)
    names = [f"{turn}-{number}" for turn in range(ROUNDS) for number in range(EACH)]
    calls_topic = billing.of("calls").events_topic
    async with (
        billing.python_producer() as one,
        billing.native_producer() as other,
        billing.batch_producer(calls_topic) as begin,
        billing.batch_producer(calls_topic) as end,
    ):
        await one.publish([activate(f"sub-{name}", f"p-{name}", f"pay-{name}", starts_at=since, voice=10) for name in names])
        await billing.decided()
        for turn in range(ROUNDS):
            these = names[turn * EACH : (turn + 1) * EACH]
            connected_at = datetime.now(UTC) - PERIOD
            parties = {name: (f"call-{name}", f"d-{name}", f"p-{name}") for name in these}
            # Calls may publish what they have published before: each of their events comes three times.
            connected = [call_event("connected", 2, *parties[name], connected_at=connected_at) for name in these]
            await begin.publish(connected * 3)
            await until(partial(has_heard, billing, (turn + 1) * EACH), "the sessions are heard of")
            ended_at = connected_at + PERIOD
            hung_up = [
                call_event("ended", 3, *parties[name], connected_at=connected_at, ended_at=ended_at, ended_by="patient") for name in these
            ]
            # The sweep asks for the first unit within this very second.
            await asyncio.gather(
                end.publish(hung_up * 3),
                one.publish([deduct(f"call-{name}", 1, f"d-{name}", f"p-{name}", f"one-1-{name}") for name in these]),
                other.publish([deduct(f"call-{name}", 2, f"d-{name}", f"p-{name}", f"other-2-{name}") for name in these]),
                other.publish([deduct(f"call-{name}", 1, f"d-{name}", f"p-{name}", f"other-1-{name}") for name in these]),
            )
        await until(lambda: has_settled(billing, len(names)), "all are settled", seconds=60)
        await billing.end_sweeps()
        await billing.is_clean(alone=True)
    events = await billing.read_events()
    assert events.differing() == []
    assert units_of(events) == {f"call-{name}": {1, 2} for name in names}
    assert set(balances_of(events).values()) == {8}
    for event in events.of_type("settled"):
        assert (event["units_deducted"], event["units_refused"], event["earning"]["amount_minor"]) == (2, 0, 800_000)
    charged_by = {event["deduction_id"]: event["decision"]["command"]["type"] for event in events.of_type("deducted")}
    refusals = events.of_type("rejected")
    assert {event["reason"] for event in refusals} <= {"already_deducted", "not_due"}
    for event in refusals:
        assert event["deduction_id"] in charged_by
    # Every command has its outcome, whoever charged the unit.
    asked = {f"{who}-{name}" for name in names for who in ("one-1", "other-1", "other-2")}
    assert asked <= events.outcomes().keys()
    assert Counter(charged_by.values()).keys() <= {"billing.session_unit.deduct.v1", "calls.call.ended.v1"}


async def has_heard(billing: Mesh, sessions: int) -> bool:
    return await billing.query("SELECT count(*) FROM sessions") == [(sessions,)]


async def has_settled(billing: Mesh, sessions: int) -> bool:
    return await billing.query("SELECT count(*) FROM sessions WHERE over_at IS NOT NULL") == [(sessions,)]
