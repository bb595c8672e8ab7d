"""Sweeps at the command line: what is due, and one run by hand."""

import json
from datetime import datetime

from tests.system.calls.test_appointments import wish
from tests.system.harness.calls_commands import start, text_start
from tests.system.harness.commands import confirm, in_seconds
from tests.system.harness.mesh import Mesh
from tests.system.harness.waiting import until

PAIR = ("doctor-1", "patient-1")


async def test_what_is_due_is_listed_and_done_by_hand(mesh: Mesh, calls: Mesh) -> None:
    mesh.environment.update(CAREMESH_NO_SHOW_AFTER_SECONDS="0.5")
    mesh.consumer()
    calls.consumer()
    async with mesh.python_producer() as to_booking, calls.python_producer() as to_calls:
        await to_booking.publish([wish("apt-1", "doctor-9", "patient-9", in_seconds(5)), confirm("apt-1", "doctor-9", "confirm-1")])
        await to_calls.publish([start("call-1", *PAIR, "start-1"), text_start("text-1", "doctor-1", "patient-2", "start-2")])

        async def all_is_due() -> bool:
            listed = {sweep["name"]: sweep for sweep in json.loads(await calls.caremesh("sweeps", "list", "--json"))["sweeps"]}
            names = ("calls-time-out", "sessions-time-out", "appointments-no-show")
            return all(listed[name]["due"]["count"] == 1 for name in names)

        await until(all_is_due, "one of each is due", step=0.5)
        said = await calls.caremesh("sweeps", "run", "calls-time-out", "--debug")
        assert "calls.call.time_out.v1 time_out:call-1:1:" in said
        assert "1 command published" in said
        run = json.loads(await calls.caremesh("sweeps", "run", "sessions-time-out", "--debug", "--json"))
        assert [command["entity_id"] for command in run["commands"]] == ["text-1"]
        assert "1 command published" in await calls.caremesh("sweeps", "run", "appointments-no-show")
        await calls.decided()
        await calls.is_clean()
        await mesh.decided()
        over = {event["type"]: event for event in (await calls.read_events()).values if not event["type"].endswith("started.v1")}
        assert over.keys() == {"calls.call.failed.v1", "calls.text_session.expired.v1"}
        assert all(event["time"] == event["ended_at"] for event in over.values())
        (missed,) = (await mesh.read_events()).of_type("no_show")
        assert missed["absent"] == "both"
        call = json.loads(await calls.caremesh("show", "call", "call-1", "--json"))["call"]
        assert (call["status"], call["failure_reason"]) == ("failed", "Connection timeout after 3 seconds")
        assert datetime.fromisoformat(call["ended_at"]) == datetime.fromisoformat(over["calls.call.failed.v1"]["time"])
        assert "nothing was due" in await calls.caremesh("sweeps", "run", "calls-time-out")
