"""What calls shows at the command line."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Final

from services.calls import store
from services.calls.domain.session import Call
from services.calls.sweeps import sweeps
from shared.console import ServiceConsole, Shown
from shared.database import Connection


async def show_call(connection: Connection, call_id: str) -> Shown | None:
    """A call as it stands, and for how long it has been connected at this moment."""
    found = await store.sessions_standing(connection, [call_id])
    if not found or not isinstance(call := found[0], Call):
        return None
    return Shown(fields=asdict(call) | {"connected_seconds": call.connected_until(datetime.now(UTC)).total_seconds()})


async def show_session(connection: Connection, session_id: str) -> Shown | None:
    """A text session, or a call, as it stands."""
    found = await store.sessions_standing(connection, [session_id])
    if not found or isinstance(session := found[0], Call):
        return await show_call(connection, session_id)
    return Shown(fields=asdict(session) | {"active_seconds": session.active_until(datetime.now(UTC)).total_seconds()})


async def show_appointment(connection: Connection, appointment_id: str) -> Shown | None:
    """Who came to an appointment."""
    appointment = await store.appointment(connection, appointment_id)
    if appointment is None:
        return None
    came = ("doctor_came", "patient_came", "took_place")
    return Shown(fields={name: value for name, value in asdict(appointment).items() if name in came})


async def show_doctor(connection: Connection, doctor_id: str) -> Shown | None:
    """What goes on with a doctor, waiting text sessions included."""
    live = await store.live_of_doctor(connection, doctor_id)
    if not live:
        return None
    rows = [
        {
            "session_id": session.session_id,
            "modality": session.modality,
            "status": session.status,
            "patient_id": session.patient_id,
            "started_at": session.started_at,
            "deadline_at": session.deadline_at,
        }
        for session in live
    ]
    note = f"Only {store.SHOWN} calls and text sessions are shown." if len(live) == store.SHOWN else ""
    return Shown(fields={"doctor_id": doctor_id}, lists={"sessions": rows}, note=note)


CONSOLE: Final = ServiceConsole(
    service="calls",
    shows={"call": show_call, "session": show_session, "appointment": show_appointment, "doctor": show_doctor},
    sweeps=lambda settings: sweeps(timedelta(seconds=settings.no_show_after_seconds)),
)
