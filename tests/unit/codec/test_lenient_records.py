"""A header's name that is not UTF-8 keeps nobody from reading on."""

from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.codec.record import UnreadableName, has_unreadable_name
from shared.lenient_records import LenientRecords
from tests.byte_names import NAME, SHOWN, Headers, builder, named

CODECS = {
    "uncompressed": 0,
    "gzip": DefaultRecordBatch.CODEC_GZIP,
    "snappy": DefaultRecordBatch.CODEC_SNAPPY,
    "lz4": DefaultRecordBatch.CODEC_LZ4,
    "zstd": DefaultRecordBatch.CODEC_ZSTD,
}
Row = tuple[bytes | None, bytes | None, Headers]


def batch_of(*rows: Row, codec: int = 0, base_offset: int = 0) -> bytes:
    making = builder(codec)
    for number, (key, value, headers) in enumerate(rows):
        making.append(number, 1_000 + number, key, value, named(headers))
    content = bytearray(making.build())
    content[:8] = base_offset.to_bytes(8, "big")
    return bytes(content)


def read(records: Any) -> list[tuple[Any, ...]]:
    """What a consumer makes of it."""
    found: list[tuple[Any, ...]] = []
    while records.has_next():
        batch = records.next_batch()
        assert batch.validate_crc()
        found += [
            (record.offset, record.timestamp, record.timestamp_type, record.key, record.value, list(record.headers)) for record in batch
        ]
    return found


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_every_record_of_a_batch_is_read_and_the_name_is_shown_with_backslashes(codec: int) -> None:
    content = batch_of(
        (b"k", b"before", [("ce_id", b"1")]),
        (b"k", b"bad", [("ce_id", b"2"), (NAME, b"content"), ("empty", b""), ("null", None)]),
        (None, None, []),
        codec=codec,
        base_offset=40,
    )
    with pytest.raises(UnicodeDecodeError):
        read(MemoryRecords(content))
    found = before, bad, after = read(LenientRecords(content))
    assert before == (40, 1_000, 0, b"k", b"before", [("ce_id", b"1")])
    assert bad == (41, 1_001, 0, b"k", b"bad", [("ce_id", b"2"), (SHOWN, b"content"), ("empty", b""), ("null", None)])
    assert after == (42, 1_002, 0, None, None, [])
    assert [has_unreadable_name(row[-1]) for row in found] == [False, True, False]
    assert type(bad[-1][1][0]) is UnreadableName


def test_the_brokers_append_time_is_every_records_time() -> None:
    content = bytearray(batch_of((b"k", b"1", [(NAME, b"")]), (b"k", b"2", [])))
    content[22] |= DefaultRecordBatchBits.LOG_APPEND_TIME
    content[35:43] = (9_000).to_bytes(8, "big")
    batch = LenientRecords(bytes(content)).next_batch()
    assert [(record.timestamp, record.timestamp_type) for record in batch] == [(9_000, 1), (9_000, 1)]


class DefaultRecordBatchBits:
    LOG_APPEND_TIME = 0x08


def test_the_batches_before_and_behind_it_are_read_as_ever() -> None:
    good = batch_of((b"k", b"v", [("ünïcode", b"1")]))
    bad = batch_of((b"k", b"v", [(NAME, b"1")]), base_offset=1)
    records = LenientRecords(good + bad + good[:8] + good[8:] + good[:30])
    assert records.size_in_bytes() == len(good) * 2 + len(bad) + 30
    assert [headers[0][0] for *_, headers in read(records)] == ["ünïcode", SHOWN, "ünïcode"]
    assert not records.has_next(), "what was cut off is fetched again"


def test_the_old_formats_which_know_no_headers_pass() -> None:
    making = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    making.append(0, timestamp=7, key=b"k", value=b"v")
    assert [record.value for record in LenientRecords(bytes(making.build())).next_batch()] == [b"v"]


names = st.text(max_size=8) | st.binary(max_size=8)
rows = st.tuples(
    st.none() | st.binary(max_size=300),
    st.none() | st.binary(max_size=300),
    st.lists(st.tuples(names, st.none() | st.binary(max_size=300)), max_size=4),
)


@settings(max_examples=200, deadline=None)
@given(written=st.lists(rows, min_size=1, max_size=5), codec=st.sampled_from([*CODECS.values()]))
def test_whatever_was_written_is_read(written: list[Row], codec: int) -> None:
    found = read(LenientRecords(batch_of(*written, codec=codec)))
    shown = [
        (key, value, [(name if isinstance(name, str) else name.decode(errors="backslashreplace"), content) for name, content in headers])
        for key, value, headers in written
    ]
    assert [row[3:] for row in found] == shown
