"""Notifications, deliveries, preferences, recipients, entities, decisions and positions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SCHEMA = "notify"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply it."""
    _create_notifications()
    _create_deliveries()
    _create_preferences()
    _create_recipients()
    _create_entities()
    _create_decisions()
    _create_positions()


def _create_notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("notification_id", sa.Text, primary_key=True),
        sa.Column("recipient_id", sa.Text, nullable=False),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("params", sa.Text, nullable=False, comment="what the text says, as JSON: ids, times, amounts"),
        sa.Column("priority", sa.Text, nullable=False),
        sa.Column("about_entity", sa.Text, nullable=False),
        sa.Column("about_entity_id", sa.Text, nullable=False),
        sa.Column("about_version", sa.Integer, comment="of the event that is the cause"),
        sa.Column("watched_kind", sa.Text, comment="of the entity whose state can make it untrue"),
        sa.Column("accepted_at", TIME, nullable=False, comment="log time of its request"),
        sa.Column("updated_at", TIME, nullable=False, comment="log time of its last change"),
        sa.Column("inbox_at", TIME, comment="since when it lies in the recipient's inbox"),
        sa.Column("read_at", TIME, comment="when the recipient marked it as read there"),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("cause_id", sa.Text, nullable=False, comment="the request's id"),
        sa.Column("correlation_id", sa.Text, nullable=False, comment="follows a conversation across services"),
        sa.Column("traceparent", sa.Text),
        sa.CheckConstraint("version > 0", name="notifications_have_a_version"),
        sa.CheckConstraint("read_at IS NULL OR inbox_at IS NOT NULL", name="notifications_are_read_in_the_inbox"),
        schema=SCHEMA,
        comment="Everything that somebody was told, or was not; those with inbox_at are the in-app inbox.",
    )
    in_inbox = sa.text("inbox_at IS NOT NULL")
    columns = ["recipient_id", "inbox_at", "notification_id"]
    op.create_index("notifications_in_an_inbox", "notifications", columns, schema=SCHEMA, postgresql_where=in_inbox)
    unread = sa.text("inbox_at IS NOT NULL AND read_at IS NULL")
    op.create_index("notifications_unread", "notifications", ["recipient_id"], schema=SCHEMA, postgresql_where=unread)


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("notification_id", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("status", sa.Text, nullable=False, comment="as published"),
        sa.Column("reason", sa.Text, comment="as published"),
        sa.Column("attempts", sa.Integer, nullable=False, comment="how many have begun"),
        sa.Column("due_at", TIME, comment="when something is next to be done for it; whoever does it puts it off while they do"),
        sa.Column("first_attempt_at", TIME, comment="when the first attempt began, since quiet hours last put it off"),
        sa.Column("result", sa.Text, comment="what has become of it, until that is recorded as its status"),
        sa.Column("result_reason", sa.Text),
        sa.CheckConstraint("status IN ('waiting', 'sent', 'unsent', 'suppressed')", name="deliveries_have_a_known_status"),
        sa.CheckConstraint("channel IN ('email', 'push', 'sms', 'chat', 'in_app')", name="deliveries_have_a_known_channel"),
        sa.CheckConstraint("attempts >= 0", name="deliveries_count_attempts"),
        sa.CheckConstraint("due_at IS NULL OR status = 'waiting'", name="deliveries_are_due_while_they_wait"),
        schema=SCHEMA,
        comment="What has become of each notification on each channel.",
    )
    is_due = sa.text("due_at IS NOT NULL")
    op.create_index("deliveries_due", "deliveries", ["channel", "due_at"], schema=SCHEMA, postgresql_where=is_due)


def _create_preferences() -> None:
    op.create_table(
        "preferences",
        sa.Column("recipient_id", sa.Text, primary_key=True),
        *(
            sa.Column(channel, sa.Boolean, nullable=False, comment="whether it is wanted")
            for channel in ("email", "push", "sms", "chat", "in_app")
        ),
        sa.Column("quiet_from", sa.Time, comment="on the recipient's clock"),
        sa.Column("quiet_until", sa.Time),
        sa.Column("quiet_timezone", sa.Text),
        sa.Column("updated_at", TIME, nullable=False, comment="log time of the last change"),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("version > 0", name="preferences_have_a_version"),
        sa.CheckConstraint("num_nulls(quiet_from, quiet_until, quiet_timezone) IN (0, 3)", name="preferences_have_whole_quiet_hours"),
        schema=SCHEMA,
        comment="How recipients want to be told; written by commands alone.",
    )


def _create_recipients() -> None:
    op.create_table(
        "recipients",
        sa.Column("recipient_id", sa.Text, primary_key=True),
        sa.Column("email", sa.Text),
        sa.Column("push", sa.Text),
        sa.Column("sms", sa.Text),
        sa.Column("chat", sa.Text),
        sa.Column("language", sa.Text, comment="a BCP 47 tag, such as en or pt-MZ"),
        sa.Column("timezone", sa.Text, comment="an IANA name"),
        sa.Column("updated_at", TIME, nullable=False),
        schema=SCHEMA,
        comment="Where recipients are to be reached. Personal data: written by the command line alone, never sent through a topic.",
    )


def _create_entities() -> None:
    op.create_table(
        "entities",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("entity_id", sa.Text, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        schema=SCHEMA,
        comment="The status of what people are told about, as heard from the other services' events.",
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
