"""The tables of notify."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, DateTime, Index, Integer, MetaData, Table, Text, Time, text

from shared.messages.notify import Channel
from shared.path.decisions import define_tables

SCHEMA: Final = "notify"
metadata: Final = MetaData(schema=SCHEMA)
decisions, positions = define_tables(metadata)

TIME: Final = DateTime(timezone=True)

notifications: Final = Table(
    "notifications",
    metadata,
    Column("notification_id", Text, primary_key=True),
    Column("recipient_id", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("params", Text, nullable=False, comment="what the text says, as JSON: ids, times, amounts"),
    Column("priority", Text, nullable=False),
    Column("about_entity", Text, nullable=False),
    Column("about_entity_id", Text, nullable=False),
    Column("about_version", Integer, comment="of the event that is the cause"),
    Column("watched_kind", Text, comment="of the entity whose state can make it untrue"),
    Column("accepted_at", TIME, nullable=False, comment="log time of its request"),
    Column("updated_at", TIME, nullable=False, comment="log time of its last change"),
    Column("inbox_at", TIME, comment="since when it lies in the recipient's inbox"),
    Column("read_at", TIME, comment="when the recipient marked it as read there"),
    Column("version", Integer, nullable=False),
    Column("cause_id", Text, nullable=False, comment="the request's id"),
    Column("correlation_id", Text, nullable=False, comment="follows a conversation across services"),
    Column("traceparent", Text),
    CheckConstraint("version > 0", name="notifications_have_a_version"),
    CheckConstraint("read_at IS NULL OR inbox_at IS NOT NULL", name="notifications_are_read_in_the_inbox"),
    Index("notifications_in_an_inbox", "recipient_id", "inbox_at", "notification_id", postgresql_where=text("inbox_at IS NOT NULL")),
    Index("notifications_unread", "recipient_id", postgresql_where=text("inbox_at IS NOT NULL AND read_at IS NULL")),
    comment="Everything that somebody was told, or was not; those with inbox_at are the in-app inbox.",
)

deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("notification_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("status", Text, nullable=False, comment="as published"),
    Column("reason", Text, comment="as published"),
    Column("attempts", Integer, nullable=False, comment="how many have begun"),
    Column("due_at", TIME, comment="when something is next to be done for it; whoever does it puts it off while they do"),
    Column("first_attempt_at", TIME, comment="when the first attempt began, since quiet hours last put it off"),
    Column("result", Text, comment="what has become of it, until that is recorded as its status"),
    Column("result_reason", Text),
    CheckConstraint("status IN ('waiting', 'sent', 'unsent', 'suppressed')", name="deliveries_have_a_known_status"),
    CheckConstraint("channel IN ('email', 'push', 'sms', 'chat', 'in_app')", name="deliveries_have_a_known_channel"),
    CheckConstraint("attempts >= 0", name="deliveries_count_attempts"),
    CheckConstraint("due_at IS NULL OR status = 'waiting'", name="deliveries_are_due_while_they_wait"),
    # The delay queue.
    Index("deliveries_due", "channel", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    comment="What has become of each notification on each channel.",
)

preferences: Final = Table(
    "preferences",
    metadata,
    Column("recipient_id", Text, primary_key=True),
    *(Column(channel, Boolean, nullable=False, comment="whether it is wanted") for channel in Channel),
    Column("quiet_from", Time, comment="on the recipient's clock"),
    Column("quiet_until", Time),
    Column("quiet_timezone", Text),
    Column("updated_at", TIME, nullable=False, comment="log time of the last change"),
    Column("version", Integer, nullable=False),
    CheckConstraint("version > 0", name="preferences_have_a_version"),
    CheckConstraint("num_nulls(quiet_from, quiet_until, quiet_timezone) IN (0, 3)", name="preferences_have_whole_quiet_hours"),
    comment="How recipients want to be told; written by commands alone.",
)

recipients: Final = Table(
    "recipients",
    metadata,
    Column("recipient_id", Text, primary_key=True),
    Column("email", Text),
    Column("push", Text),
    Column("sms", Text),
    Column("chat", Text),
    Column("language", Text, comment="a BCP 47 tag, such as en or pt-MZ"),
    Column("timezone", Text, comment="an IANA name"),
    Column("updated_at", TIME, nullable=False),
    comment="Where recipients are to be reached. Personal data: written by the command line alone, never sent through a topic.",
)

entities: Final = Table(
    "entities",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("entity_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    comment="The status of what people are told about, as heard from the other services' events.",
)

#: The channels whose addresses are columns of ``recipients``.
ADDRESSED: Final[tuple[Channel, ...]] = tuple(channel for channel in Channel if channel is not Channel.IN_APP)
