"""What stands now, for a batch, for people and for the state topic: appointments, and what holds a doctor's time."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Text, bindparam, text

from services.booking.domain.appointment import Appointment
from services.booking.domain.time_off import TimeOff
from services.booking.store.rows import appointment_of, time_off_of
from services.booking.store.tables import HOLDS_SLOT, LONGEST
from shared.database import Connection, fetch, joined

#: So many of a doctor's appointments, and so many times off, are shown at the most.
SHOWN: Final = 100

_BY_ID: Final = text(
    "SELECT * FROM appointments WHERE appointment_id = ANY (string_to_array(:ids, chr(10)))",
).bindparams(bindparam("ids", type_=Text))
_HELD_BY_DOCTOR: Final = text(
    f"""
    SELECT * FROM appointments
    WHERE doctor_id = :doctor_id AND {HOLDS_SLOT} AND starts_at > clock_timestamp() - {LONGEST} AND ends_at > clock_timestamp()
    ORDER BY doctor_id, starts_at LIMIT {SHOWN}
    """,
).bindparams(bindparam("doctor_id", type_=Text))
_TIME_OFF_OF_DOCTOR: Final = text(
    f"""
    SELECT * FROM time_off
    WHERE doctor_id = :doctor_id AND status = 'blocked' AND ends_at > clock_timestamp()
    ORDER BY doctor_id, ends_at LIMIT {SHOWN}
    """,
).bindparams(bindparam("doctor_id", type_=Text))


async def appointments(connection: Connection, appointment_ids: Collection[str]) -> list[Appointment]:
    """Those of these appointments that exist, as they stand."""
    return [appointment_of(row) for row in await fetch(connection, _BY_ID, {"ids": joined(appointment_ids)})]


async def held_by_doctor(connection: Connection, doctor_id: str) -> list[Appointment]:
    """What holds a doctor's time from now on, in its order."""
    return [appointment_of(row) for row in await fetch(connection, _HELD_BY_DOCTOR, {"doctor_id": doctor_id})]


async def time_off_of_doctor(connection: Connection, doctor_id: str) -> list[TimeOff]:
    """What is blocked of a doctor's time from now on, the first to end first."""
    return [time_off_of(row) for row in await fetch(connection, _TIME_OFF_OF_DOCTOR, {"doctor_id": doctor_id})]
