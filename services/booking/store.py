"""The only SQL of booking: its tables, what a batch loads, what it records, and what falls due."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

from asyncpg import Record
from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from services.booking.domain.appointment import HOLDS_SLOT, LONGEST_APPOINTMENT, Appointment, Rules
from services.booking.wire import appointment_id_of
from services.booking.working_set import Appointments, Pending
from shared.codec.decode import Malformed, Received
from shared.database import Connection, NewRows, fetch, joined
from shared.messages.booking import AppointmentStatus, BookAppointment, BookingCommand
from shared.messages.fields import Modality, Role
from shared.path.decisions import define_tables
from shared.path.service import Parties
from shared.sweep_runs import define_table as sweep_runs_table
from shared.sweeps import PAGE

SCHEMA: Final = "booking"
metadata: Final = MetaData(schema=SCHEMA)
decisions, positions = define_tables(metadata)
sweep_runs: Final = sweep_runs_table(metadata)

_LONGEST: Final = f"interval '{LONGEST_APPOINTMENT.total_seconds():g} seconds'"
_HOLDS_SLOT: Final = "status IN ('pending', 'confirmed', 'reschedule_proposed')"
_TIME: Final = DateTime(timezone=True)

appointments: Final = Table(
    "appointments",
    metadata,
    Column("appointment_id", Text, primary_key=True),
    Column("doctor_id", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("starts_at", _TIME, nullable=False),
    Column("ends_at", _TIME, nullable=False, comment="the first moment that is free again"),
    Column("modality", Text, nullable=False),
    Column("user_timezone", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", _TIME, nullable=False, comment="log time of its book command"),
    Column("updated_at", _TIME, nullable=False, comment="business time of its last change"),
    Column("expires_at", _TIME, comment="until when somebody must answer"),
    Column("warned_at", _TIME, comment="when the parties were warned of its expiry"),
    Column("cancelled_by", Text),
    Column("cancellation_reason", Text),
    Column("changed_by_type", Text, nullable=False, comment="the command that made its status what it is"),
    Column("changed_by_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    CheckConstraint("ends_at > starts_at", name="appointments_take_time"),
    CheckConstraint("version > 0", name="appointments_have_a_version"),
    CheckConstraint(
        "status IN ('pending', 'confirmed', 'reschedule_proposed', 'cancelled', 'completed', 'no_show')",
        name="appointments_have_a_known_status",
    ),
    # The last wall behind the locks, and the way to a doctor's open appointments around a time.
    Index("appointments_hold_a_slot_once", "doctor_id", "starts_at", unique=True, postgresql_where=text(_HOLDS_SLOT)),
    Index("appointments_of_a_patient", "patient_id", "starts_at", postgresql_where=text(_HOLDS_SLOT)),
    # Not on the status: else the planner may count a patient's pending ones by walking over everybody's.
    Index("appointments_due", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    Index("appointments_to_warn", "expires_at", postgresql_where=text("expires_at IS NOT NULL AND warned_at IS NULL")),
    comment="Every appointment as it stands.",
)

_COLUMNS: Final = tuple(column.name for column in appointments.columns)
_SELECT_COLUMNS: Final = ", ".join(f"held.{name}" for name in _COLUMNS)


async def parties(connection: Connection, appointment_ids: Collection[str]) -> Mapping[str, Parties]:
    """Doctor and patient of those of the appointments that exist."""
    rows = await fetch(connection, _PARTIES, {"ids": list(appointment_ids)})
    return {appointment_id: Parties(doctor_id, patient_id) for appointment_id, doctor_id, patient_id in rows}


_PARTIES: Final = text(
    "SELECT appointment_id, doctor_id, patient_id FROM appointments WHERE appointment_id = ANY (:ids)",
).bindparams(bindparam("ids", type_=ARRAY(Text)))

_BY_ID: Final = text(
    f"SELECT {_SELECT_COLUMNS} FROM unnest(:ids) AS named (id) JOIN appointments AS held ON held.appointment_id = named.id",
).bindparams(bindparam("ids", type_=ARRAY(Text)))


#: So many of a doctor's appointments are shown at the most.
SHOWN: Final = 100

_HELD_BY_DOCTOR: Final = text(
    f"""
    SELECT {_SELECT_COLUMNS} FROM appointments AS held
    WHERE doctor_id = :doctor_id AND {_HOLDS_SLOT} AND starts_at > clock_timestamp() - {_LONGEST} AND ends_at > clock_timestamp()
    ORDER BY doctor_id, starts_at LIMIT {SHOWN}
    """,
).bindparams(bindparam("doctor_id", type_=Text))


async def appointment(connection: Connection, appointment_id: str) -> Appointment | None:
    """One appointment as it stands, for people to look at."""
    rows = await fetch(connection, _BY_ID, {"ids": [appointment_id]})
    return _appointment(rows[0]) if rows else None


async def held_by_doctor(connection: Connection, doctor_id: str) -> list[Appointment]:
    """What holds a doctor's time from now on, in its order, for people to look at."""
    return [_appointment(row) for row in await fetch(connection, _HELD_BY_DOCTOR, {"doctor_id": doctor_id})]


