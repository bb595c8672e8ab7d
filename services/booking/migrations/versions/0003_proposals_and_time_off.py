"""Proposed times, how an appointment ended, and time off."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SCHEMA = "booking"
PROPOSED = sa.text("proposed_starts_at IS NOT NULL")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply it."""
    _extend_appointments()
    _create_time_off()


def _extend_appointments() -> None:
    for column in (
        sa.Column("held_since", TIME, comment="log time of the command that took its time; null: created_at"),
        sa.Column("proposed_starts_at", TIME, comment="when it is to start if the patient accepts; held beside starts_at"),
        sa.Column("status_before_proposal", sa.Text, comment="what it is again if the patient rejects"),
        sa.Column("absent", sa.Text, comment="who did not come"),
    ):
        op.add_column("appointments", column, schema=SCHEMA)
    op.create_check_constraint(
        "appointments_propose_a_time_or_not",
        "appointments",
        "(status = 'reschedule_proposed') = (proposed_starts_at IS NOT NULL)"
        " AND (status = 'reschedule_proposed') = (status_before_proposal IS NOT NULL)",
        schema=SCHEMA,
    )
    op.create_index(
        "appointments_propose_a_slot_once",
        "appointments",
        ["doctor_id", "proposed_starts_at"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=PROPOSED,
    )
    op.create_index(
        "appointments_proposed_to_a_patient",
        "appointments",
        ["patient_id", "proposed_starts_at"],
        schema=SCHEMA,
        postgresql_where=PROPOSED,
    )


def _create_time_off() -> None:
    op.create_table(
        "time_off",
        sa.Column("time_off_id", sa.Text, primary_key=True),
        sa.Column("doctor_id", sa.Text, nullable=False),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False, comment="the first moment that is free again"),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False, comment="log time of its block command"),
        sa.Column("updated_at", TIME, nullable=False, comment="business time of its last change"),
        sa.Column("changed_by_type", sa.Text, nullable=False, comment="the command that made its status what it is"),
        sa.Column("changed_by_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name="time_off_takes_time"),
        sa.CheckConstraint("version > 0", name="time_off_has_a_version"),
        sa.CheckConstraint("status IN ('blocked', 'unblocked')", name="time_off_has_a_known_status"),
        schema=SCHEMA,
        comment="Every time off as it stands.",
    )
    op.create_index(
        "time_off_of_a_doctor",
        "time_off",
        ["doctor_id", "ends_at", "starts_at"],
        schema=SCHEMA,
        postgresql_where=sa.text("status = 'blocked'"),
    )
