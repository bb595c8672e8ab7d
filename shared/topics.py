"""The one list of topics, and how they are created."""

import asyncio
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaTimeoutError, TopicAlreadyExistsError
from aiokafka.partitioner import murmur2

from shared.kafka_client import client_options
from shared.settings import Settings

_WEEK: Final = timedelta(days=7)
_MONTH: Final = timedelta(days=30)
_LEADERS_SECONDS: Final = 30.0
_LOOK_AGAIN_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the mesh.

    Attributes:
        name: without the prefix.
        retention: how long a record is kept; ``None``: compacted, for ever.
        holds: what lies in it, for people.
        log_append_time: the broker's clock stamps its records: the business time of commands.
    """

    name: str
    retention: timedelta | None
    holds: str
    log_append_time: bool = False

    def full_name(self, prefix: str) -> str:
        """The topic's name in Kafka."""
        return f"{prefix}.{self.name}"

    def configuration(self) -> dict[str, str]:
        """The topic's settings in Kafka."""
        configuration = {"message.timestamp.type": "LogAppendTime" if self.log_append_time else "CreateTime"}
        if self.retention is None:
            return configuration | {"cleanup.policy": "compact"}
        return configuration | {"cleanup.policy": "delete", "retention.ms": str(int(self.retention.total_seconds() * 1000))}


TOPICS: Final = (
    Topic("booking.commands.v1", _WEEK, "commands about appointments and time off", log_append_time=True),
    Topic("booking.events.v1", _MONTH, "what became of appointments and time off"),
    Topic("booking.appointments.v1", None, "each appointment as it stands"),
    Topic("booking.commands.v1.dlq", _MONTH, "dead letters of booking"),
    Topic("booking.events.v1.dlq", _MONTH, "dead letters of booking's processor"),
    Topic("calls.commands.v1", _WEEK, "commands about calls and text sessions", log_append_time=True),
    Topic("calls.events.v1", _MONTH, "what became of calls and text sessions"),
    Topic("calls.commands.v1.dlq", _MONTH, "dead letters of calls"),
    Topic("calls.events.v1.dlq", _MONTH, "dead letters of calls' processor, and of billing"),
    Topic("calls.sessions.v1", None, "each call and text session as it stands"),
    Topic("billing.commands.v1", _WEEK, "commands about subscriptions and session units", log_append_time=True),
    Topic("billing.events.v1", _MONTH, "what became of subscriptions, session units and earnings"),
    Topic("billing.balances.v1", None, "the units that each patient has, as they stand"),
    Topic("billing.commands.v1.dlq", _MONTH, "dead letters of billing"),
    Topic("billing.events.v1.dlq", _MONTH, "dead letters of billing's processor"),
    Topic("notify.commands.v1", _WEEK, "notification requests, preferences", log_append_time=True),
    Topic("notify.events.v1", _MONTH, "what became of notifications and preferences"),
    Topic("notify.commands.v1.dlq", _MONTH, "dead letters of notify"),
)


def commands_topic(prefix: str, service: str) -> str:
    """The topic that a service takes its commands from."""
    return f"{prefix}.{service}.commands.v1"


def events_topic(prefix: str, service: str) -> str:
    """The topic that a service publishes its events to."""
    return f"{prefix}.{service}.events.v1"


def dead_letter_topic(topic: str) -> str:
    """The topic for the dead letters of a topic's consumer."""
    return f"{topic}.dlq"


@lru_cache(maxsize=200_000)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key: murmur2, as Java's and aiokafka's default partitioners have it."""
    return int(murmur2(key) & 0x7FFF_FFFF) % partitions


def fallback_partition(seed: bytes, partitions: int) -> int:
    """A stable partition for a record without a key."""
    return zlib.crc32(seed) % partitions


async def create_topics(settings: Settings, topics: Sequence[Topic] = TOPICS) -> list[str]:
    """Create the topics that do not exist yet.

    Returns:
        The names of those it created.

    Raises:
        aiokafka.errors.KafkaError: the broker refused, or is not to be reached.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.full_name(settings.topic_prefix) not in existing]
        # Somebody else may create them at this very moment: from the same list, with the same settings.
        with suppress(TopicAlreadyExistsError):
            await admin.create_topics(
                [
                    NewTopic(
                        name=topic.full_name(settings.topic_prefix),
                        num_partitions=settings.topic_partitions,
                        replication_factor=settings.topic_replication,
                        topic_configs=topic.configuration(),
                    )
                    for topic in missing
                ],
            )
        if missing:
            await _until_led(admin, [topic.full_name(settings.topic_prefix) for topic in topics])
        return [topic.full_name(settings.topic_prefix) for topic in missing]
    finally:
        await admin.close()


async def _until_led(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Return once the brokers show all partitions with their leaders.

    They learn of a new topic a moment after it is created. A group whose leader looks in that moment finds no partitions
    to give to its members, and does not look again before its metadata is out of date.

    Raises:
        KafkaTimeoutError: they do not show them.
    """
    deadline = time.monotonic() + _LEADERS_SECONDS
    while dark := [topic["topic"] for topic in await admin.describe_topics(list(names)) if not _is_led(topic)]:
        if time.monotonic() > deadline:
            message = f"{', '.join(dark)}: created {_LEADERS_SECONDS:.0f} s ago, and still without leaders; look at the brokers' logs."
            raise KafkaTimeoutError(message)
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _is_led(topic: dict[str, Any]) -> bool:
    partitions = topic["partitions"]
    return topic["error_code"] == 0 and bool(partitions) and all(entry["leader"] >= 0 and not entry["error_code"] for entry in partitions)
