"""Deadlines on a real clock: they hold whether or not anybody swept."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.system.harness.commands import book, confirm, slot
from tests.system.harness.mesh import Mesh
from tests.system.harness.reading import Events
from tests.system.harness.waiting import SOAK, until

PENDING = 60 * SOAK


async def test_pending_appointments_expire_once_each_although_a_processor_is_killed(mesh: Mesh) -> None:
    mesh.environment.update(CAREMESH_PENDING_EXPIRY_SECONDS="4", CAREMESH_EXPIRY_WARNING_SECONDS="2")
    mesh.consumer()
    leader, other = mesh.processor("session_timeout=3"), mesh.processor("session_timeout=3")
    await mesh.assigned(1)
    await mesh.assigned(2, group=f"{mesh.group}-processor")
    async with mesh.python_producer() as producer:
        wishes = [book(f"doctor-{n % 5}", f"patient-{n}", slot(n), f"wish-{n}", f"apt-{n}") for n in range(PENDING)]
        for begin in range(0, PENDING, 20):
            await producer.publish(wishes[begin : begin + 20])
        # In the middle of the first to expire, whoever sweeps is killed.
        await until(lambda: "Appointment expired" in "".join(process.log() for process in mesh.crew.all), "the first expires", step=0.01)
        await (leader if "Sweep leads" in leader.log() else other).kill()
        await until(mesh.nothing_is_pending, "all expire")
        await mesh.end_sweeps()

        events = await mesh.read_events()
        for end in ("booked", "expiring", "expired"):
            assert Counter(event["appointment_id"] for event in events.of_type(end)) == {f"apt-{n}": 1 for n in range(PENDING)}, end
        deadlines = {event["appointment_id"]: event["expires_at"] for event in events.of_type("booked")}
        for event in events.of_type("expired"):
            assert event["time"] == deadlines[event["appointment_id"]]
            assert event["cancellation_reason"] == "Automatically expired - No doctor response within 4 seconds"
        requests = {record.header("ce_id"): record.json for record in await mesh.read("notify.commands.v1")}
        told = Counter((request["template"], request["priority"]) for request in requests.values())
        assert told == {
            ("appointment_requested", "normal"): PENDING,
            ("appointment_booked", "normal"): PENDING,
            ("appointment_expiring", "normal"): 2 * PENDING,
            ("appointment_expired", "critical"): PENDING,
        }
        report = await mesh.is_clean(producer.acknowledged)
        assert report.counts["booking"].in_flight_notifications == 0


@pytest.mark.parametrize("swept", [True, False], ids=["with a processor", "while every processor is down"])
async def test_a_confirm_before_the_deadline_wins_and_one_after_it_is_refused_as_expired(mesh: Mesh, *, swept: bool) -> None:
    mesh.environment.update(CAREMESH_PENDING_EXPIRY_SECONDS="2.5", CAREMESH_EXPIRY_WARNING_SECONDS="0.5")
    mesh.consumer()
    if swept:
        mesh.processor()
        await mesh.assigned(1, group=f"{mesh.group}-processor")
    await mesh.assigned(1)
    async with mesh.python_producer() as producer:
        await producer.publish([book("doctor", f"patient-{n}", slot(n), f"wish-{n}", f"apt-{n}") for n in range(20)])
        await producer.publish([confirm(f"apt-{n}", "doctor", f"in-time-{n}") for n in range(10)])
        await mesh.decided()
        deadline = last_deadline(await mesh.read_events())

        async def clock_of_the_log_is_past_it() -> bool:
            # Any command tells the time of the log: this one names nothing that exists.
            await producer.publish([confirm("apt-none", "doctor", f"tick-{len(producer.acknowledged)}")])
            return (await mesh.read("booking.commands.v1"))[-1].timestamp / 1000 > deadline

        await until(clock_of_the_log_is_past_it, "the deadline passes", step=0.3)
        await producer.publish([confirm(f"apt-{n}", "doctor", f"too-late-{n}") for n in range(10, 20)])
        await producer.publish([book("doctor", f"next-{n}", slot(n), f"next-{n}") for n in range(10, 20)])
        if swept:
            await until(mesh.nothing_is_pending, "all that nobody answered expires")
            await mesh.end_sweeps()
        await mesh.decided()
        events = await mesh.read_events()
        assert events.tally(of("in-time")) == {"confirmed": 10}
        # Whoever swept first, it is closed; who comes too late learns of it in one way or the other.
        refusals = events.tally(of("too-late"))
        assert refusals.keys() <= ({"409 expired", "409 wrong_status"} if swept else {"409 expired"})
        assert refusals.total() == 10
        assert events.tally(of("next")) == {"booked": 10}, "its slot is free at once"
        await mesh.is_clean(producer.acknowledged)


def of(prefix: str) -> Callable[[dict[str, Any]], bool]:
    return lambda value: value["decision"]["command"]["id"].startswith(prefix)


def last_deadline(events: Events) -> float:
    return max(datetime.fromisoformat(event["expires_at"]).timestamp() for event in events.of_type("booked"))