#: The bookings of a batch, column by column.
_ASKED: Final = "string_to_array(:ids, chr(10)), string_to_array(:doctors, chr(10)), string_to_array(:patients, chr(10)), :starts, :ends"

# Plans are made once, often while the tables are empty and every index looks as good as the next. The order in each subquery
# ties it to the one index that stays right when they are full.


def _open_around(party: str) -> str:
    """A party's open appointments that could reach into the time asked for, by the party's own index."""
    return f"""
        SELECT * FROM appointments
        WHERE {party}_id = asked.{party} AND {_HOLDS_SLOT}
          AND starts_at > asked.starts_at - {_LONGEST} AND starts_at < asked.ends_at AND ends_at > asked.starts_at
        ORDER BY {party}_id, starts_at OFFSET 0
    """


# One look for each booking: whether its id is new, whether anything is in the doctor's or the patient's way; how many of the
# patient's pending ones surely count; and the deadlines of those that expire while the batch's commands were appended, for whether they count
# depends on the command. A doctor's open appointments never overlap each other: only the last that starts before the end of
# the time asked for can reach into it. Bookings that nothing is in the way of, by patients far from their limit, give no row.
_LOOK_AHEAD: Final = text(
    f"""
    SELECT asked.place, doctor.in_the_way OR ahead.in_the_way, ahead.pending, ahead.deadlines
    FROM unnest({_ASKED}) WITH ORDINALITY AS asked (id, doctor, patient, starts_at, ends_at, place)
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT FROM appointments WHERE appointment_id = asked.id) OR coalesce(asked.starts_at < (
            SELECT ends_at FROM appointments
            WHERE doctor_id = asked.doctor AND {_HOLDS_SLOT} AND starts_at < asked.ends_at
            ORDER BY doctor_id DESC, starts_at DESC
            LIMIT 1
        ), false) AS in_the_way
    ) AS doctor
    CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(starts_at < asked.ends_at AND ends_at > asked.starts_at), false) AS in_the_way,
               count(*) FILTER (WHERE status = 'pending' AND expires_at > :last) AS pending,
               array_agg(expires_at) FILTER (WHERE status = 'pending' AND expires_at BETWEEN :first AND :last) AS deadlines
        FROM (
            SELECT * FROM appointments
            WHERE patient_id = asked.patient AND {_HOLDS_SLOT} AND starts_at > least(asked.starts_at, :first) - {_LONGEST}
            ORDER BY patient_id, starts_at OFFSET 0
        ) AS of_patient
    ) AS ahead
    WHERE doctor.in_the_way OR ahead.in_the_way OR ahead.pending + coalesce(cardinality(ahead.deadlines), 0) >= :near_limit
    """,
).bindparams(
    bindparam("ids", type_=Text),
    bindparam("doctors", type_=Text),
    bindparam("patients", type_=Text),
    bindparam("starts", type_=ARRAY(_TIME)),
    bindparam("ends", type_=ARRAY(_TIME)),
    bindparam("first", type_=_TIME),
    bindparam("last", type_=_TIME),
    bindparam("near_limit", type_=Integer),
)

_IN_THE_WAY: Final = text(
    f"""
    SELECT {_SELECT_COLUMNS}
    FROM unnest({_ASKED}) AS asked (id, doctor, patient, starts_at, ends_at)
    CROSS JOIN LATERAL (
        (SELECT * FROM appointments WHERE appointment_id = asked.id)
        UNION ALL ({_open_around("doctor")})
        UNION ALL ({_open_around("patient")})
    ) AS held
    """,
).bindparams(
    bindparam("ids", type_=Text),
    bindparam("doctors", type_=Text),
    bindparam("patients", type_=Text),
    bindparam("starts", type_=ARRAY(_TIME)),
    bindparam("ends", type_=ARRAY(_TIME)),
)


class _Asked(NamedTuple):
    """A booking, and the appointment that it would make."""

    appointment_id: str
    book: BookAppointment


async def load(connection: Connection, batch: Sequence[Received], rules: Rules) -> Appointments:
    """What these commands need: the appointments that they name, and what could stand in the way of new ones."""
    named: set[str] = set()
    asked: list[_Asked] = []
    for received in batch:
        content = cast("BookingCommand | Malformed", received.content)
        if isinstance(content, BookAppointment):
            asked.append(_Asked(appointment_id_of(received, content), content))
        elif content.entity_id is not None:
            named.add(content.entity_id)
    loaded = await fetch(connection, _BY_ID, {"ids": list(named)}) if named else []
    if not asked:
        return Appointments(rules, map(_appointment, loaded), {})
    times = [received.log_time for received in batch]
    obstructed, pending = await _look_ahead(connection, asked, min(times), max(times), rules.max_pending_per_patient)
    if obstructed:
        loaded += await fetch(connection, _IN_THE_WAY, _columns(obstructed))
    return Appointments(rules, map(_appointment, loaded), pending)


