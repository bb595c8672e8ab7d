"""What booking shows at the command line."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from services.booking import store
from services.booking.app import rules_of
from services.booking.sweeps import sweeps
from shared.console import ServiceConsole, Shown
from shared.database import Connection


async def show_appointment(connection: Connection, appointment_id: str) -> Shown | None:
    """An appointment as it stands, and whether it holds its time at this moment."""
    appointment = await store.appointment(connection, appointment_id)
    if appointment is None:
        return None
    return Shown(fields=asdict(appointment) | {"holds_slot": appointment.holds_slot(datetime.now(UTC))})


async def show_doctor(connection: Connection, doctor_id: str) -> Shown | None:
    """What holds a doctor's time from now on."""
    held = await store.held_by_doctor(connection, doctor_id)
    if not held:
        return None
    rows = [
        {
            "appointment_id": appointment.appointment_id,
            "starts_at": appointment.starts_at,
            "ends_at": appointment.ends_at,
            "modality": appointment.modality,
            "status": appointment.status,
            "patient_id": appointment.patient_id,
            "expires_at": appointment.expires_at,
        }
        for appointment in held
    ]
    note = f"Only the next {store.SHOWN} appointments are shown." if len(held) == store.SHOWN else ""
    return Shown(fields={"doctor_id": doctor_id}, lists={"appointments": rows}, note=note)


CONSOLE: Final = ServiceConsole(
    service="booking",
    shows={"appointment": show_appointment, "doctor": show_doctor},
    sweeps=lambda settings: sweeps(rules_of(settings)),
)
