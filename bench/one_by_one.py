"""A baseline, as a process: one row-locking transaction for each request, 32 connections, by any service's own rules and store.

``python -m bench.one_by_one '{"service": "calls", …}'``. Each request: BEGIN; ``SELECT … FOR UPDATE`` of the row that it changes; the
states that it needs; the very same decision; UPDATE and INSERT of the same rows; COMMIT; then the event is published, and awaited
before the connection takes the next. It reads and decodes beforehand, looks for no earlier decision (the primary key would tell), and
commits no offsets.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final

import asyncpg
import uvloop
from aiokafka import AIOKafkaProducer

from bench.traffic import read_records
from shared.codec.decode import Received
from shared.codec.encode import encode_event, pack
from shared.database import NewRows
from shared.messages.events import Event
from shared.messages.fields import format_time
from shared.path.intake import intake_of
from shared.path.service import Service
from shared.settings import Settings
from shared.topics import events_topic, partition_of

CONNECTIONS: Final = 32


class OneByOne:
    """One connection that decides one request after the other."""

    def __init__(self, service: Service[Any], connection: "asyncpg.Connection[Any]", producer: Any, settings: Settings, lock: str) -> None:
        """Make it.

        Args:
            service: its rules and its store.
            connection: in the service's schema.
            producer: of the events.
            settings: of the mesh.
            lock: takes the lock on the row that a request changes; ``$1`` is the entity's id or the patient's.
        """
        self._service = service
        self._connection = connection
        self._producer = producer
        self._partitions = settings.topic_partitions
        self._events_topic = events_topic(settings.topic_prefix, service.name)
        self._lock = lock

    async def work(self, requests: Iterator[tuple[str, Received]]) -> None:
        """Decide requests until there are none left."""
        for locked, received in requests:
            await self._decide(locked, received)

    async def _decide(self, locked: str, received: Received) -> None:
        service, connection = self._service, self._connection
        async with connection.transaction():
            await connection.fetch(self._lock, locked)
            state = await service.load(connection, [received])
            consequences = state.decide(received)
            decided_at = datetime.now(UTC)
            messages = [
                encode_event(
                    event, cause=received, index=index, service=service.name, topic=self._events_topic, decided_at=format_time(decided_at)
                )
                for index, event in enumerate(consequences)
                if isinstance(event, Event)
            ]
            record = received.record
            outcome = messages[0].headers[4][1].decode() if messages else ""
            decision = (
                received.source, received.id, received.type, received.fingerprint,
                record.topic, record.partition, record.offset, outcome, pack(messages), decided_at,
            )  # fmt: skip
            for table, rows in (*await service.record(connection, state), NewRows(service.decisions, [decision])):
                if rows:
                    columns = ", ".join(f'"{column.name}"' for column in table.columns)
                    places = ", ".join(f"${number + 1}" for number in range(len(table.columns)))
                    await connection.executemany(f"INSERT INTO {table.name} ({columns}) VALUES ({places})", rows)  # noqa: S608 - our own names
        for message in messages:
            assert message.key is not None
            await self._producer.send_and_wait(
                message.topic,
                key=message.key,
                value=message.value,
                headers=message.headers,
                partition=partition_of(message.key, self._partitions),
            )


async def _received(settings: Settings, service: Service[Any]) -> list[Received]:
    """What lies in the topics that the service reads, decoded, in the order in which it was published."""
    received = []
    for topic, read in intake_of(service, settings.topic_prefix).items():
        for record in await read_records(settings, topic):
            decoded = read(record)
            assert isinstance(decoded, Received)
            received.append(decoded)
    return sorted(received, key=lambda one: one.id)


async def main(configuration: dict[str, Any]) -> None:
    """Decide all, and print when the clock started."""
    settings = Settings()
    name = configuration["service"]
    service: Service[Any] = getattr(import_module(f"services.{name}.app"), name)(settings)
    field = configuration["locked_field"]
    requests = [(str(getattr(one.content, field, "")), one) for one in await _received(settings, service)]
    server_settings = {"search_path": name, "enable_seqscan": "off", "jit": "off", "timezone": "UTC"}
    url = settings.database_url.get_secret_value()
    connections = [await asyncpg.connect(url, server_settings=server_settings) for _ in range(CONNECTIONS)]
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, enable_idempotence=True, acks="all", linger_ms=configuration["linger_ms"]
    )
    await producer.start()
    workers = [OneByOne(service, connection, producer, settings, configuration["lock"]) for connection in connections]
    before = configuration["preparation"]
    # What must be there first, in its order.
    await workers[0].work(iter(requests[:before]))
    warm_up = iter(requests[before : before + configuration["warm_up"]])
    await asyncio.gather(*(worker.work(warm_up) for worker in workers))
    # Otherwise its plans would be those for empty tables.
    await connections[0].execute("ANALYZE")
    gc.collect()
    gc.freeze()
    started_at_seconds = time.time()
    remaining = iter(requests[before + configuration["warm_up"] :])
    await asyncio.gather(*(worker.work(remaining) for worker in workers))
    ended_at_seconds = time.time()
    await producer.stop()
    for connection in connections:
        await connection.close()
    decided = len(requests) - before - configuration["warm_up"]
    sys.stdout.write(json.dumps({"per_second": decided / (ended_at_seconds - started_at_seconds)}) + "\n")


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