async def _look_ahead(
    connection: Connection, asked: Sequence[_Asked], first: datetime, last: datetime, limit: int
) -> tuple[list[_Asked], dict[str, Pending]]:
    """The bookings that something is in the way of, and what each patient waits for who could reach the limit in this batch."""
    most_of_one_patient = max(Counter(book.patient_id for _, book in asked).values())
    bounds = {"first": first, "last": last, "near_limit": limit - most_of_one_patient}
    obstructed: list[_Asked] = []
    # Whoever is not near the limit cannot reach it in this batch, whatever they wait for already.
    pending = {book.patient_id: Pending(last) for _, book in asked}
    for place, is_obstructed, opened, deadlines in await fetch(connection, _LOOK_AHEAD, _columns(asked) | bounds):
        one = asked[place - 1]
        pending[one.book.patient_id] = Pending(last, opened, deadlines or [])
        if is_obstructed:
            obstructed.append(one)
    return obstructed, pending


def _columns(asked: Sequence[_Asked]) -> dict[str, object]:
    return {
        "ids": joined(appointment_id for appointment_id, _ in asked),
        "doctors": joined(book.doctor_id for _, book in asked),
        "patients": joined(book.patient_id for _, book in asked),
        "starts": [book.starts_at for _, book in asked],
        "ends": [book.ends_at for _, book in asked],
    }


def _appointment(row: Record) -> Appointment:
    values = dict(row)
    values["modality"] = Modality(values["modality"])
    values["status"] = AppointmentStatus(values["status"])
    values["cancelled_by"] = Role(values["cancelled_by"]) if values["cancelled_by"] is not None else None
    return Appointment(**values)


async def record(connection: Connection, state: Appointments) -> Sequence[NewRows]:
    """Write what a batch changed: what frees a slot first, so that it can be taken in the same batch. Say what is new."""
    changed = state.changed
    await _update(connection, [appointment for appointment in changed if appointment.status not in HOLDS_SLOT])
    await _update(connection, [appointment for appointment in changed if appointment.status in HOLDS_SLOT])
    return [NewRows(appointments, [_values(appointment) for appointment in state.booked])]


def _values(appointment: Appointment) -> tuple[object, ...]:
    return (
        appointment.appointment_id,
        appointment.doctor_id,
        appointment.patient_id,
        appointment.starts_at,
        appointment.ends_at,
        appointment.modality,
        appointment.user_timezone,
        appointment.status,
        appointment.created_at,
        appointment.updated_at,
        appointment.expires_at,
        appointment.warned_at,
        appointment.cancelled_by,
        appointment.cancellation_reason,
        appointment.changed_by_type,
        appointment.changed_by_id,
        appointment.version,
    )


#: The columns that can change, with their types.
_CHANGING: Final[dict[str, TypeEngine[Any]]] = {
    "status": Text(),
    "updated_at": _TIME,
    "expires_at": _TIME,
    "warned_at": _TIME,
    "cancelled_by": Text(),
    "cancellation_reason": Text(),
    "changed_by_type": Text(),
    "changed_by_id": Text(),
    "version": Integer(),
}

_UPDATE: Final = text(
    f"""
    UPDATE appointments SET {", ".join(f"{name} = changed.{name}" for name in _CHANGING)}
    FROM unnest(:appointment_id, {", ".join(f":{name}" for name in _CHANGING)})
         AS changed (appointment_id, {", ".join(_CHANGING)})
    WHERE appointments.appointment_id = changed.appointment_id
    """,
).bindparams(
    bindparam("appointment_id", type_=ARRAY(Text)),
    *(bindparam(name, type_=ARRAY(type_)) for name, type_ in _CHANGING.items()),
)


async def _update(connection: Connection, changed: Iterable[Appointment]) -> None:
    # Sorted, as every lock here, so that two batches never wait for each other's rows in a circle.
    changed = sorted(changed, key=lambda appointment: appointment.appointment_id)
    if changed:
        columns = {name: [getattr(appointment, name) for appointment in changed] for name in ("appointment_id", *_CHANGING)}
        await fetch(connection, _UPDATE, columns)


class PendingDeadline(NamedTuple):
    """A pending appointment, as a sweep needs it."""

    appointment_id: str
    doctor_id: str
    version: int
    expires_at: datetime


def _find_pending(condition: str) -> Any:
    return text(
        f"""
        SELECT appointment_id, doctor_id, version, expires_at
        FROM appointments
        WHERE {condition} AND expires_at <= :until AND (expires_at, appointment_id) > (:after_deadline, :after_id)
        ORDER BY expires_at, appointment_id
        LIMIT {PAGE}
        """,
    )


_FIND_PENDING: Final = _find_pending("status = 'pending'")
_FIND_UNWARNED: Final = _find_pending("status = 'pending' AND warned_at IS NULL")
_BEFORE_ALL: Final = (datetime(1970, 1, 1, tzinfo=UTC), "")


async def find_pending(
    connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None, *, unwarned: bool = False
) -> list[PendingDeadline]:
    """A page of pending appointments by deadline, those up to this moment, after that place."""
    after_deadline, after_id = after or _BEFORE_ALL
    rows = await connection.execute(
        _FIND_UNWARNED if unwarned else _FIND_PENDING,
        {"until": until, "after_deadline": after_deadline, "after_id": after_id},
    )
    return [PendingDeadline(*row) for row in rows]
