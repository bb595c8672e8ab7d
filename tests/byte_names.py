"""Records as a client writes them that takes any bytes for a header's name, as librdkafka's C interface does."""

from collections.abc import Sequence
from typing import Any, Final

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

#: Neither UTF-8 nor short of what is.
NAME: Final = b"\xff\xfe-x-\xc3\x28"
SHOWN: Final = r"\xff\xfe-x-\xc3("

Headers = Sequence[tuple[str | bytes, bytes | None]]


class _ByteName(str):
    """A name that is written to the wire as these bytes."""

    __slots__ = ("written",)
    written: bytes

    def encode(self, *_: object) -> bytes:
        return self.written


def builder(codec: int = 0) -> Any:
    """A builder of batches that takes bytes for the name of a header."""
    # The one in Python asks a name for its bytes; the compiled one looks into it.
    return _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 1 << 20)


def batch_builder(codec: int = 0) -> Any:
    """The same, for a producer's ``send_batch``."""
    batch = BatchBuilder(1 << 20, codec)
    batch._builder = builder(codec)
    return batch


def named(headers: Headers) -> list[tuple[str, bytes | None]]:
    """Headers for such a builder."""
    return [(name if isinstance(name, str) else _byte_name(name), value) for name, value in headers]


def _byte_name(written: bytes) -> str:
    name = _ByteName("written by a C client")
    name.written = written
    return name
