"""What the embedded Kafka needs once for each user: its jars, and the cache of its classes. ``python -m shared.embedded.kafka_setup``."""

import asyncio
import logging
import tempfile
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from rich.console import Console

from shared.embedded.errors import EmbeddedError
from shared.embedded.jars import ensure_jars
from shared.embedded.java import class_cache
from shared.embedded.kafka import KafkaServer
from shared.embedded.options import EmbeddedOptions

_WRITE_SECONDS: Final = 120.0
_TOPIC: Final = "classes"


def prepare_kafka(console: Console) -> None:
    """Download the jars that are missing, and make the cache of classes unless it is there. Call it outside of an event loop.

    Without the cache Kafka starts as well, only later; so what keeps it from being made is told and no error.

    Raises:
        EmbeddedError: a jar cannot be had, or is not what it should be.
    """
    options = EmbeddedOptions()
    jars = ensure_jars(options, console)
    cache = class_cache(jars)
    # A Java of the user's own has no cache of ours.
    if options.java_home is not None or cache.exists():
        return
    console.print("Preparing quick starts of Kafka, once: it takes some 15 seconds …")
    try:
        asyncio.run(_write(cache, options))
    except (EmbeddedError, KafkaError, OSError) as error:
        console.print(f"Kafka will start more slowly than it could: {error}", style="yellow", markup=False)


async def _write(cache: Path, options: EmbeddedOptions) -> None:
    """Let a Kafka do what the mesh's Kafka does at a start, and write down the classes that this took.

    Raises:
        EmbeddedError: it cannot be started, or has written nothing.
        OSError: the file cannot be written.
    """
    with (
        tempfile.TemporaryDirectory(prefix="caremesh-") as home,
        tempfile.TemporaryDirectory(prefix=".classes-", dir=cache.parent) as folder,
    ):
        unfinished = Path(folder) / cache.name
        server = KafkaServer(Path(home), options=options, writes_class_cache=unfinished)
        try:
            await server.start()
            await server.wait_ready()
            await _use(server.bootstrap_servers)
            await server.stop(grace_seconds=_WRITE_SECONDS)
        finally:
            server.kill()
        if not unfinished.exists():
            message = "Java wrote no cache of its classes."
            raise EmbeddedError(message)
        unfinished.replace(cache)


async def _use(bootstrap_servers: str) -> None:
    """A topic, a producer, and a member of a group that reads and commits."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(_TOPIC, 1, 1, topic_configs={"message.timestamp.type": "LogAppendTime"})])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(_TOPIC, bootstrap_servers=bootstrap_servers, group_id=_TOPIC, auto_offset_reset="earliest")
    try:
        await producer.start()
        await producer.send_and_wait(_TOPIC, b"value", key=b"key", headers=[("name", b"value")])
        await consumer.start()
        await consumer.getone()
        await consumer.commit()
    finally:
        await consumer.stop()
        await producer.stop()


if __name__ == "__main__":
    # A fresh Kafka has no coordinator for its first group at once, and the client says so until it has.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    prepare_kafka(Console(soft_wrap=True, highlight=False))
