"""Publishing single records, by a producer that is made anew when it has failed."""

import asyncio
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from shared.codec.record import OutgoingMessage
from shared.kafka_client import client_options
from shared.settings import Settings

#: What no further attempt can mend.
REFUSED_BY_KAFKA = (ClusterAuthorizationFailedError, MessageSizeTooLargeError, TopicAuthorizationFailedError)


class RecordPublisher:
    """Publishes records one by one, many at once; use it as ``async with``."""

    def __init__(self, settings: Settings) -> None:
        """Make it; nothing is connected yet."""
        self._options = client_options(settings)
        self._producer: Any = None
        self._connecting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            KafkaError: no broker is to be reached.
        """
        await self._connected()
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Disconnect."""
        await self._disconnect()

    async def publish(self, message: OutgoingMessage) -> None:
        """Publish a record, and return when the brokers have it.

        Raises:
            KafkaError: they do not take it, or it is not known whether they have it.
        """
        producer = await self._connected()
        try:
            await producer.send_and_wait(message.topic, key=message.key, value=message.value, headers=[*message.headers])
        except REFUSED_BY_KAFKA:
            raise
        except KafkaError:
            # A record given up leaves a gap in an idempotent producer's sequence; a new producer has none.
            if self._producer is producer:
                await self._disconnect()
            raise

    async def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._options, enable_idempotence=True, acks="all", linger_ms=0)
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer
