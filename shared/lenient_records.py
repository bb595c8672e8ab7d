"""Reads records whose header names are not UTF-8, which aiokafka cannot.

Kafka's protocol calls a header's name a string, and no broker checks it; librdkafka's C interface, and PHP's on top of it, take any
bytes. aiokafka decodes strictly while it takes a batch apart: the one record raises out of the consumer, which fetches the same
batch again, so nothing behind it on its partition is ever read. Faust reads with aiokafka's consumer. Java shows such a name with
replacement characters.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecord, DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

from shared.codec.record import UnreadableName

# Of a batch in the message format 2: where its length stands, what precedes the part that this counts, and its whole header.
_LENGTH_AT: Final = 8
_LENGTH_COUNTS_FROM: Final = 12
_COUNT_AT: Final = 57
_HEADER_BYTES: Final = 61
_INTEGER: Final = struct.Struct(">i")
_LOG_APPEND_TIME: Final = 1
_DECOMPRESS: Final = {
    DefaultRecordBatch.CODEC_GZIP: gzip_decode,
    DefaultRecordBatch.CODEC_SNAPPY: snappy_decode,
    DefaultRecordBatch.CODEC_LZ4: lz4_decode,
    DefaultRecordBatch.CODEC_ZSTD: zstd_decode,
}


def install() -> None:
    """Let every consumer of this process read so; again changes nothing."""
    fetcher.MemoryRecords = LenientRecords


class LenientRecords:
    """What a fetch brought, batch by batch; stands in for aiokafka's ``MemoryRecords``."""

    def __init__(self, content: bytes) -> None:
        """Look at what was fetched."""
        self._records = MemoryRecords(content)
        self._content = memoryview(content)
        self._position = 0

    def size_in_bytes(self) -> int:
        """The size of what was fetched."""
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """Whether another whole batch is there."""
        return bool(self._records.has_next())

    def next_batch(self) -> Any:
        """The next batch."""
        batch = self._records.next_batch()
        begin = self._position
        self._position += _LENGTH_COUNTS_FROM + _integer(self._content, begin + _LENGTH_AT)
        if not isinstance(batch, DefaultRecordBatch):
            # The formats before 2 know no headers.
            return batch
        return _LenientBatch(batch, self._content[begin : self._position])


class _LenientBatch:
    """A batch as aiokafka reads it, unless a header's name keeps it from that."""

    def __init__(self, batch: Any, content: memoryview) -> None:
        self._batch = batch
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        try:
            for record in self._batch:
                yield record
                read += 1
        except UnicodeDecodeError:
            yield from islice(_read(self._batch, self._content), read, None)

    def __next__(self) -> Any:
        """The one record of a control batch."""
        return next(self._batch)


def _read(batch: Any, content: memoryview) -> Iterator[Any]:
    """The records of a batch, as https://kafka.apache.org/documentation/#recordbatch lays them out."""
    body = bytes(content[_HEADER_BYTES:])
    if batch.compression_type:
        body = _DECOMPRESS[batch.compression_type](body)
    reader = _Reader(bytearray(body))
    for _ in range(_integer(content, _COUNT_AT)):
        reader.varint()  # the record's length
        reader.varint()  # its attributes: there are none yet
        timestamp = batch.first_timestamp + reader.varint()
        if batch.timestamp_type == _LOG_APPEND_TIME:
            timestamp = batch.max_timestamp
        offset = batch.base_offset + reader.varint()
        key, value = reader.nullable(), reader.nullable()
        headers = [(_name(reader.nullable() or b""), reader.nullable()) for _ in range(reader.varint())]
        yield DefaultRecord(offset, timestamp, batch.timestamp_type, key, value, headers)


class _Reader:
    """Takes apart the body of a batch."""

    def __init__(self, body: bytearray) -> None:
        self._body = body
        self._position = 0

    def varint(self) -> int:
        value, self._position = decode_varint(self._body, self._position)
        return int(value)

    def nullable(self) -> bytes | None:
        length = self.varint()
        if length < 0:
            return None
        begin, self._position = self._position, self._position + length
        return bytes(self._body[begin : self._position])


def _name(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return UnreadableName(name.decode(errors="backslashreplace"))


def _integer(content: memoryview, position: int) -> int:
    (number,) = _INTEGER.unpack_from(content, position)
    return int(number)
