"""A group that has committed more in Kafka than the database knows: the database has lost decisions, and must not go on as if not."""

from collections.abc import Mapping

import structlog
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.kafka_client import client_options
from shared.path import decisions
from shared.path.backoff import Backoff
from shared.path.decisions import Positions
from shared.path.errors import DATABASE_ERRORS, Failure, FatalError, classify, describe
from shared.settings import Settings

_log = structlog.get_logger()


def check_nothing_was_lost(
    committed: Mapping[TopicPartition, int | None], decided: Positions, consumer_group: str, bootstrap_servers: str
) -> None:
    """Compare the offsets that a group committed with the positions that it wrote in the database.

    Raises:
        FatalError: a partition is further in Kafka than in the database.
    """
    for partition, offset in committed.items():
        position = decided.get((partition.topic, partition.partition), 0)
        if offset is not None and offset > position:
            message = (
                f"The group {consumer_group} has committed offset {offset} of {partition.topic}, partition "
                f"{partition.partition}, but the database has decided only up to {position}: it lost decisions (a restored backup?). "
                f"Wind the group back, so that they are taken again: kafka-consumer-groups.sh --bootstrap-server "
                f"{bootstrap_servers} --group {consumer_group} --reset-offsets --to-offset {position} "
                f"--topic {partition.topic}:{partition.partition} --execute"
            )
            raise FatalError(message)


async def check_group(settings: Settings, engine: AsyncEngine, consumer_group: str) -> None:
    """Compare all that a group has committed with the database, once both answer.

    Raises:
        FatalError: the database has lost decisions, or does not let this process in.
    """
    backoff = Backoff()
    while True:
        try:
            # Kafka first: what is decided and committed meanwhile must not look like something that the database lost.
            committed = await _committed(settings, consumer_group)
            async with engine.connect() as connection:
                decided = await decisions.read_positions(connection, consumer_group)
        except (*DATABASE_ERRORS, KafkaError) as error:
            if classify(error) is Failure.FATAL:
                message = f"The database refuses to say what it has decided: {describe(error)}. Run `caremesh migrate`."
                raise FatalError(message) from error
            _log.warning("The group's offsets cannot be checked for now, trying again", error=describe(error))
            await backoff.wait()
            continue
        return check_nothing_was_lost(committed, decided, consumer_group, settings.kafka_bootstrap_servers)


async def _committed(settings: Settings, consumer_group: str) -> dict[TopicPartition, int | None]:
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        offsets = await admin.list_consumer_group_offsets(consumer_group)
    finally:
        await admin.close()
    return {partition: None if committed.offset < 0 else committed.offset for partition, committed in offsets.items()}
