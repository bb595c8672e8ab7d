"""Stream processors killed under load: every event is told, once, and how things stand is published as it is."""

from tests.system.harness.mesh import Mesh
from tests.system.harness.pouring import pouring
from tests.system.harness.progress import progress
from tests.system.harness.states import published, standing
from tests.system.harness.verdict import nothing_lost_nothing_twice
from tests.system.harness.waiting import SOAK

SESSION = "session_timeout=3"


async def test_processors_killed_and_terminated_under_load_leave_no_event_untold_and_none_told_twice(mesh: Mesh) -> None:
    mesh.consumer()
    processors = [mesh.processor(SESSION), mesh.processor(SESSION)]
    group = f"{mesh.group}-processor"
    await mesh.assigned(1)
    await mesh.assigned(2, group=group)
    async with pouring(mesh, poisoned=False) as pour:
        for blow in ("kill", "terminate") * SOAK:
            await progress(mesh, pour)
            victim = processors.pop(0)
            await (victim.kill() if blow == "kill" else victim.terminate())
            processors.append(mesh.processor(SESSION))
            await mesh.assigned(2, group=group)
        await progress(mesh, pour)
    await nothing_lost_nothing_twice(mesh, pour)
    await mesh.noticed()

    report = await mesh.is_clean(pour.acknowledged)
    assert report.counts["booking"].in_flight_notifications == 0
    requests = await mesh.read("notify.commands.v1")
    assert len({record.header("ce_id") for record in requests}) == report.counts["booking"].notifications > 0
    contents = {(record.header("ce_id"), record.content) for record in requests}
    assert len(contents) == report.counts["booking"].notifications, "copies are the same to the byte"
    assert await published(mesh) == await standing(mesh), "no record is stale, whoever published it"
    assert all(processor.runs for processor in processors)
