"""The decision table: inbox, outbox and audit in one; and the offsets that a group has decided up to.

A command's row says that it was decided, and holds the messages to the byte. So a redelivered command is answered by
publishing them again: the input log is the retry queue, and no relay polls an outbox.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.codec.decode import Received
from shared.codec.encode import unpack
from shared.codec.record import OutgoingMessage
from shared.database import Concluding, Connection, NewRows, conclude, fetch, joined

#: (source, id)
Identity = tuple[str, str]
#: (topic, partition) → the next offset to read
Positions = Mapping[tuple[str, int], int]


def define_tables(metadata: MetaData) -> tuple[Table, Table]:
    """The tables ``decisions`` and ``positions`` of a service, in its own schema."""
    decisions = Table(
        "decisions",
        metadata,
        Column("source", Text, primary_key=True),
        Column("id", Text, primary_key=True),
        Column("type", Text, nullable=False),
        Column("fingerprint", LargeBinary, nullable=False, comment="of type, key and canonical data"),
        Column("topic", Text, nullable=False),
        Column("partition", Integer, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("outcome", Text, nullable=False, comment="the type of the first event, and the reason of a refusal"),
        Column("messages", LargeBinary, nullable=False, comment="as published, to the byte: JSON in UTF-8"),
        Column("decided_at", DateTime(timezone=True), nullable=False, comment="the database's clock; for people only"),
        # Rows are written in the order of time and removed by age: a block range index stays tiny.
        Index("decisions_decided_at", "decided_at", postgresql_using="brin"),
        comment="One row for each decided command: inbox, outbox and audit.",
    )
    positions = Table(
        "positions",
        metadata,
        Column("consumer_group", Text, primary_key=True),
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True),
        Column("next_offset", BigInteger, nullable=False),
        comment="Up to where each group has decided, written with the decisions.",
    )
    return decisions, positions


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for one command, as its row says."""

    fingerprint: bytes
    topic: str
    partition: int
    offset: int
    packed_messages: bytes

    def lies_at(self, received: Received) -> bool:
        """Whether it was decided from this very record, and not from a copy."""
        record = received.record
        return (self.topic, self.partition, self.offset) == (record.topic, record.partition, record.offset)

    def messages(self) -> list[OutgoingMessage]:
        """The messages as they were published."""
        return unpack(self.packed_messages)


class Recalled(NamedTuple):
    """What is known when a batch's turn has come.

    Attributes:
        decisions: those that were taken before for commands of the batch.
        busy: of the locks that were tried, the keys of those that somebody else holds.
        clock: the database's, read after all locks that were waited for.
    """

    decisions: dict[Identity, Decision]
    busy: frozenset[int]
    clock: datetime


# One turn for two questions that need no answer of each other. What a statement sees is fixed when it begins: after the locks that
# were waited for, before those that it tries. So it must not read anything that only these guard.
_RECALL = text(
    """
    WITH tried AS MATERIALIZED (
        SELECT clock_timestamp() AS clock, array(SELECT key FROM unnest(:tried) AS key WHERE NOT pg_try_advisory_xact_lock(key)) AS busy
    )
    SELECT clock, busy, decided.source, decided.id, fingerprint, topic, partition, "offset", messages
    FROM tried
    LEFT JOIN (
        unnest(string_to_array(:sources, chr(10)), string_to_array(:ids, chr(10))) AS asked (asked_source, asked_id)
        JOIN decisions AS decided ON decided.source = asked_source AND decided.id = asked_id
    ) ON true
    """,
).bindparams(bindparam("tried", type_=ARRAY(BigInteger)), bindparam("sources", type_=Text), bindparam("ids", type_=Text))


async def recall(connection: Connection, identities: Collection[Identity], *, tried: Sequence[int]) -> Recalled:
    """The decisions already taken for these commands; and, in the same turn, try locks that are not worth waiting for.

    Args:
        connection: in a transaction that holds what was waited for.
        identities: of the commands.
        tried: the keys of locks to hold until its end if nobody holds them.
    """
    rows = await fetch(
        connection,
        _RECALL,
        {
            "tried": tried,
            "sources": joined(source for source, _ in identities),
            "ids": joined(identifier for _, identifier in identities),
        },
    )
    clock, busy = rows[0][:2]
    found = {(source, identifier): Decision(*decision) for _, _, source, identifier, *decision in rows if source is not None}
    return Recalled(found, frozenset(busy), clock)


#: A row of the decision table, in the order of its columns.
DecisionRow = tuple[str, str, str, bytes, str, int, int, str, bytes, datetime]


def outcome_of(row: DecisionRow) -> str:
    """The type of the first event, and the reason of a refusal."""
    return row[7]


# Every part of one statement sees the rows as they were before it: so it tells what it found, too.
_ADVANCE = Concluding(
    writing="""advanced AS (
        INSERT INTO positions (consumer_group, topic, partition, next_offset)
        SELECT :consumer_group, topic, partition, next_offset
        FROM unnest(:topics, :partitions, :offsets) AS advanced (topic, partition, next_offset)
        ON CONFLICT (consumer_group, topic, partition)
        DO UPDATE SET next_offset = greatest(positions.next_offset, excluded.next_offset)
    )""",
    looking="SELECT topic, partition, next_offset FROM positions WHERE consumer_group = :consumer_group",
    types=(
        ("topics", ARRAY(Text)),
        ("partitions", ARRAY(Integer)),
        ("offsets", ARRAY(BigInteger)),
        ("consumer_group", Text()),
    ),
)


async def write(connection: Connection, news: Iterable[NewRows], consumer_group: str, positions: Positions) -> Positions:
    """Insert what a batch made, its decisions among it, and note up to where the group has decided. That never goes back.

    Returns:
        Up to where it had decided before.
    """
    # Sorted, so that an old owner of a partition and the new one never wait for each other in a circle.
    entries = sorted(positions.items())
    rows = await conclude(
        connection,
        news,
        _ADVANCE,
        {
            "consumer_group": consumer_group,
            "topics": [topic for (topic, _), _ in entries],
            "partitions": [partition for (_, partition), _ in entries],
            "offsets": [offset for _, offset in entries],
        },
    )
    return {(topic, partition): next_offset for topic, partition, next_offset in rows}


_READ = text("SELECT topic, partition, next_offset FROM positions WHERE consumer_group = :consumer_group")


async def read(connection: Connection, consumer_group: str) -> Positions:
    """Up to where the group has decided, within a batch's transaction."""
    rows = await fetch(connection, _READ, {"consumer_group": consumer_group})
    return {(topic, partition): next_offset for topic, partition, next_offset in rows}


async def read_positions(connection: AsyncConnection, consumer_group: str) -> dict[tuple[str, int], int]:
    """Up to where the group has decided."""
    rows = await connection.execute(_READ, {"consumer_group": consumer_group})
    return {(topic, partition): next_offset for topic, partition, next_offset in rows}


_FORGET = text(
    """
    DELETE FROM decisions
    WHERE ctid = ANY (array(SELECT ctid FROM decisions WHERE decided_at < :before LIMIT :at_most))
    """,
)


async def forget(connection: AsyncConnection, before: datetime, at_most: int = 5_000) -> int:
    """Remove decisions that are older than every record they could answer.

    Returns:
        How many were removed.
    """
    result = await connection.execute(_FORGET, {"before": before, "at_most": at_most})
    return result.rowcount


def retention_limit(now: datetime, retention_days: float) -> datetime:
    """Decisions from before this moment are removed."""
    return now - timedelta(days=retention_days)
