"""The page for people with kcat and a shell: each of its lines, run as it stands there."""

import asyncio
import json
import os
import re
import shutil

import pytest

from tests.architecture.sources import ROOT
from tests.system.harness.mesh import Mesh

PAGE = ROOT / "docs" / "contracts" / "by-hand.md"


@pytest.mark.skipif(shutil.which("kcat") is None, reason="there is no kcat here")
async def test_a_stranger_with_kcat_runs_an_appointment_through_its_whole_life(mesh: Mesh) -> None:
    mesh.consumer()
    mesh.processor()
    await mesh.assigned()
    await mesh.ends(mesh.events_topic)
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL))
    # The state is published by the processor, in its own time.
    steps, _, last_look = lines.rpartition("\nkcat ")
    said = await shell(mesh, steps)
    await mesh.noticed()
    *events, dead_letter = said.splitlines()
    seen = [(event["type"].split(".")[2], event.get("status") or event["reason"]) for event in map(json.loads, events)]
    assert seen == [
        ("booked", "pending"),
        ("confirmed", "confirmed"),
        ("rejected", "not_a_party"),
        ("reschedule_proposed", "reschedule_proposed"),
        ("rescheduled", "confirmed"),
        ("rejected", "not_due"),
        ("completed", "completed"),
        ("rejected", "wrong_status"),
    ]
    assert "__connect.errors.exception.class.name=invalid_envelope" in dead_letter
    key, _, state = (await shell(mesh, f"{lines.partition('# ask')[0]}\nkcat {last_look}")).partition(": ")
    assert (json.loads(state)["appointment_id"], json.loads(state)["status"]) == (key, "completed")
    await mesh.decided()


async def shell(mesh: Mesh, lines: str) -> str:
    environment = os.environ | {"KAFKA": mesh.bootstrap_servers, "PREFIX": mesh.settings.topic_prefix}
    process = await asyncio.create_subprocess_exec("bash", "-euc", lines, env=environment, stdout=asyncio.subprocess.PIPE)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 150)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()
    return output.decode().strip()
