"""Which records are commands, read from the contract and not from the mesh."""

from typing import Any

import orjson
import pytest
from aiokafka.partitioner import murmur2 as murmur2_of_the_client
from hypothesis import given
from hypothesis import strategies as st

from shared.auditor import Record
from shared.auditor.envelopes import Envelope, Readability, canonical, decode
from shared.auditor.partitioning import murmur2
from shared.codec.record import UnreadableName

ATTRIBUTES = {"specversion": "1.0", "id": "c-1", "source": "/platform", "type": "booking.appointment.book.v1"}
KNOWN = {"booking.appointment.book.v1"}
DATA = {"doctor_id": "doc-a", "patient_id": "pat-a"}


def binary(attributes: dict[str, str], value: bytes | None = None, key: bytes | None = b"doc-a", **more: bytes) -> Envelope:
    headers = tuple((f"ce_{name}", text.encode()) for name, text in attributes.items()) + tuple(more.items())
    return decode(Record("t", 0, 0, 0, key, orjson.dumps(DATA) if value is None else value, headers), KNOWN)


def structured(body: Any, key: bytes | None = b"doc-a") -> Envelope:
    return decode(Record("t", 0, 0, 0, key, orjson.dumps(body), ()), KNOWN)


def test_both_modes_say_the_same() -> None:
    one, other = binary(ATTRIBUTES), structured(ATTRIBUTES | {"data": dict(reversed(DATA.items()))})
    assert one.readability is other.readability is Readability.READABLE
    assert one[1:4] == other[1:4] == ("/platform", "c-1", "booking.appointment.book.v1")
    assert canonical(one.data) == canonical(other.data)


@pytest.mark.parametrize("name", list(ATTRIBUTES))
def test_a_command_without_one_of_its_attributes_cannot_be_read(name: str) -> None:
    less = {known: text for known, text in ATTRIBUTES.items() if known != name}
    assert binary(less).readability is Readability.UNREADABLE
    assert structured(less | {"data": DATA}).readability is Readability.UNREADABLE


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": "x" * 129},
        {"id": "a b"},
        {"id": "c-1\n"},
        {"source": ""},
        {"source": "a b"},
        {"specversion": "0.3"},
        {"type": "booking.appointment.heal.v1"},
    ],
)
def test_a_command_with_a_wrong_attribute_cannot_be_read(change: dict[str, str]) -> None:
    assert binary(ATTRIBUTES | change).readability is Readability.UNREADABLE
    assert structured(ATTRIBUTES | change | {"data": DATA}).readability is Readability.UNREADABLE


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"1", b"null", b'"x"', b"\xff\xfe", b'{"x": "' + b"y" * 65_536 + b'"}'])
def test_a_value_that_is_not_an_object_within_the_limit_cannot_be_read(value: bytes) -> None:
    assert binary(ATTRIBUTES, value).readability is Readability.UNREADABLE


def test_the_limit_of_a_value_is_64_kibibytes() -> None:
    frame = len(b'{"x": ""}')
    assert binary(ATTRIBUTES, b'{"x": "' + b"y" * (65_536 - frame) + b'"}').readability is Readability.READABLE
    assert binary(ATTRIBUTES, b'{"x": "' + b"y" * (65_537 - frame) + b'"}').readability is Readability.UNREADABLE


def test_neither_a_tombstone_nor_a_record_without_a_key_can_be_read() -> None:
    assert decode(Record("t", 0, 0, 0, b"doc-a", None, ()), KNOWN).readability is Readability.UNREADABLE
    assert binary(ATTRIBUTES, key=None).readability is Readability.UNREADABLE


@pytest.mark.parametrize("envelope", [
    binary(ATTRIBUTES, key=b""),
    binary(ATTRIBUTES, key=b"\xff"),
    binary(ATTRIBUTES, b'{"x": NaN}'),
    binary(ATTRIBUTES, b'{"x": "\\ud800"}'),
    binary(ATTRIBUTES | {"time": "noon"}),
    binary(ATTRIBUTES | {"source": "/" + "x" * 200}),
    binary(ATTRIBUTES, **{"content-type": b"text/plain"}),
    binary({"id": "c-1"}, orjson.dumps(ATTRIBUTES | {"data": DATA})),
    structured(ATTRIBUTES),
    structured(ATTRIBUTES | {"data": [1]}),
])  # fmt: skip
def test_where_the_contract_is_silent_both_ways_are_right(envelope: Envelope) -> None:
    assert envelope.readability is Readability.EITHER
    assert envelope.id == "c-1"


def test_a_header_whose_name_is_not_utf8_makes_a_record_unreadable() -> None:
    assert binary(ATTRIBUTES, **{UnreadableName(r"\xff"): b"1"}).readability is Readability.UNREADABLE


def test_data_nested_too_deeply_has_no_canonical_form() -> None:
    data: object = 1
    for _ in range(400):
        data = [data]
    assert canonical(data) is None


@given(st.binary(max_size=40))
def test_murmur2_is_the_one_that_producers_use(data: bytes) -> None:
    assert murmur2(data) == murmur2_of_the_client(data) & 0xFFFFFFFF
