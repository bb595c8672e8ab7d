"""Asks Kafka and the processes themselves whether a mesh is ready: the truth, not a flag."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.group import LeaveGroupRequest

from shared.health_check import ask
from shared.kafka_client import client_options
from shared.settings import Settings

_COORDINATOR_PROBE_SECONDS = 0.05
#: What Kafka says about a group while its coordinator comes up.
_NOT_YET = frozenset({"GroupCoordinatorNotAvailableError", "GroupLoadInProgressError", "NotCoordinatorForGroupError"})


@dataclass(frozen=True, kw_only=True)
class GroupStatus:
    """One consumer group as Kafka sees it."""

    group: str
    #: Kafka's word: Stable, PreparingRebalance, CompletingRebalance, Empty, Dead; or why Kafka could not say.
    state: str
    #: The ids that Kafka gave to the members.
    members: frozenset[str] = frozenset()
    #: The topics that the members subscribe to; empty while the group rebalances.
    topics: frozenset[str] = frozenset()
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
        # The admin client has no call to take a member out of a group.
        self._client = AIOKafkaClient(**client_options(settings), request_timeout_ms=5_000)

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            aiokafka.errors.KafkaError: no broker is to be reached.
        """
        try:
            await self._admin.start()
            await self._client.bootstrap()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Disconnect."""
        await self._admin.close()
        await self._client.close()

    async def wait_coordinators(self, groups: Sequence[str]) -> None:
        """Return once Kafka can speak about each of these groups.

        Whoever asks a fresh broker first is told that there is no coordinator, and thereby makes it create the topic of offsets: consumers that
        start after this join at once.
        """
        for group in groups:
            while (await self._group(group)).state in _NOT_YET:
                await asyncio.sleep(_COORDINATOR_PROBE_SECONDS)

    async def dismiss_members(self, groups: Sequence[str]) -> None:
        """Take out of these groups whoever is in them: members of a mesh that was killed, which Kafka would otherwise wait for.

        Only for a Kafka that nobody else can have members on.
        """
        for status in await self.groups(groups):
            for member in status.members:
                coordinator = await self._admin.find_coordinator(status.group)
                await self._client.send(coordinator, LeaveGroupRequest(status.group, member))

    async def groups(self, names: Sequence[str]) -> list[GroupStatus]:
        """Return the status of these groups, in this order; what Kafka cannot say now becomes its ``state``."""
        # One at a time: aiokafka reads answers about several groups of one coordinator wrongly (it takes version 3 for version 2).
        return [await self._group(name) for name in names]

    async def _group(self, name: str) -> GroupStatus:
        try:
            (response,) = await self._admin.describe_consumer_groups([name])
            error_code, _, state, _, _, members, *_ = response.groups[0]
            if error_code:
                return GroupStatus(group=name, state=for_code(error_code).__name__)
            topics: set[str] = set()
            assigned: set[tuple[str, int]] = set()
            # While a group rebalances, what its members sent is empty.
            for _, _, _, metadata, assignment, *_ in members if state == "Stable" else ():
                topics |= set(ConsumerProtocolMemberMetadata.decode(metadata).subscription)
                assigned |= _partitions(assignment)
            ids = frozenset(member[0] for member in members)
            partitions = await self._partition_count(sorted(topics))
        except (KafkaError, OSError) as error:
            return GroupStatus(group=name, state=type(error).__name__)
        return GroupStatus(
            group=name, state=state, members=ids, topics=frozenset(topics), partitions_assigned=len(assigned), partitions=partitions
        )

    async def _partition_count(self, topics: list[str]) -> int:
        if not topics:
            return 0
        return sum(len(topic["partitions"]) for topic in await self._admin.describe_topics(topics))


async def problems_of_process(health_port: int) -> str:
    """Why a process of this machine is not ready, in its own words; empty when it is."""
    try:
        ready, says = await asyncio.to_thread(ask, "127.0.0.1", health_port, "readyz")
        return "" if ready else " ".join(json.loads(says)["problems"])
    except OSError as error:
        return f"It does not answer on port {health_port} ({type(error).__name__})."
    except (ValueError, KeyError, TypeError):
        return f"Something else answers on its port {health_port}."


def _partitions(assignment: bytes) -> set[tuple[str, int]]:
    if not assignment:
        return set()
    decoded = ConsumerProtocolMemberAssignment.decode(assignment)
    return {(topic, partition) for topic, partitions in decoded.assignment for partition in partitions}
