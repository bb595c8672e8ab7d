"""Appointments, decisions and positions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SCHEMA = "booking"
HOLDS_SLOT = sa.text("status IN ('pending', 'confirmed', 'reschedule_proposed')")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply it."""
    _create_appointments()
    _create_decisions()
    _create_positions()


def _create_appointments() -> None:
    op.create_table(
        "appointments",
        sa.Column("appointment_id", sa.Text, primary_key=True),
        sa.Column("doctor_id", sa.Text, nullable=False),
        sa.Column("patient_id", sa.Text, nullable=False),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False, comment="the first moment that is free again"),
        sa.Column("modality", sa.Text, nullable=False),
        sa.Column("user_timezone", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False, comment="log time of its book command"),
        sa.Column("updated_at", TIME, nullable=False, comment="business time of its last change"),
        sa.Column("expires_at", TIME, comment="until when somebody must answer"),
        sa.Column("warned_at", TIME, comment="when the parties were warned of its expiry"),
        sa.Column("cancelled_by", sa.Text),
        sa.Column("cancellation_reason", sa.Text),
        sa.Column("changed_by_type", sa.Text, nullable=False, comment="the command that made its status what it is"),
        sa.Column("changed_by_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name="appointments_take_time"),
        sa.CheckConstraint("version > 0", name="appointments_have_a_version"),
        sa.CheckConstraint(
            "status IN ('pending', 'confirmed', 'reschedule_proposed', 'cancelled', 'completed', 'no_show')",
            name="appointments_have_a_known_status",
        ),
        schema=SCHEMA,
        comment="Every appointment as it stands.",
    )
    op.create_index(
        "appointments_hold_a_slot_once",
        "appointments",
        ["doctor_id", "starts_at"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=HOLDS_SLOT,
    )
    op.create_index("appointments_of_a_patient", "appointments", ["patient_id", "starts_at"], schema=SCHEMA, postgresql_where=HOLDS_SLOT)
    op.create_index("appointments_due", "appointments", ["expires_at"], schema=SCHEMA, postgresql_where=sa.text("expires_at IS NOT NULL"))
    op.create_index(
        "appointments_to_warn",
        "appointments",
        ["expires_at"],
        schema=SCHEMA,
        postgresql_where=sa.text("expires_at IS NOT NULL AND warned_at IS NULL"),
    )


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False, comment="of type, key and canonical data"),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False, comment="the type of the first event, and the reason of a refusal"),
        sa.Column("messages", sa.LargeBinary, nullable=False, comment="as published, to the byte: JSON in UTF-8"),
        sa.Column("decided_at", TIME, nullable=False, comment="the database's clock; for people only"),
        schema=SCHEMA,
        comment="One row for each decided command: inbox, outbox and audit.",
    )
    op.create_index("decisions_decided_at", "decisions", ["decided_at"], schema=SCHEMA, postgresql_using="brin")


def _create_positions() -> None:
    op.create_table(
        "positions",
        sa.Column("consumer_group", sa.Text, primary_key=True),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        schema=SCHEMA,
        comment="Up to where each group has decided, written with the decisions.",
    )
