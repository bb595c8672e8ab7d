"""A baseline, as a process: a bare Kafka echo.

``python -m bench.echo '{"bootstrap_servers": …}'``. Each record of one topic goes to another at once, as large as an outcome of the
mesh would be, with what is needed to match it. No database, no decision, nothing awaited.
"""

import gc
import json
import sys
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition


async def main(configuration: dict[str, Any]) -> None:
    """Echo until ended."""
    servers = configuration["bootstrap_servers"]
    value_bytes, headers_bytes = configuration["value_bytes"], configuration["headers_bytes"]
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True, acks="all", linger_ms=0)
    await consumer.start()
    await producer.start()
    consumer.assign([TopicPartition(configuration["from_topic"], number) for number in range(configuration["partitions"])])
    gc.collect()
    gc.freeze()
    try:
        async for record in consumer:
            identifier = dict(record.headers)["ce_id"]
            headers = [("ce_causationid", identifier), ("padding", b" " * max(headers_bytes - len(identifier) - 21, 0))]
            value = record.value.ljust(value_bytes)
            await producer.send(configuration["to_topic"], key=record.key, value=value, headers=headers, partition=record.partition)
    finally:
        await consumer.stop()
        await producer.stop()


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
