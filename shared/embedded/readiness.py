"""Asks Kafka whether the consumer groups of a mesh have their partitions: the truth about ready, not a flag."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from shared.kafka_client import client_options
from shared.settings import Settings

_COORDINATOR_PROBE_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class GroupStatus:
    """One consumer group as Kafka sees it."""

    group: str
    #: Kafka's word: Stable, PreparingRebalance, CompletingRebalance, Empty, Dead; or why Kafka could not say.
    state: str
    members: int = 0
    partitions_assigned: int = 0
    #: Of the topics that the members subscribe to.
    partitions: int = 0

    @property
    def ready(self) -> bool:
        """Whether every partition of the group's topics is in some member's hands."""
        return self.state == "Stable" and 0 < self.partitions == self.partitions_assigned


class ReadinessProbe:
    """One connection to Kafka, to ask about groups as often as needed; use it as ``async with``."""

    def __init__(self, settings: Settings) -> None:
        """Name the Kafka; its address is filled in."""
        self._admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=5_000)

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            aiokafka.errors.KafkaError: no broker is to be reached.
        """
        try:
            await self._admin.start()
        except BaseException:
            await self._admin.close()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Disconnect."""
        await self._admin.close()

    async def wait_coordinators(self, groups: Sequence[str]) -> None:
        """Return once Kafka has a coordinator for each of these groups.

        Whoever asks a fresh broker first is told that there is none, and thereby makes it create the topic of offsets: consumers that start
        after this join at once.
        """
        for group in groups:
            while True:
                try:
                    await self._admin.find_coordinator(group)
                    break
                except GroupCoordinatorNotAvailableError:
                    await asyncio.sleep(_COORDINATOR_PROBE_SECONDS)

    async def groups(self, names: Sequence[str]) -> list[GroupStatus]:
        """Return the status of these groups, in this order; what Kafka cannot say now becomes its ``state``."""
        # One at a time: aiokafka reads answers about several groups of one coordinator wrongly (it takes version 3 for version 2).
        return [await self._group(name) for name in names]

    async def _group(self, name: str) -> GroupStatus:
        try:
            (response,) = await self._admin.describe_consumer_groups([name])
            _, _, state, _, _, members, *_ = response.groups[0]
            topics: set[str] = set()
            assigned: set[tuple[str, int]] = set()
            # While a group rebalances, what its members sent is empty.
            for _, _, _, metadata, assignment, *_ in members if state == "Stable" else ():
                topics |= set(ConsumerProtocolMemberMetadata.decode(metadata).subscription)
                assigned |= _partitions(assignment)
            partitions = await self._partition_count(sorted(topics))
        except (KafkaError, OSError) as error:
            return GroupStatus(group=name, state=type(error).__name__)
        return GroupStatus(group=name, state=state, members=len(members), partitions_assigned=len(assigned), partitions=partitions)

    async def _partition_count(self, topics: list[str]) -> int:
        if not topics:
            return 0
        return sum(len(topic["partitions"]) for topic in await self._admin.describe_topics(topics))


def _partitions(assignment: bytes) -> set[tuple[str, int]]:
    if not assignment:
        return set()
    decoded = ConsumerProtocolMemberAssignment.decode(assignment)
    return {(topic, partition) for topic, partitions in decoded.assignment for partition in partitions}
