"""A baseline, as a process: the durable limit. The rows and messages of a drain are written again, with no decision at all.

``python -m bench.durable_limit '{"source_url": …}'``. It takes them from the database of a mesh that has drained the same
commands, writes the rows by COPY into the same tables with the same indexes, a batch and a transaction at a time, and publishes the
messages, to the byte, by the mesh's own publisher while the next batch is being written. No decoding, no locks, no reads, no rules.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
import uvloop

from services.booking.store.tables import appointments, decisions
from shared.codec.encode import unpack
from shared.codec.record import OutgoingMessage
from shared.kafka_client import client_options
from shared.path.publisher import Publisher
from shared.path.watchdog import Watchdog
from shared.settings import Settings


class Batch:
    """What one transaction writes, and what is published after it."""

    def __init__(self, decided: Sequence[tuple[object, ...]], booked: Sequence[tuple[object, ...]], topic: str) -> None:
        """Make it.

        Args:
            decided: rows of the decision table.
            booked: rows of the appointments.
            topic: where to publish.
        """
        place = [column.name for column in decisions.columns].index("messages")
        self.decided = decided
        self.booked = booked
        self.messages: list[OutgoingMessage] = []
        for row in decided:
            packed = row[place]
            assert isinstance(packed, bytes)
            self.messages += [OutgoingMessage(topic, message.key, message.value, message.headers) for message in unpack(packed)]


async def read_batches(source_url: str, *, records: int, topic: str) -> list[Batch]:
    """The rows of a drain in the order in which they were written, in batches of so many decisions."""
    connection = await asyncpg.connect(source_url)
    try:
        decided = await _rows(connection, "decisions", [column.name for column in decisions.columns])
        booked = await _rows(connection, "appointments", [column.name for column in appointments.columns])
    finally:
        await connection.close()
    count = -(-len(decided) // records)
    share = -(-len(booked) // count)
    return [
        Batch(
            decided[number * records : (number + 1) * records],
            booked[number * share : (number + 1) * share],
            topic,
        )
        for number in range(count)
    ]


async def _rows(connection: "asyncpg.Connection[Any]", table: str, columns: Sequence[str]) -> list[tuple[object, ...]]:
    quoted = ", ".join(f'"{column}"' for column in columns)
    return [tuple(row) for row in await connection.fetch(f"SELECT {quoted} FROM booking.{table} ORDER BY ctid")]  # noqa: S608


async def write(connection: "asyncpg.Connection[Any]", batch: Batch) -> None:
    """One transaction."""
    async with connection.transaction():
        for table, definition, rows in (("appointments", appointments, batch.booked), ("decisions", decisions, batch.decided)):
            columns = [column.name for column in definition.columns]
            await connection.copy_records_to_table(table, schema_name="booking", columns=columns, records=rows)


async def write_all(connection: "asyncpg.Connection[Any]", publisher: Publisher, batches: Sequence[Batch]) -> None:
    """Write each batch while the one before is being published."""
    publishing: asyncio.Task[None] | None = None
    for batch in batches:
        await write(connection, batch)
        if publishing is not None:
            await publishing
        publishing = asyncio.create_task(publisher.publish(batch.messages))
    if publishing is not None:
        await publishing


async def main(configuration: dict[str, Any]) -> None:
    """Write and publish all, and print when the clock started."""
    settings = Settings()
    watchdog = Watchdog(600)
    publisher = Publisher(client_options(settings), watchdog, service="booking")
    await publisher.start()
    batches = await read_batches(configuration["source_url"], records=configuration["batch_records"], topic=configuration["events_topic"])
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    await write_all(connection, publisher, batches[: configuration["warm_up_batches"]])
    counted = batches[configuration["warm_up_batches"] :]
    gc.collect()
    gc.freeze()
    started_at_seconds = time.time()
    await write_all(connection, publisher, counted)
    result = {
        "started_at_seconds": started_at_seconds,
        "ended_at_seconds": time.time(),
        "decisions": sum(len(batch.decided) for batch in counted),
    }
    await publisher.stop()
    await connection.close()
    watchdog.stop()
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
