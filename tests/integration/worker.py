"""A worker without Kafka: records in, messages out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import orjson

from shared.codec.decode import Received, decode
from shared.codec.record import OutgoingMessage, Record, StoredRecord
from shared.messages.fields import Command
from shared.messages.registry import COMMANDS
from shared.path.handler import Handler
from shared.path.pipeline import Handled
from shared.path.transaction import Transactions
from tests.contract import assert_as_published, assert_declared, assert_headers_as_published
from tests.examples import NOW, example_record

#: Of each batch, and each type: a thousand of one kind say no more than these.
_LOOKED_AT_OF_A_KIND = 10


@dataclass(frozen=True)
class Worker:
    """One process of a service, as far as the path goes."""

    transactions: Transactions[Any]
    handler: Handler[Any]

    async def handle(self, *records: Record) -> list[OutgoingMessage]:
        """Decide records as one poll, and what it left in the next; what comes of them is what the published contract says."""
        messages = (await self.handler.handle(records)).messages
        while self.handler.carries:
            messages += (await self.handler.handle([])).messages
        looked_at: Counter[bytes] = Counter()
        for message in messages:
            kind = dict(message.headers).get("ce_type", b"")
            looked_at[kind] += 1
            if looked_at[kind] <= _LOOKED_AT_OF_A_KIND:
                assert_keeps_to_the_contract(message)
        return messages

    async def outcomes(self, *records: StoredRecord) -> list[str]:
        """Decide records as one poll, and say what came of them."""
        return [outcome_of(message) for message in await self.handle(*records)]


class Log:
    """One partition of the commands topic: gives out records at ascending offsets."""

    def __init__(self, *, partition: int = 0) -> None:
        self.partition = partition
        self._offsets = count()
        self._ids = count(1)

    def append(self, command: Command, *, identifier: str | None = None, at: datetime = NOW) -> StoredRecord:
        """The next record."""
        identifier = identifier or f"command-{self.partition}-{next(self._ids)}"
        return example_record(command, identifier=identifier, at=at, partition=self.partition, offset=next(self._offsets))

    def append_again(self, record: StoredRecord) -> StoredRecord:
        """A copy of a record, further on."""
        copy = record.__class__(
            record.topic, record.partition, next(self._offsets), record.timestamp, record.key, record.value, record.headers
        )
        assert copy.offset != record.offset
        return copy


def assert_keeps_to_the_contract(message: OutgoingMessage) -> None:
    """Fail unless an event is what is published of it, and a command one that its service takes."""
    if message.topic.endswith(".dlq"):
        return
    assert message.key is not None
    if ".commands." in message.topic:
        received = decode(StoredRecord(message.topic, 0, 0, 0, message.key, message.value, message.headers), COMMANDS)
        assert isinstance(received, Received), received
        assert isinstance(received.content, Command), received.content
        return
    value = value_of(message)
    assert_as_published(value)
    assert_headers_as_published(headers_of(message), value, message.key.decode())
    assert_declared(value)


def value_of(message: OutgoingMessage) -> dict[str, Any]:
    assert message.value is not None
    value: dict[str, Any] = orjson.loads(message.value)
    return value


def headers_of(message: OutgoingMessage) -> dict[str, str]:
    return {name: value.decode(errors="backslashreplace") for name, value in message.headers}


def outcome_of(message: OutgoingMessage) -> str:
    """The last word of an event's type, the reason of a refusal, or the reason of a dead letter in brackets."""
    if message.topic.endswith(".dlq"):
        return f"[{headers_of(message)['__connect.errors.exception.class.name']}]"
    value = value_of(message)
    word: str = value["type"].split(".")[2]
    return str(value["reason"]) if word == "rejected" else word


def outcomes_of(handled: Handled) -> list[str]:
    """What one batch came to, in order."""
    return [outcome_of(message) for message in handled.messages]


def about(messages: Sequence[OutgoingMessage]) -> list[tuple[str, str]]:
    """What came of which appointment, in order."""
    return [(value_of(message)["appointment_id"], outcome_of(message)) for message in messages]
