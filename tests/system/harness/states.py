"""How appointments stand: by the tables, and by the last records of the compacted topic."""

from tests.system.harness.mesh import Mesh

#: Appointment → status, version, doctor.
Standing = dict[str, tuple[str, int, str]]


async def standing(mesh: Mesh) -> Standing:
    """By the tables."""
    rows = await mesh.query("SELECT appointment_id, status, version, doctor_id FROM appointments")
    return {appointment_id: (status, version, doctor_id) for appointment_id, status, version, doctor_id in rows}


async def published(mesh: Mesh) -> Standing:
    """By the topic: the last record of each key."""
    records = await mesh.read("booking.appointments.v1")
    return {(record.key or b"").decode(): (record.json["status"], record.json["version"], record.json["doctor_id"]) for record in records}
