"""What booking shows at the command line."""

from datetime import UTC, datetime
from typing import Final

from services.booking.app import rules_of
from services.booking.store import show
from services.booking.sweeps import sweeps
from shared.console import ServiceConsole, Shown
from shared.database import Connection


async def show_appointment(connection: Connection, appointment_id: str) -> Shown | None:
    """An appointment as it stands, and whether it holds its time at this moment."""
    found = await show.appointments(connection, [appointment_id])
    if not found:
        return None
    [appointment] = found
    return Shown(fields=appointment._asdict() | {"holds_slot": appointment.holds_slot(datetime.now(UTC))})


async def show_doctor(connection: Connection, doctor_id: str) -> Shown | None:
    """What holds a doctor's time from now on."""
    held = await show.held_by_doctor(connection, doctor_id)
    time_off = await show.time_off_of_doctor(connection, doctor_id)
    if not held and not time_off:
        return None
    rows = [
        {
            "appointment_id": appointment.appointment_id,
            "starts_at": appointment.starts_at,
            "ends_at": appointment.ends_at,
            "modality": appointment.modality,
            "status": appointment.status,
            "proposed_starts_at": appointment.proposed_starts_at,
            "patient_id": appointment.patient_id,
            "expires_at": appointment.expires_at,
        }
        for appointment in held
    ]
    off = [{"time_off_id": one.time_off_id, "starts_at": one.starts_at, "ends_at": one.ends_at} for one in time_off]
    note = f"Only the next {show.SHOWN} of a kind are shown." if show.SHOWN in {len(held), len(off)} else ""
    return Shown(fields={"doctor_id": doctor_id}, lists={"appointments": rows, "time_off": off}, note=note)


CONSOLE: Final = ServiceConsole(
    service="booking",
    shows={"appointment": show_appointment, "doctor": show_doctor},
    sweeps=lambda settings: sweeps(rules_of(settings)),
)
