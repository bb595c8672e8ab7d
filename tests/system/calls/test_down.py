"""While everything is down for longer than every time-out: what the log says is what holds, and what fell due is made up at once."""

from datetime import datetime

from tests.system.harness.calls_commands import DOCTOR, activity, on_call, start, text_start
from tests.system.harness.mesh import Mesh
from tests.system.harness.producers import PythonProducer
from tests.system.harness.reading import ending
from tests.system.harness.waiting import until

STALE, LOST, WAITING, SILENT = (
    ("stale", "doctor-1", "patient-1"),
    ("lost", "doctor-2", "patient-2"),
    ("waiting", "doctor-3", "patient-3"),
    ("silent", "doctor-4", "patient-4"),
)
IN_TIME = ("in-time", "doctor-5", "patient-5")


async def clock_of_the_log_is_past(calls: Mesh, producer: PythonProducer, deadline: float) -> None:
    async def is_past() -> bool:
        # Any command tells the time of the log: this one names nothing that exists.
        await producer.publish([on_call("end", "none", "doctor-0", "patient-0", f"tick-{len(producer.acknowledged)}")])
        return max(record.timestamp for record in await calls.read("calls.commands.v1")) / 1000 > deadline

    await until(is_past, "the deadlines pass", step=0.3)


async def test_commands_published_meanwhile_are_decided_by_the_log_alone(calls: Mesh) -> None:
    first = calls.consumer()
    async with calls.python_producer() as producer:
        await producer.publish(
            [
                start(*STALE, "start-stale"),
                start(*LOST, "start-lost"),
                on_call("connect", *LOST, "connect-lost"),
                on_call("disconnect", *LOST, "disconnect-lost"),
                text_start(*WAITING, "start-waiting"),
                text_start(*SILENT, "start-silent"),
                activity(*SILENT, "answer-silent"),
            ]
        )
        await calls.decided()
        await first.kill()
        deadlines = {event.get("call_id") or event["session_id"]: event["deadline_at"] for event in (await calls.read_events()).values}
        # Nobody runs: a call is rung and taken in time, and then everything falls due.
        await producer.publish([start(*IN_TIME, "start-in-time"), on_call("connect", *IN_TIME, "connect-in-time", by=DOCTOR)])
        await clock_of_the_log_is_past(
            calls, producer, max(datetime.fromisoformat(deadline).timestamp() for deadline in deadlines.values())
        )
        await producer.publish(
            [
                on_call("connect", *STALE, "late-connect"),
                on_call("reconnect", *LOST, "late-reconnect"),
                activity(*WAITING, "late-answer"),
                activity(*SILENT, "late-activity", by="patient"),
                start("next", "doctor-1", "patient-1", "start-next"),
            ]
        )

        calls.consumer()
        await calls.decided()
        events = await calls.read_events()
        ends = {identifier: ending(events.outcome(identifier)) for identifier in events.outcomes() if identifier.startswith("late")}
        assert ends == {
            "late-connect": "409 timed_out",
            "late-reconnect": "409 timed_out",
            "late-answer": "409 session_not_active",
            "late-activity": "409 session_not_active",
        }
        assert ending(events.outcome("connect-in-time")) == "connected"
        assert ending(events.outcome("start-next")) == "started"
        (failed,) = events.of_type("failed")
        assert failed["decision"]["command"]["id"] == "start-next", "what had lapsed gave way"

        # A sweep finds the rest at once, although it fell due long ago.
        calls.processor()

        async def nothing_waits() -> bool:
            return await calls.query("SELECT 1 FROM sessions WHERE deadline_at < now()") == []

        await until(nothing_waits, "all is made up")
        await calls.end_sweeps()
        await calls.is_clean()
        events = await calls.read_events()
    over = {event.get("call_id") or event["session_id"]: event for end in ("failed", "expired", "ended") for event in events.of_type(end)}
    assert {name: event["time"] for name, event in over.items() if name in deadlines} == deadlines
    assert {name: event["reason"] for name, event in over.items() if name in deadlines} == {
        "stale": "connect_timeout",
        "lost": "reconnect_timeout",
        "waiting": "no_answer",
        "silent": "inactivity",
    }
    assert over["lost"]["ended_at"] == events.outcome("disconnect-lost")["disconnected_at"]
    assert over["silent"]["ended_at"] == deadlines["silent"]
    assert (over["silent"]["doctor_activity_count"], over["silent"]["patient_activity_count"]) == (1, 0)
    assert events.differing() == []
