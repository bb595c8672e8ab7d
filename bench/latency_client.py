"""A client, as a process: publishes commands on a fixed schedule, and notes when each outcome is received.

``python -m bench.latency_client '{"bootstrap_servers": …}'``. An open loop: when commands are due depends on nothing that happens, and
latency counts from the moment at which a command is due. So a stall is felt by every command that falls into it.
"""

import asyncio
import gc
import json
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.load import make_load
from shared.codec.record import OutgoingMessage
from shared.topics import partition_of

_PROBES: Final = 20
_PATIENCE_SECONDS: Final = 30


class Client:
    """Sends, and matches what comes back."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        """Make it."""
        servers = configuration["bootstrap_servers"]
        self._commands_topic = configuration["commands_topic"]
        self._partitions: int = configuration["partitions"]
        self._outcomes = [TopicPartition(configuration["outcomes_topic"], number) for number in range(self._partitions)]
        self._producer = AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True, acks="all", linger_ms=0)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest")
        self.received: dict[str, float] = {}
        self.refused = 0

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()
        await self._consumer.start()
        self._consumer.assign(self._outcomes)
        # What came before us is not ours.
        await self._consumer.seek_to_end(*self._outcomes)
        for partition in self._outcomes:
            await self._consumer.position(partition)

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()
        await self._consumer.stop()

    async def receive(self) -> None:
        """Note what comes, until cancelled."""
        while True:
            polled = await self._consumer.getmany(timeout_ms=1_000)
            now = time.perf_counter()
            for records in polled.values():
                for record in records:
                    headers = dict(record.headers)
                    self.received.setdefault(headers["ce_causationid"].decode(), now)
                    self.refused += headers.get("ce_type", b"").endswith(b".rejected.v1")

    async def send(self, message: OutgoingMessage) -> None:
        """Send one command, and do not wait for the broker."""
        assert message.key is not None
        await self._producer.send(
            self._commands_topic,
            key=message.key,
            value=message.value,
            headers=message.headers,
            partition=partition_of(message.key, self._partitions),
        )

    async def wait_for(self, count: int) -> None:
        """Wait until so many outcomes are here, or none came for a long time."""
        seen, changed_at = -1, time.monotonic()
        while len(self.received) < count and time.monotonic() - changed_at < _PATIENCE_SECONDS:
            if len(self.received) != seen:
                seen, changed_at = len(self.received), time.monotonic()
            await asyncio.sleep(0.01)


def _tick(loop: asyncio.AbstractEventLoop, due: "asyncio.Queue[int]", first_due: float, interval_seconds: float, count: int) -> None:
    """Say when each command is due; from a thread, because the loop's own timers have whole milliseconds."""
    for index in range(count):
        wait_seconds = first_due + index * interval_seconds - time.perf_counter()
        if wait_seconds > 0:
            time.sleep(wait_seconds)
        loop.call_soon_threadsafe(due.put_nowait, index)


async def _warm_up(client: Client, probes: Sequence[OutgoingMessage]) -> None:
    """One command after the other, each when the outcome of the one before is here."""
    for number, probe in enumerate(probes):
        await client.send(probe)
        await client.wait_for(number + 1)


async def main(configuration: dict[str, Any]) -> None:
    """Run the schedule, and print the latencies in milliseconds."""
    rate, seconds = configuration["rate_per_second"], configuration["seconds"]
    count = int(rate * seconds)
    load = make_load(count, doctors=configuration["doctors"], patients=configuration["patients"], name=f"rate{rate}")
    probes = make_load(_PROBES, doctors=_PROBES, patients=2 * _PROBES, conflicts=False, name=f"probe{rate}")
    client = Client(configuration)
    await client.start()
    receiving = asyncio.create_task(client.receive())
    await _warm_up(client, probes.messages)
    gc.collect()
    gc.freeze()
    gc.disable()
    due: asyncio.Queue[int] = asyncio.Queue()
    first_due = time.perf_counter() + 0.1
    threading.Thread(target=_tick, args=(asyncio.get_running_loop(), due, first_due, 1 / rate, count), daemon=True).start()
    lags = []
    for _ in range(count):
        index = await due.get()
        lags.append(time.perf_counter() - first_due - index / rate)
        await client.send(load.messages[index])
    await client.wait_for(_PROBES + count)
    receiving.cancel()
    counted = range(int(rate * configuration["warm_up_seconds"]), count)
    identifiers = [dict(message.headers)["ce_id"].decode() for message in load.messages]
    latencies = [
        (client.received[identifiers[index]] - first_due - index / rate) * 1000
        for index in counted
        if identifiers[index] in client.received
    ]
    result = {
        "latencies_milliseconds": latencies,
        "lost": len(counted) - len(latencies),
        "refused": client.refused,
        "expected_refused": load.refused,
        "send_lags_milliseconds": [lag * 1000 for lag in lags],
    }
    await client.stop()
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
