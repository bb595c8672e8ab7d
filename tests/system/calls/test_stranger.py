"""A plain producer and a plain consumer that know nothing but the contract."""

from tests.system.harness.calls_commands import DOCTOR, activity, on_call, start, text_end, text_start
from tests.system.harness.mesh import Mesh
from tests.system.harness.waiting import until

PAIR = ("doctor-1", "patient-1")


async def test_a_call_from_start_to_end_a_lost_one_a_stale_one_and_a_text_session(calls: Mesh) -> None:
    calls.consumer()
    calls.processor()
    await calls.assigned(1)
    await calls.assigned(1, group=f"{calls.group}-processor")
    async with calls.native_producer() as producer:
        await producer.publish(
            [
                start(None, *PAIR, "ring"),
                start("busy", "doctor-1", "patient-2", "ring-too"),
            ]
        )
        await calls.decided()
        started = (await calls.read_events()).outcome("ring")
        assert (started["type"], started["status"], started["version"]) == ("calls.call.started.v1", "connecting", 1)
        call_id = started["call_id"]
        await producer.publish(
            [
                on_call("connect", call_id, *PAIR, "take", by=DOCTOR),
                on_call("connect", call_id, *PAIR, "take-again"),
                on_call("disconnect", call_id, *PAIR, "lose"),
                on_call("reconnect", call_id, *PAIR, "regain"),
                on_call("end", call_id, *PAIR, "hang-up", by=DOCTOR),
                on_call("end", call_id, *PAIR, "hang-up-too"),
                start("stale", *PAIR, "ring-in-vain"),
                text_start("text", "doctor-2", "patient-2", "open"),
                activity("text", "doctor-2", "patient-2", "hello", by="patient"),
                activity("text", "doctor-2", "patient-2", "answer"),
                text_end("text", "doctor-2", "patient-2", "close"),
                activity("text", "doctor-2", "patient-2", "too-late", by="patient"),
            ]
        )
        await until(lambda: has_failed(calls), "the stale call fails")
        await producer.publish(
            [start("lost", *PAIR, "ring-3"), on_call("connect", "lost", *PAIR, "take-3"), on_call("disconnect", "lost", *PAIR, "lose-3")]
        )
        await until(lambda: has_ended(calls, "lost"), "the lost call ends")
        await calls.end_sweeps()
        await calls.is_clean()
        events = await calls.read_events()
        words = {
            identifier: outcome["type"].split(".")[2]
            for identifier, outcome in events.outcomes().items()
            if not identifier.startswith("time_out")
        }
        reasons = {
            identifier: outcome.get("reason") for identifier, outcome in events.outcomes().items() if words.get(identifier) == "rejected"
        }
        assert reasons == {
            "ring-too": "doctor_busy",
            "take-again": "wrong_status",
            "hang-up-too": "wrong_status",
            "too-late": "session_not_active",
        }
        assert [words[identifier] for identifier in ("take", "lose", "regain", "hang-up", "open", "hello", "answer", "close")] == [
            "connected",
            "reconnecting",
            "reconnected",
            "ended",
            "started",
            "activity_recorded",
            "activity_recorded",
            "ended",
        ]
        assert events.outcome("hang-up-too")["conflict"]["command"] == {"source": "/tests", "id": "hang-up", "type": "calls.call.end.v1"}
        (activated,) = events.of_type("activated")
        assert activated["decision"]["command"]["id"] == "answer"
        closed = events.outcome("close")
        assert (closed["patient_activity_count"], closed["doctor_activity_count"]) == (1, 1)

        (failed,) = events.of_type("failed")
        assert (failed["call_id"], failed["failure_reason"]) == ("stale", "Connection timeout after 3 seconds")
        assert (failed["is_connected"], failed["sessions_used"], failed["connected_seconds"]) == (False, 0, 0)
        lost = next(event for event in events.of_type("ended") if event.get("call_id") == "lost")
        assert (lost["reason"], lost["ended_by"]) == ("reconnect_timeout", "system")
        assert lost["ended_at"] == events.outcome("lose-3")["disconnected_at"]
        assert lost["time"] == events.outcome("lose-3")["deadline_at"]

        requests = {(record.json["recipient_id"], record.json["template"]) for record in await calls.read("notify.commands.v1")}
        assert requests == {
            ("doctor-1", "call_incoming"),
            ("doctor-1", "session_ended"),
            ("patient-1", "session_ended"),
            ("patient-1", "call_failed"),
            ("doctor-2", "session_started"),
            ("doctor-2", "session_ended"),
            ("patient-2", "session_ended"),
        }
    log = "".join(process.log() for process in calls.crew.all)
    for line in ("Stale connection failed", "Activity recorded", "Activity refused"):
        assert line in log


async def has_failed(calls: Mesh) -> bool:
    return bool(await calls.query("SELECT 1 FROM sessions WHERE status = 'failed'"))


async def has_ended(calls: Mesh, session_id: str) -> bool:
    return bool(await calls.query("SELECT 1 FROM sessions WHERE status = 'ended' AND session_id = $1", session_id))
