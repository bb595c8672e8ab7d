"""What a batch leaves behind: what it changed, and what is new."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Integer, Text, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from services.booking.domain.appointment import Appointment
from services.booking.domain.time_off import TimeOff
from services.booking.store.rows import appointment_values, time_off_values
from services.booking.store.tables import TIME, appointments, time_off
from services.booking.working_set import Appointments
from shared.database import Connection, NewRows, fetch

Columns = dict[str, TypeEngine[Any]]

#: The columns that can change while an appointment stays where it is, with their types.
_CHANGING: Final[Columns] = {
    "status": Text(),
    "updated_at": TIME,
    "expires_at": TIME,
    "warned_at": TIME,
    "cancelled_by": Text(),
    "cancellation_reason": Text(),
    "changed_by_type": Text(),
    "changed_by_id": Text(),
    "version": Integer(),
    "absent": Text(),
}
_CHANGING_TIME_OFF: Final[Columns] = {
    "status": Text(),
    "updated_at": TIME,
    "changed_by_type": Text(),
    "changed_by_id": Text(),
    "version": Integer(),
}


def _update(table: str, key: str, changing: Columns) -> TextClause:
    return text(
        f"""
        UPDATE {table} SET {", ".join(f"{name} = changed.{name}" for name in changing)}
        FROM unnest(:{key}, {", ".join(f":{name}" for name in changing)}) AS changed ({key}, {", ".join(changing)})
        WHERE {table}.{key} = changed.{key}
        """,
    ).bindparams(bindparam(key, type_=ARRAY(Text)), *(bindparam(name, type_=ARRAY(type_)) for name, type_ in changing.items()))


_UPDATE: Final = _update("appointments", "appointment_id", _CHANGING)
_UPDATE_TIME_OFF: Final = _update("time_off", "time_off_id", _CHANGING_TIME_OFF)
_TAKE_OUT: Final = text("DELETE FROM appointments WHERE appointment_id = ANY (:ids)").bindparams(bindparam("ids", type_=ARRAY(Text)))


async def record(connection: Connection, state: Appointments) -> Sequence[NewRows]:
    """Write what a batch changed: what frees a slot first, so that it can be taken in the same batch. Say what is new.

    What moves is taken out and put in again at its new place: two that change places would be in each other's way for a moment.
    """
    moved = state.moved
    if moved:
        await fetch(connection, _TAKE_OUT, {"ids": sorted(one.appointment_id for one in moved)})
    if changed := state.changed:
        await fetch(connection, _UPDATE, _cells(changed, "appointment_id", _CHANGING))
    if changed_time_off := state.changed_time_off:
        await fetch(connection, _UPDATE_TIME_OFF, _cells(changed_time_off, "time_off_id", _CHANGING_TIME_OFF))
    return [
        NewRows(appointments, [appointment_values(one) for one in (*moved, *state.new)]),
        NewRows(time_off, [time_off_values(one) for one in state.new_time_off]),
    ]


def _cells(changed: Sequence[Appointment] | Sequence[TimeOff], key: str, changing: Columns) -> dict[str, list[object]]:
    # Sorted, as every lock here, so that two batches never wait for each other's rows in a circle.
    ordered = sorted(changed, key=lambda one: str(getattr(one, key)))
    return {name: [getattr(one, name) for one in ordered] for name in (key, *changing)}
