"""The tables of booking."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Integer, MetaData, Table, Text, text

from services.booking.domain.appointment import LONGEST_APPOINTMENT
from shared.path.decisions import define_tables
from shared.sweep_runs import define_table as sweep_runs_table

SCHEMA: Final = "booking"
metadata: Final = MetaData(schema=SCHEMA)
decisions, positions = define_tables(metadata)
sweep_runs: Final = sweep_runs_table(metadata)

TIME: Final = DateTime(timezone=True)
#: What queries around a time look back by.
LONGEST: Final = f"interval '{LONGEST_APPOINTMENT.total_seconds():g} seconds'"
HOLDS_SLOT: Final = "status IN ('pending', 'confirmed', 'reschedule_proposed')"

appointments: Final = Table(
    "appointments",
    metadata,
    Column("appointment_id", Text, primary_key=True),
    Column("doctor_id", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("starts_at", TIME, nullable=False),
    Column("ends_at", TIME, nullable=False, comment="the first moment that is free again"),
    Column("modality", Text, nullable=False),
    Column("user_timezone", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", TIME, nullable=False, comment="log time of its book command"),
    Column("updated_at", TIME, nullable=False, comment="business time of its last change"),
    Column("expires_at", TIME, comment="until when somebody must answer"),
    Column("warned_at", TIME, comment="when the parties were warned of its expiry"),
    Column("cancelled_by", Text),
    Column("cancellation_reason", Text),
    Column("changed_by_type", Text, nullable=False, comment="the command that made its status what it is"),
    Column("changed_by_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("held_since", TIME, comment="log time of the command that took its time; null: created_at"),
    Column("proposed_starts_at", TIME, comment="when it is to start if the patient accepts; held beside starts_at"),
    Column("status_before_proposal", Text, comment="what it is again if the patient rejects"),
    Column("absent", Text, comment="who did not come"),
    CheckConstraint("ends_at > starts_at", name="appointments_take_time"),
    CheckConstraint("version > 0", name="appointments_have_a_version"),
    CheckConstraint(
        "status IN ('pending', 'confirmed', 'reschedule_proposed', 'cancelled', 'completed', 'no_show')",
        name="appointments_have_a_known_status",
    ),
    CheckConstraint(
        "(status = 'reschedule_proposed') = (proposed_starts_at IS NOT NULL)"
        " AND (status = 'reschedule_proposed') = (status_before_proposal IS NOT NULL)",
        name="appointments_propose_a_time_or_not",
    ),
    # The last wall behind the locks, and the way to a doctor's open appointments around a time.
    Index("appointments_hold_a_slot_once", "doctor_id", "starts_at", unique=True, postgresql_where=text(HOLDS_SLOT)),
    # By status first: what of a patient's waits is counted for each booking, and a patient may have much else ahead.
    Index("appointments_of_a_patient", "patient_id", "status", "starts_at", postgresql_where=text(HOLDS_SLOT)),
    # The same two for the times that are held beside those; there are few.
    Index(
        "appointments_propose_a_slot_once",
        "doctor_id",
        "proposed_starts_at",
        unique=True,
        postgresql_where=text("proposed_starts_at IS NOT NULL"),
    ),
    Index(
        "appointments_proposed_to_a_patient",
        "patient_id",
        "proposed_starts_at",
        postgresql_where=text("proposed_starts_at IS NOT NULL"),
    ),
    # Not on the status: else the planner may count a patient's pending ones by walking over everybody's.
    Index("appointments_due", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    Index("appointments_to_warn", "expires_at", postgresql_where=text("expires_at IS NOT NULL AND warned_at IS NULL")),
    comment="Every appointment as it stands.",
)

time_off: Final = Table(
    "time_off",
    metadata,
    Column("time_off_id", Text, primary_key=True),
    Column("doctor_id", Text, nullable=False),
    Column("starts_at", TIME, nullable=False),
    Column("ends_at", TIME, nullable=False, comment="the first moment that is free again"),
    Column("status", Text, nullable=False),
    Column("created_at", TIME, nullable=False, comment="log time of its block command"),
    Column("updated_at", TIME, nullable=False, comment="business time of its last change"),
    Column("changed_by_type", Text, nullable=False, comment="the command that made its status what it is"),
    Column("changed_by_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    CheckConstraint("ends_at > starts_at", name="time_off_takes_time"),
    CheckConstraint("version > 0", name="time_off_has_a_version"),
    CheckConstraint("status IN ('blocked', 'unblocked')", name="time_off_has_a_known_status"),
    # By its end: what has passed is in nobody's way, and only grows. With its start, so that what is to come is not fetched.
    Index("time_off_of_a_doctor", "doctor_id", "ends_at", "starts_at", postgresql_where=text("status = 'blocked'")),
    comment="Every time off as it stands.",
)
