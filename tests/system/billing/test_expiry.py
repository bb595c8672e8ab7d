"""Subscriptions end on time, although sweeps are killed, and their patients are told once."""

from datetime import timedelta

from tests.system.harness.accounts import balances_of
from tests.system.harness.billing_commands import activate
from tests.system.harness.mesh import Mesh
from tests.system.harness.waiting import until

COUNT = 60


async def test_each_subscription_ends_at_its_end_and_its_patient_is_told_once(billing: Mesh) -> None:
    billing.consumer()
    processors = [billing.processor("session_timeout=3") for _ in range(2)]
    await billing.assigned(1)
    await billing.assigned(2, group=f"{billing.group}-processor")
    async with billing.python_producer() as producer:
        for number in range(COUNT):
            lasts = timedelta(seconds=3 + number / 20)
            await producer.publish([activate(f"sub-{number}", f"p-{number}", f"pay-{number}", lasts=lasts, text=3, video=1)])
        await until(lambda: have_expired(billing, 1), "the first ends")
        # The one that sweeps, whichever it is.
        for processor in processors:
            await processor.kill()
            billing.processor("session_timeout=3")
        await until(lambda: have_expired(billing, COUNT), "all have ended", seconds=60)
        await billing.end_sweeps()
        await billing.is_clean()
    events = await billing.read_events()
    assert events.differing() == []
    ended = events.of_type("expired")
    assert len(ended) == COUNT
    for event in ended:
        assert event["time"] == event["ends_at"]
        assert (event["status"], event["version"], event["units_remaining"]) == ("expired", 2, {"text": 0, "voice": 0, "video": 0})
    assert set(balances_of(events).values()) == {0}
    requests = {record.header("ce_id"): record.json for record in await billing.read("notify.commands.v1")}
    told = sorted(request["recipient_id"] for request in requests.values() if request["template"] == "subscription_expired")
    assert told == sorted(f"p-{number}" for number in range(COUNT))


async def have_expired(billing: Mesh, count: int) -> bool:
    [(expired,)] = await billing.query("SELECT count(*) FROM subscriptions WHERE status = 'expired'")
    return bool(expired >= count)
