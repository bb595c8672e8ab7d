"""Workers and sweeps that are killed: no deadline is lost, and none fires twice in effect."""

import random
from collections import Counter

from tests.system.harness.calls_commands import DOCTOR, activity, on_call, start, text_start
from tests.system.harness.mesh import Mesh
from tests.system.harness.waiting import SOAK, until

SESSION = "session_timeout=3"
ROUNDS = 4 * SOAK
#: Of each kind, in each round.
EACH = 15


async def test_every_deadline_fires_once_whoever_is_killed(calls: Mesh) -> None:
    chance = random.Random(11)
    consumers = [calls.consumer(SESSION) for _ in range(2)]
    processors = [calls.processor(SESSION) for _ in range(2)]
    await calls.assigned(2)
    await calls.assigned(2, group=f"{calls.group}-processor")
    async with calls.python_producer() as one, calls.native_producer() as other:
        for turn in range(ROUNDS):
            names = [f"{turn}-{number}" for number in range(EACH)]
            await one.publish([start(f"stale-{n}", f"stale-d-{n}", f"stale-p-{n}", f"start-stale-{n}") for n in names])
            await other.publish([start(f"lost-{n}", f"lost-d-{n}", f"lost-p-{n}", f"start-lost-{n}") for n in names])
            await other.publish([on_call("connect", f"lost-{n}", f"lost-d-{n}", f"lost-p-{n}", f"connect-{n}", by=DOCTOR) for n in names])
            await other.publish([on_call("disconnect", f"lost-{n}", f"lost-d-{n}", f"lost-p-{n}", f"disconnect-{n}") for n in names])
            await one.publish([text_start(f"waiting-{n}", f"waiting-d-{n}", f"waiting-p-{n}", f"start-waiting-{n}") for n in names])
            await one.publish([text_start(f"silent-{n}", f"silent-d-{n}", f"silent-p-{n}", f"start-silent-{n}") for n in names])
            await one.publish([activity(f"silent-{n}", f"silent-d-{n}", f"silent-p-{n}", f"answer-{n}") for n in names])
            # Whoever it hits: a worker in the middle of this, or the one that sweeps the round before.
            victims, role = (consumers, calls.consumer) if turn % 2 == 0 else (processors, calls.processor)
            victim = chance.choice(victims)
            await victim.kill()
            victims.remove(victim)
            victims.append(role(SESSION))

        async def nothing_waits() -> bool:
            return await calls.query("SELECT 1 FROM sessions WHERE deadline_at IS NOT NULL") == []

        await calls.decided()
        await until(nothing_waits, "all is over", seconds=60)
        await calls.end_sweeps()
        await calls.is_clean()
    events = await calls.read_events()
    total = ROUNDS * EACH
    assert events.differing() == []
    reasons = Counter(event["reason"] for end in ("failed", "expired", "ended") for event in events.of_type(end))
    assert reasons == {"connect_timeout": total, "reconnect_timeout": total, "no_answer": total, "inactivity": total}
    deadline_of = {event.get("call_id") or event["session_id"]: event["deadline_at"] for event in events.values if event.get("deadline_at")}
    for end in ("failed", "expired", "ended"):
        for event in events.of_type(end):
            assert event["time"] == deadline_of[event.get("call_id") or event["session_id"]]
    requests = {record.header("ce_id"): record.json for record in await calls.read("notify.commands.v1")}
    told = Counter(request["template"] for request in requests.values())
    assert told == {
        "call_incoming": 2 * total,
        "call_failed": total,
        "session_started": 2 * total,
        "session_expired": total,
        "session_ended": 4 * total,
    }
