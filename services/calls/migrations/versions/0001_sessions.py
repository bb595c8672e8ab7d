"""Calls and text sessions, appointments as booking tells of them, decisions, positions and runs of sweeps."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SCHEMA = "calls"
LIVE_CALL = "status IN ('connecting', 'connected', 'reconnecting')"
LIVE = "status IN ('connecting', 'connected', 'reconnecting', 'waiting', 'active')"
MAY_BE_MISSED = "status = 'confirmed' AND NOT took_place AND NOT (doctor_came AND patient_came)"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply it."""
    _create_sessions()
    _create_appointments()
    _create_decisions()
    _create_positions()
    _create_sweep_runs()


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.Text, primary_key=True),
        sa.Column("modality", sa.Text, nullable=False, comment="text: a text session; else a call"),
        sa.Column("appointment_id", sa.Text),
        sa.Column("doctor_id", sa.Text, nullable=False),
        sa.Column("patient_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("started_by", sa.Text, nullable=False, comment="patient or doctor; the other is the one called"),
        sa.Column("started_at", TIME, nullable=False, comment="log time of its start command"),
        sa.Column("updated_at", TIME, nullable=False, comment="business time of its last change"),
        sa.Column("deadline_at", TIME, comment="when it is over by itself"),
        sa.Column("connected_at", TIME, comment="calls: when media first flowed"),
        sa.Column("disconnected_at", TIME, comment="calls: when the connection was lost that has not come back"),
        sa.Column("failure_reason", sa.Text, comment="calls: why it never connected"),
        sa.Column("activated_at", TIME, comment="text sessions: when the doctor first wrote"),
        sa.Column("last_activity_at", TIME, comment="text sessions: when either side last wrote"),
        sa.Column("patient_activity_count", sa.Integer, comment="text sessions"),
        sa.Column("doctor_activity_count", sa.Integer, comment="text sessions"),
        sa.Column("ended_at", TIME),
        sa.Column("ended_by", sa.Text),
        sa.Column("reason", sa.Text, comment="why it is over"),
        sa.Column("changed_by_source", sa.Text, nullable=False, comment="the command that made its status what it is"),
        sa.Column("changed_by_id", sa.Text, nullable=False),
        sa.Column("changed_by_type", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("version > 0", name="sessions_have_a_version"),
        sa.CheckConstraint(
            "CASE WHEN modality = 'text' THEN status IN ('waiting', 'active', 'ended', 'expired') "
            "ELSE status IN ('connecting', 'connected', 'reconnecting', 'ended', 'failed', 'declined', 'cancelled') END",
            name="sessions_have_a_known_status",
        ),
        sa.CheckConstraint("ended_at >= connected_at AND ended_at >= activated_at", name="sessions_end_after_they_begin"),
        schema=SCHEMA,
        comment="Every call and every text session as it stands.",
    )
    _create_session_index("sessions_call_their_doctor_once", "doctor_id", LIVE_CALL, unique=True)
    _create_session_index("sessions_live_of_a_doctor", "doctor_id", LIVE)
    _create_session_index("sessions_live_of_a_patient", "patient_id", LIVE)
    _create_session_index("sessions_live_of_an_appointment", "appointment_id", f"appointment_id IS NOT NULL AND {LIVE}")
    _create_session_index("calls_due", "deadline_at", "deadline_at IS NOT NULL AND modality <> 'text'")
    _create_session_index("text_sessions_due", "deadline_at", "deadline_at IS NOT NULL AND modality = 'text'")


def _create_session_index(name: str, column: str, where: str, *, unique: bool = False) -> None:
    op.create_index(name, "sessions", [column], unique=unique, schema=SCHEMA, postgresql_where=sa.text(where))


def _create_appointments() -> None:
    op.create_table(
        "appointments",
        sa.Column("appointment_id", sa.Text, primary_key=True),
        sa.Column("doctor_id", sa.Text, nullable=False),
        sa.Column("patient_id", sa.Text, nullable=False),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("modality", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, comment="booking's"),
        sa.Column("doctor_came", sa.Boolean, nullable=False, comment="started, joined or wrote in a session for it"),
        sa.Column("patient_came", sa.Boolean, nullable=False, comment="started, joined or wrote in a session for it"),
        sa.Column("took_place", sa.Boolean, nullable=False, comment="a session for it connected or became active"),
        schema=SCHEMA,
        comment="Appointments as booking's events tell of them, and who came to them.",
    )
    op.create_index(
        "appointments_that_may_be_missed", "appointments", ["starts_at"], schema=SCHEMA, postgresql_where=sa.text(MAY_BE_MISSED)
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


def _create_sweep_runs() -> None:
    op.create_table(
        "sweep_runs",
        sa.Column("sweep", sa.Text, primary_key=True),
        sa.Column("ran_at", TIME, nullable=False, comment="when its last noted look ended, by the database's clock"),
        sa.Column("ran_by", sa.Text, nullable=False, comment="the process, as process id@host"),
        sa.Column("published_at", TIME, comment="when it last found something due"),
        sa.Column("published", sa.Integer, nullable=False, comment="for how many it published a command then"),
        schema=SCHEMA,
        comment="When each sweep last ran: for people alone.",
    )
