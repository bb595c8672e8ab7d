"""What every load must come to, whatever happened to the processes meanwhile."""

from shared.auditor import Report
from tests.system.harness.mesh import Mesh
from tests.system.harness.pouring import Pour


async def nothing_lost_nothing_twice(mesh: Mesh, pour: Pour) -> Report:
    """Every command has its one outcome, every bad record its one dead letter, the database agrees, and the auditor finds nothing."""
    await mesh.decided()
    report = await mesh.is_clean(pour.acknowledged)
    events = await mesh.read_events()
    assert events.differing() == []
    assert sorted(events.outcomes().keys() ^ pour.readable) == []
    assert report.counts["booking"].dead_letters == pour.bad_records
    recorded = {row[0] for row in await mesh.query("SELECT id FROM decisions WHERE source = '/tests'")}
    assert sorted(recorded ^ pour.readable) == []
    for kind, table in (("appointment", "appointments"), ("time_off", "time_off")):
        statuses = await mesh.query(f"SELECT status, count(*) FROM {table} GROUP BY status")
        assert dict(statuses) == report.counts["booking"].entities[kind]
    return report
