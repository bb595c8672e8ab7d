"""Subscriptions, balances, sessions and the ledger; decisions, positions and sweep runs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SCHEMA = "billing"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply it."""
    _create_subscriptions()
    _create_balances()
    _create_sessions()
    _create_ledger()
    _create_decisions()
    _create_positions()
    _create_sweep_runs()


def _create_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("subscription_id", sa.Text, primary_key=True),
        sa.Column("patient_id", sa.Text, nullable=False),
        sa.Column("granted_text", sa.Integer, nullable=False),
        sa.Column("granted_voice", sa.Integer, nullable=False),
        sa.Column("granted_video", sa.Integer, nullable=False),
        sa.Column("remaining_text", sa.Integer, nullable=False),
        sa.Column("remaining_voice", sa.Integer, nullable=False),
        sa.Column("remaining_video", sa.Integer, nullable=False),
        sa.Column("currency", sa.Text, nullable=False, comment="of what doctors earn for its units"),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False, comment="the first moment at which it gives nothing any more"),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False, comment="log time of its activate or import command"),
        sa.Column("updated_at", TIME, nullable=False, comment="business time of what made its status what it is"),
        sa.Column("cancelled_by", sa.Text),
        sa.Column("cancellation_reason", sa.Text),
        sa.Column("changed_by_source", sa.Text, nullable=False, comment="the command that made its status what it is"),
        sa.Column("changed_by_id", sa.Text, nullable=False),
        sa.Column("changed_by_type", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint(
            "remaining_text >= 0 AND remaining_voice >= 0 AND remaining_video >= 0", name="subscriptions_are_never_overdrawn"
        ),
        sa.CheckConstraint("ends_at > starts_at", name="subscriptions_take_time"),
        sa.CheckConstraint("status IN ('active', 'expired', 'cancelled')", name="subscriptions_have_a_known_status"),
        schema=SCHEMA,
        comment="Every subscription as it stands.",
    )
    op.create_index(
        "subscriptions_of_a_patient", "subscriptions", ["patient_id"], schema=SCHEMA, postgresql_where=sa.text("status = 'active'")
    )
    op.create_index(
        "subscriptions_due", "subscriptions", ["ends_at", "subscription_id"], schema=SCHEMA, postgresql_where=sa.text("status = 'active'")
    )


def _create_balances() -> None:
    op.create_table(
        "balances",
        sa.Column("patient_id", sa.Text, primary_key=True),
        sa.Column("modality", sa.Text, primary_key=True),
        sa.Column("remaining", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="of its last entry in the ledger"),
        sa.Column(
            "told_low", sa.Boolean, nullable=False, comment="whether the patient was told, since the last grant, that few units are left"
        ),
        sa.CheckConstraint("remaining >= 0", name="balances_are_never_negative"),
        schema=SCHEMA,
        comment="The units that each patient has of each modality: what the ledger's entries add up to.",
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.Text, primary_key=True),
        sa.Column("doctor_id", sa.Text, nullable=False),
        sa.Column("patient_id", sa.Text, nullable=False),
        sa.Column("modality", sa.Text, nullable=False),
        sa.Column("heard_version", sa.Integer, nullable=False, comment="of the newest event of it that was heard"),
        sa.Column("began_at", TIME, comment="when it was first connected or active"),
        sa.Column("paused_at", TIME, comment="when a connection was lost that has not come back"),
        sa.Column("over_at", TIME),
        sa.Column("ended_by_system", sa.Boolean, nullable=False),
        sa.Column(
            "units_taken", sa.Integer, nullable=False, comment="units 1 to this were deducted, whether or not some were reversed later"
        ),
        sa.Column("is_exhausted", sa.Boolean, nullable=False, comment="whether the patient was told that no unit is left for it"),
        sa.Column("next_tick_at", TIME, comment="when its next unit falls due"),
        sa.CheckConstraint("units_taken >= 0", name="sessions_take_units"),
        schema=SCHEMA,
        comment="Every call and text session that calls have told of, and how many of its units were taken.",
    )
    op.create_index(
        "sessions_due", "sessions", ["next_tick_at", "session_id"], schema=SCHEMA, postgresql_where=sa.text("next_tick_at IS NOT NULL")
    )
    op.create_index("sessions_live", "sessions", ["patient_id"], schema=SCHEMA, postgresql_where=sa.text("over_at IS NULL"))


def _create_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("patient_id", sa.Text, primary_key=True),
        sa.Column("modality", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", TIME, nullable=False, comment="business time"),
        sa.Column("before", sa.BigInteger, nullable=False, comment="the patient's units of the modality"),
        sa.Column("after", sa.BigInteger, nullable=False),
        sa.Column("subscription_id", sa.Text, nullable=False, comment="where the units come from or go to"),
        sa.Column("deduction_id", sa.Text),
        sa.Column("session_id", sa.Text),
        sa.Column("unit", sa.Integer),
        sa.Column("doctor_id", sa.Text, comment="who earns, or gives the earning back"),
        sa.Column("due_at", TIME),
        sa.Column("amount_minor", sa.BigInteger, comment="the money that goes with the unit, in minor units of the currency"),
        sa.Column("currency", sa.Text),
        sa.Column("reason_code", sa.Text),
        sa.Column("cause_source", sa.Text, nullable=False, comment="the message that led to it"),
        sa.Column("cause_id", sa.Text, nullable=False),
        sa.Column("cause_type", sa.Text, nullable=False),
        sa.CheckConstraint("before >= 0 AND after >= 0", name="ledger_balances_are_never_negative"),
        sa.CheckConstraint("sequence > 0", name="ledger_counts_from_1"),
        sa.CheckConstraint(
            "CASE kind WHEN 'granted' THEN after > before WHEN 'reversed' THEN after = before + 1"
            " WHEN 'deducted' THEN after = before - 1 WHEN 'lapsed' THEN after < before ELSE false END",
            name="ledger_kinds_say_which_way_units_go",
        ),
        sa.CheckConstraint(
            "(kind IN ('deducted', 'reversed')) = (num_nulls(deduction_id, session_id, unit, doctor_id, due_at, amount_minor, currency) = 0)",
            name="ledger_units_and_money_go_together",
        ),
        sa.CheckConstraint("amount_minor >= 0", name="ledger_amounts_are_not_negative"),
        schema=SCHEMA,
        comment="Every change of a patient's units, with what a doctor earned by it, and its cause. Never changed, only added to.",
    )
    op.create_index(
        "ledger_takes_a_unit_once",
        "ledger",
        ["session_id", "unit", "kind"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("session_id IS NOT NULL"),
    )
    op.create_index(
        "ledger_deductions",
        "ledger",
        ["deduction_id", "kind"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("deduction_id IS NOT NULL"),
    )
    op.create_index("ledger_of_a_doctor", "ledger", ["doctor_id", "at"], schema=SCHEMA, postgresql_where=sa.text("doctor_id IS NOT NULL"))
    # Entries are never changed, only followed by others.
    op.execute("REVOKE UPDATE, DELETE ON billing.ledger FROM caremesh_billing")


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
