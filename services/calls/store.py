"""The only SQL of calls: its tables, what a batch loads, what it records, and what falls due."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final, NamedTuple

from asyncpg import Record
from sqlalchemy import Boolean, CheckConstraint, Column, DateTime, Index, Integer, MetaData, Table, Text, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.calls.domain.appointment import Appointment
from services.calls.domain.session import Call, Rules, Session, TextSession
from services.calls.wire import session_id_of
from services.calls.working_set import Sessions
from shared.codec.decode import Malformed, Received
from shared.database import Connection, NewRows, fetch
from shared.messages.booking import AppointmentEvent, AppointmentStatus
from shared.messages.calls import CallStatus, RecordActivity, StartCall, StartTextSession, TextSessionStatus
from shared.messages.fields import Command, Modality, Role
from shared.path.decisions import define_tables
from shared.path.service import Parties
from shared.sweep_runs import define_table as sweep_runs_table
from shared.sweeps import PAGE

SCHEMA: Final = "calls"
metadata: Final = MetaData(schema=SCHEMA)
decisions, positions = define_tables(metadata)
sweep_runs: Final = sweep_runs_table(metadata)

_TIME: Final = DateTime(timezone=True)
_LIVE_CALL: Final = "status IN ('connecting', 'connected', 'reconnecting')"
_OCCUPIES_DOCTOR: Final = "status <> 'waiting'"
_LIVE: Final = "status IN ('connecting', 'connected', 'reconnecting', 'waiting', 'active')"
_MAY_BE_MISSED: Final = "status = 'confirmed' AND NOT took_place AND NOT (doctor_came AND patient_came)"

sessions: Final = Table(
    "sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("modality", Text, nullable=False, comment="text: a text session; else a call"),
    Column("appointment_id", Text),
    Column("doctor_id", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_by", Text, nullable=False, comment="patient or doctor; the other is the one called"),
    Column("started_at", _TIME, nullable=False, comment="log time of its start command"),
    Column("updated_at", _TIME, nullable=False, comment="business time of its last change"),
    Column("deadline_at", _TIME, comment="when it is over by itself"),
    Column("connected_at", _TIME, comment="calls: when media first flowed"),
    Column("disconnected_at", _TIME, comment="calls: when the connection was lost that has not come back"),
    Column("failure_reason", Text, comment="calls: why it never connected"),
    Column("activated_at", _TIME, comment="text sessions: when the doctor first wrote"),
    Column("last_activity_at", _TIME, comment="text sessions: when either side last wrote"),
    Column("patient_activity_count", Integer, comment="text sessions"),
    Column("doctor_activity_count", Integer, comment="text sessions"),
    Column("ended_at", _TIME),
    Column("ended_by", Text),
    Column("reason", Text, comment="why it is over"),
    Column("changed_by_source", Text, nullable=False, comment="the command that made its status what it is"),
    Column("changed_by_id", Text, nullable=False),
    Column("changed_by_type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    CheckConstraint("version > 0", name="sessions_have_a_version"),
    CheckConstraint(
        "CASE WHEN modality = 'text' THEN status IN ('waiting', 'active', 'ended', 'expired') "
        "ELSE status IN ('connecting', 'connected', 'reconnecting', 'ended', 'failed', 'declined', 'cancelled') END",
        name="sessions_have_a_known_status",
    ),
    CheckConstraint("ended_at >= connected_at AND ended_at >= activated_at", name="sessions_end_after_they_begin"),
    # The last wall behind the locks.
    Index("sessions_call_their_doctor_once", "doctor_id", unique=True, postgresql_where=text(_LIVE_CALL)),
    Index("sessions_live_of_a_doctor", "doctor_id", postgresql_where=text(_LIVE)),
    Index("sessions_live_of_a_patient", "patient_id", postgresql_where=text(_LIVE)),
    Index("sessions_live_of_an_appointment", "appointment_id", postgresql_where=text(f"appointment_id IS NOT NULL AND {_LIVE}")),
    Index("calls_due", "deadline_at", postgresql_where=text("deadline_at IS NOT NULL AND modality <> 'text'")),
    Index("text_sessions_due", "deadline_at", postgresql_where=text("deadline_at IS NOT NULL AND modality = 'text'")),
    comment="Every call and every text session as it stands.",
)

appointments: Final = Table(
    "appointments",
    metadata,
    Column("appointment_id", Text, primary_key=True),
    Column("doctor_id", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("starts_at", _TIME, nullable=False),
    Column("ends_at", _TIME, nullable=False),
    Column("modality", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False, comment="booking's"),
    Column("doctor_came", Boolean, nullable=False, comment="started, joined or wrote in a session for it"),
    Column("patient_came", Boolean, nullable=False, comment="started, joined or wrote in a session for it"),
    Column("took_place", Boolean, nullable=False, comment="a session for it connected or became active"),
    Index("appointments_that_may_be_missed", "starts_at", postgresql_where=text(_MAY_BE_MISSED)),
    comment="Appointments as booking's events tell of them, and who came to them.",
)

_COLUMNS: Final = tuple(column.name for column in sessions.columns)
_SELECT_COLUMNS: Final = ", ".join(f"held.{name}" for name in _COLUMNS)


async def parties(connection: Connection, session_ids: Collection[str]) -> Mapping[str, Parties]:
    """Doctor and patient of those of the calls and text sessions that exist."""
    rows = await fetch(connection, _PARTIES, {"ids": list(session_ids)})
    return {session_id: Parties(doctor_id, patient_id) for session_id, doctor_id, patient_id in rows}


def _by_ids(statement: str) -> TextClause:
    return text(statement).bindparams(bindparam("ids", type_=ARRAY(Text)))


_PARTIES: Final = _by_ids("SELECT session_id, doctor_id, patient_id FROM sessions WHERE session_id = ANY (:ids)")
_BY_ID: Final = _by_ids(f"SELECT {_SELECT_COLUMNS} FROM unnest(:ids) AS named (id) JOIN sessions AS held ON held.session_id = named.id")
_APPOINTMENTS: Final = _by_ids("SELECT held.* FROM unnest(:ids) AS named (id) JOIN appointments AS held ON held.appointment_id = named.id")

# Plans are made once, often while the tables are empty and every index looks as good as the next: each subquery is tied to the
# one index that stays right when they are full.
_OCCUPYING: Final = text(
    f"""
    SELECT {_SELECT_COLUMNS} FROM unnest(:doctors) AS asked (id) CROSS JOIN LATERAL (
        SELECT * FROM sessions WHERE doctor_id = asked.id AND {_LIVE} AND {_OCCUPIES_DOCTOR} ORDER BY doctor_id OFFSET 0
    ) AS held
    UNION ALL
    SELECT {_SELECT_COLUMNS} FROM unnest(:patients) AS asked (id) CROSS JOIN LATERAL (
        SELECT * FROM sessions WHERE patient_id = asked.id AND {_LIVE} ORDER BY patient_id OFFSET 0
    ) AS held
    """,
).bindparams(bindparam("doctors", type_=ARRAY(Text)), bindparam("patients", type_=ARRAY(Text)))

#: So many of a doctor's live calls and text sessions are shown at the most.
SHOWN: Final = 100

_LIVE_OF_DOCTOR: Final = text(
    f"SELECT {_SELECT_COLUMNS} FROM sessions AS held WHERE doctor_id = :doctor_id AND {_LIVE} ORDER BY started_at LIMIT {SHOWN}",
).bindparams(bindparam("doctor_id", type_=Text))


async def sessions_standing(connection: Connection, session_ids: Collection[str]) -> list[Session]:
    """Those of the calls and text sessions that exist, as they stand."""
    return [_session(row) for row in await fetch(connection, _BY_ID, {"ids": list(session_ids)})]


async def appointment(connection: Connection, appointment_id: str) -> Appointment | None:
    """One appointment as far as it is known here, for people to look at."""
    rows = await fetch(connection, _APPOINTMENTS, {"ids": [appointment_id]})
    return _appointment(rows[0]) if rows else None


async def live_of_doctor(connection: Connection, doctor_id: str) -> list[Session]:
    """What goes on with a doctor, for people to look at."""
    return [_session(row) for row in await fetch(connection, _LIVE_OF_DOCTOR, {"doctor_id": doctor_id})]


async def load(connection: Connection, batch: Sequence[Received], rules: Rules) -> Sessions:
    """What these records need: the sessions and appointments that they are about, and what could stand in the way of new ones."""
    contents = [received.content for received in batch]
    starts = [content for content in contents if isinstance(content, StartCall | StartTextSession)]
    named = {session_id for received in batch if (session_id := _named(received)) is not None}
    loaded = [_session(row) for row in await fetch(connection, _BY_ID, {"ids": list(named)})] if named else []
    doctors = {start.doctor_id for start in starts} | _doctors_who_activate(contents, loaded)
    if doctors:
        parties = {"doctors": list(doctors), "patients": list({start.patient_id for start in starts})}
        loaded += [_session(row) for row in await fetch(connection, _OCCUPYING, parties)]
    about = {appointment_id for one in (*starts, *loaded) if (appointment_id := one.appointment_id) is not None}
    about |= {content.appointment_id for content in contents if isinstance(content, AppointmentEvent)}
    known = [_appointment(row) for row in await fetch(connection, _APPOINTMENTS, {"ids": list(about)})] if about else []
    return Sessions(rules, loaded, known)


def _named(received: Received) -> str | None:
    content = received.content
    if isinstance(content, Malformed):
        return content.entity_id
    return session_id_of(received, content) if isinstance(content, Command) else None


def _doctors_who_activate(contents: Iterable[object], loaded: Iterable[Session]) -> set[str]:
    """The doctors whose activity in a waiting text session would take one of their places."""
    waiting = {session.session_id for session in loaded if session.status is TextSessionStatus.WAITING}
    return {
        content.doctor_id
        for content in contents
        if isinstance(content, RecordActivity) and content.session_id in waiting and content.actor.role is Role.DOCTOR
    }


def _session(row: Record) -> Session:
    values = dict(row)
    values["started_by"] = Role(values["started_by"])
    values["ended_by"] = Role(values["ended_by"]) if values["ended_by"] is not None else None
    modality = Modality(values["modality"])
    if modality is Modality.TEXT:
        values["status"] = TextSessionStatus(values["status"])
        return TextSession(**{name: values[name] for name in _TEXT_SESSION_FIELDS})
    values |= {"modality": modality, "status": CallStatus(values["status"])}
    return Call(**{name: values[name] for name in _CALL_FIELDS})


_CALL_FIELDS: Final = tuple(field.name for field in fields(Call))
_TEXT_SESSION_FIELDS: Final = tuple(field.name for field in fields(TextSession))


def _appointment(row: Record) -> Appointment:
    values = dict(row)
    return Appointment(**values | {"modality": Modality(values["modality"]), "status": AppointmentStatus(values["status"])})


async def record(connection: Connection, state: Sessions) -> Sequence[NewRows]:
    """Write what a batch changed: what frees a doctor first, so that they can be called in the same batch. Say what is new."""
    changed = state.changed
    await _update(connection, _UPDATE_SESSIONS, "session_id", _CHANGING, [session for session in changed if not session.is_live])
    await _update(connection, _UPDATE_SESSIONS, "session_id", _CHANGING, [session for session in changed if session.is_live])
    await _update(connection, _UPDATE_APPOINTMENTS, "appointment_id", _CHANGING_APPOINTMENTS, state.changed_appointments)
    return [_new(sessions, state.started), _new(appointments, state.new_appointments)]


def _new(table: Table, states: Iterable[object]) -> NewRows:
    # A call has nothing in the columns of text sessions, and the other way round.
    return NewRows(table, [[getattr(state, column.name, None) for column in table.columns] for state in states])


#: The columns that can change.
_CHANGING: Final = (
    "status",
    "updated_at",
    "deadline_at",
    "connected_at",
    "disconnected_at",
    "failure_reason",
    "activated_at",
    "last_activity_at",
    "patient_activity_count",
    "doctor_activity_count",
    "ended_at",
    "ended_by",
    "reason",
    "changed_by_source",
    "changed_by_id",
    "changed_by_type",
    "version",
)
_CHANGING_APPOINTMENTS: Final = ("starts_at", "ends_at", "modality", "status", "version", "doctor_came", "patient_came", "took_place")


def _update_of(table: Table, key: str, changing: Sequence[str]) -> TextClause:
    return text(
        f"""
        UPDATE {table.name} SET {", ".join(f"{name} = changed.{name}" for name in changing)}
        FROM unnest({", ".join(f":{name}" for name in (key, *changing))}) AS changed ({", ".join((key, *changing))})
        WHERE {table.name}.{key} = changed.{key}
        """,
    ).bindparams(*(bindparam(name, type_=ARRAY(table.columns[name].type)) for name in (key, *changing)))


_UPDATE_SESSIONS: Final = _update_of(sessions, "session_id", _CHANGING)
_UPDATE_APPOINTMENTS: Final = _update_of(appointments, "appointment_id", _CHANGING_APPOINTMENTS)


async def _update(
    connection: Connection, statement: TextClause, key: str, changing: Sequence[str], states: Iterable[Session | Appointment]
) -> None:
    # Sorted, as every lock here, so that two batches never wait for each other's rows in a circle.
    states = sorted(states, key=attrgetter(key))
    if states:
        await fetch(connection, statement, {name: [getattr(state, name, None) for state in states] for name in (key, *changing)})


class SessionDeadline(NamedTuple):
    """A call or text session whose time comes, as a sweep needs it."""

    session_id: str
    doctor_id: str
    version: int
    deadline_at: datetime


class MissedAppointment(NamedTuple):
    """A confirmed appointment that has not taken place, as a sweep needs it."""

    appointment_id: str
    doctor_id: str
    version: int
    starts_at: datetime
    doctor_came: bool
    patient_came: bool


def _find_due(condition: str) -> TextClause:
    return text(
        f"""
        SELECT session_id, doctor_id, version, deadline_at
        FROM sessions
        WHERE deadline_at IS NOT NULL AND {condition}
          AND deadline_at <= :until AND (deadline_at, session_id) > (:after_deadline, :after_id)
        ORDER BY deadline_at, session_id
        LIMIT {PAGE}
        """,
    )


_FIND_DUE_CALLS: Final = _find_due("modality <> 'text'")
_FIND_DUE_TEXT_SESSIONS: Final = _find_due("modality = 'text'")
# One that goes on decides by its own deadline, soon, whether they meet. Not by EXISTS: on an empty table PostgreSQL would plan to
# read all that go on, for each page.
_FIND_MISSED: Final = text(
    f"""
    SELECT appointment_id, doctor_id, version, starts_at, doctor_came, patient_came
    FROM appointments
    WHERE {_MAY_BE_MISSED} AND starts_at <= :until AND (starts_at, appointment_id) > (:after_start, :after_id)
      AND (SELECT true FROM sessions WHERE sessions.appointment_id = appointments.appointment_id AND {_LIVE} LIMIT 1) IS NULL
    ORDER BY starts_at, appointment_id
    LIMIT {PAGE}
    """,
)
_BEFORE_ALL: Final = (datetime(1970, 1, 1, tzinfo=UTC), "")


async def find_due(
    connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None, *, text_sessions: bool
) -> list[SessionDeadline]:
    """A page of calls, or of text sessions, by deadline: those up to this moment, after that place."""
    after_deadline, after_id = after or _BEFORE_ALL
    rows = await connection.execute(
        _FIND_DUE_TEXT_SESSIONS if text_sessions else _FIND_DUE_CALLS,
        {"until": until, "after_deadline": after_deadline, "after_id": after_id},
    )
    return [SessionDeadline(*row) for row in rows]


async def find_missed(connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None) -> list[MissedAppointment]:
    """A page of confirmed appointments that have not taken place, by start: those up to this moment, after that place."""
    after_start, after_id = after or _BEFORE_ALL
    rows = await connection.execute(_FIND_MISSED, {"until": until, "after_start": after_start, "after_id": after_id})
    return [MissedAppointment(*row) for row in rows]
