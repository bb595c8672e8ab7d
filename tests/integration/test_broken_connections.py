"""A connection that breaks while it is written to, on the event loop that the mesh runs on."""

import asyncio

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from shared.kafka_client import client_options
from shared.settings import Settings


def test_who_writes_to_it_is_told_so_as_by_any_other_event_loop(settings: Settings) -> None:
    async def write() -> None:
        client = AIOKafkaClient(**client_options(settings))
        try:
            await client.bootstrap()
            assert await client.ready(client.get_random_node())
            [connection] = client._conns.values()
            connection._writer.transport.abort()
            # The loop has closed it by then, and who reads from it has not been told yet.
            await asyncio.sleep(0)
            with pytest.raises(KafkaConnectionError, match="closed"):
                await connection.send(ApiVersionRequest())
            assert not connection.connected()
            assert await client.ready(client.get_random_node()), "there is a new one"
        finally:
            await client.close()

    uvloop.run(write())
