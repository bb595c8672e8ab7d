"""Billing's tables, in its own schema."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

from shared.path.decisions import define_tables
from shared.sweep_runs import define_table as sweep_runs_table

SCHEMA: Final = "billing"
metadata: Final = MetaData(schema=SCHEMA)
decisions, positions = define_tables(metadata)
sweep_runs: Final = sweep_runs_table(metadata)

TIME: Final = DateTime(timezone=True)

subscriptions: Final = Table(
    "subscriptions",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("patient_id", Text, nullable=False),
    Column("granted_text", Integer, nullable=False),
    Column("granted_voice", Integer, nullable=False),
    Column("granted_video", Integer, nullable=False),
    Column("remaining_text", Integer, nullable=False),
    Column("remaining_voice", Integer, nullable=False),
    Column("remaining_video", Integer, nullable=False),
    Column("currency", Text, nullable=False, comment="of what doctors earn for its units"),
    Column("starts_at", TIME, nullable=False),
    Column("ends_at", TIME, nullable=False, comment="the first moment at which it gives nothing any more"),
    Column("status", Text, nullable=False),
    Column("created_at", TIME, nullable=False, comment="log time of its activate or import command"),
    Column("updated_at", TIME, nullable=False, comment="business time of what made its status what it is"),
    Column("cancelled_by", Text),
    Column("cancellation_reason", Text),
    Column("changed_by_source", Text, nullable=False, comment="the command that made its status what it is"),
    Column("changed_by_id", Text, nullable=False),
    Column("changed_by_type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    # The last wall behind the rules and the locks.
    CheckConstraint("remaining_text >= 0 AND remaining_voice >= 0 AND remaining_video >= 0", name="subscriptions_are_never_overdrawn"),
    CheckConstraint("ends_at > starts_at", name="subscriptions_take_time"),
    CheckConstraint("status IN ('active', 'expired', 'cancelled')", name="subscriptions_have_a_known_status"),
    Index("subscriptions_of_a_patient", "patient_id", postgresql_where=text("status = 'active'")),
    Index("subscriptions_due", "ends_at", "subscription_id", postgresql_where=text("status = 'active'")),
    comment="Every subscription as it stands.",
)

balances: Final = Table(
    "balances",
    metadata,
    Column("patient_id", Text, primary_key=True),
    Column("modality", Text, primary_key=True),
    Column("remaining", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False, comment="of its last entry in the ledger"),
    Column("told_low", Boolean, nullable=False, comment="whether the patient was told, since the last grant, that few units are left"),
    CheckConstraint("remaining >= 0", name="balances_are_never_negative"),
    comment="The units that each patient has of each modality: what the ledger's entries add up to.",
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("doctor_id", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("modality", Text, nullable=False),
    Column("heard_version", Integer, nullable=False, comment="of the newest event of it that was heard"),
    Column("began_at", TIME, comment="when it was first connected or active"),
    Column("paused_at", TIME, comment="when a connection was lost that has not come back"),
    Column("over_at", TIME),
    Column("ended_by_system", Boolean, nullable=False),
    Column("units_taken", Integer, nullable=False, comment="units 1 to this were deducted, whether or not some were reversed later"),
    Column("is_exhausted", Boolean, nullable=False, comment="whether the patient was told that no unit is left for it"),
    Column("next_tick_at", TIME, comment="when its next unit falls due"),
    CheckConstraint("units_taken >= 0", name="sessions_take_units"),
    Index("sessions_due", "next_tick_at", "session_id", postgresql_where=text("next_tick_at IS NOT NULL")),
    Index("sessions_live", "patient_id", postgresql_where=text("over_at IS NULL")),
    comment="Every call and text session that calls have told of, and how many of its units were taken.",
)

ledger: Final = Table(
    "ledger",
    metadata,
    Column("patient_id", Text, primary_key=True),
    Column("modality", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", TIME, nullable=False, comment="business time"),
    Column("before", BigInteger, nullable=False, comment="the patient's units of the modality"),
    Column("after", BigInteger, nullable=False),
    Column("subscription_id", Text, nullable=False, comment="where the units come from or go to"),
    Column("deduction_id", Text),
    Column("session_id", Text),
    Column("unit", Integer),
    Column("doctor_id", Text, comment="who earns, or gives the earning back"),
    Column("due_at", TIME),
    Column("amount_minor", BigInteger, comment="the money that goes with the unit, in minor units of the currency"),
    Column("currency", Text),
    Column("reason_code", Text),
    Column("cause_source", Text, nullable=False, comment="the message that led to it"),
    Column("cause_id", Text, nullable=False),
    Column("cause_type", Text, nullable=False),
    CheckConstraint("before >= 0 AND after >= 0", name="ledger_balances_are_never_negative"),
    CheckConstraint("sequence > 0", name="ledger_counts_from_1"),
    CheckConstraint(
        "CASE kind WHEN 'granted' THEN after > before WHEN 'reversed' THEN after = before + 1"
        " WHEN 'deducted' THEN after = before - 1 WHEN 'lapsed' THEN after < before ELSE false END",
        name="ledger_kinds_say_which_way_units_go",
    ),
    CheckConstraint(
        "(kind IN ('deducted', 'reversed')) = (num_nulls(deduction_id, session_id, unit, doctor_id, due_at, amount_minor, currency) = 0)",
        name="ledger_units_and_money_go_together",
    ),
    CheckConstraint("amount_minor >= 0", name="ledger_amounts_are_not_negative"),
    # A unit of a session is deducted once and reversed once, for ever, whoever asks.
    Index("ledger_takes_a_unit_once", "session_id", "unit", "kind", unique=True, postgresql_where=text("session_id IS NOT NULL")),
    Index("ledger_deductions", "deduction_id", "kind", unique=True, postgresql_where=text("deduction_id IS NOT NULL")),
    Index("ledger_of_a_doctor", "doctor_id", "at", postgresql_where=text("doctor_id IS NOT NULL")),
    comment="Every change of a patient's units, with what a doctor earned by it, and its cause. Never changed, only added to.",
)
