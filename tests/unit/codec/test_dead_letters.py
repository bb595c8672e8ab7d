"""Dead letters: kept whole within bounds, and the same wherever and however often they are made."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.codec.dead_letters import DeadLetter, Stage, UndecidableReason, dead_letter_of, encode_dead_letter
from shared.codec.decode import Unreadable, decode
from shared.codec.record import OutgoingMessage, StoredRecord, UnreadableName
from shared.messages.booking import BOOKING_COMMANDS
from tests.examples import example_record, received
from tests.unit.codec.records import with_fields

KIB = 1024
RECORD = StoredRecord("test.booking.commands.v1", 5, 41, 0, b"key", b"value", [("a", b"1"), ("b", b"2"), ("a", b"3")])


def letter(record: StoredRecord = RECORD, *, group: str = "test-booking", message: str = "Why.") -> OutgoingMessage:
    dead = DeadLetter(record, Stage.VALUE_CONVERTER, "not_json", message)
    return encode_dead_letter(dead, service="booking", group=group)


def notes(message: OutgoingMessage) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers if name.startswith(("caremesh_", "__connect"))}


def originals(message: OutgoingMessage) -> list[tuple[str, bytes]]:
    return [(name, value) for name, value in message.headers if not name.startswith(("caremesh_", "__connect"))]


def test_a_dead_letter_is_the_record_and_why_it_lies_there() -> None:
    message = letter()
    assert (message.topic, message.key, message.value) == ("test.booking.commands.v1.dlq", b"key", b"value")
    assert originals(message) == [("a", b"1"), ("b", b"2"), ("a", b"3")]
    found = notes(message)
    found.pop("caremesh_dead_letter_id")
    assert found == {
        "__connect.errors.topic": "test.booking.commands.v1",
        "__connect.errors.partition": "5",
        "__connect.errors.offset": "41",
        "__connect.errors.stage": "VALUE_CONVERTER",
        "__connect.errors.class.name": "booking",
        "__connect.errors.exception.class.name": "not_json",
        "__connect.errors.exception.message": "Why.",
    }


def test_a_header_name_that_is_not_utf8_is_written_as_the_text_that_shows_it() -> None:
    message = letter(replace(RECORD, headers=[(UnreadableName(r"\xff"), b"1")]))
    assert originals(message) == [(r"\xff", b"1")]
    assert {type(name) for name, _ in message.headers} == {str}, "the producer takes nothing else"


def test_its_id_depends_on_group_topic_partition_and_offset_alone() -> None:
    identifier = notes(letter())["caremesh_dead_letter_id"]
    assert (
        notes(letter(replace(RECORD, key=None, value=b"x", headers=(), timestamp=9), message="x"))["caremesh_dead_letter_id"] == identifier
    )
    others = [
        letter(group="test-calls"),
        letter(replace(RECORD, topic="x")),
        letter(replace(RECORD, partition=54, offset=1)),
        letter(replace(RECORD, partition=5, offset=42)),
    ]
    assert len({identifier, *(notes(other)["caremesh_dead_letter_id"] for other in others)}) == 5


@pytest.mark.parametrize("size, cut", [(64 * KIB - 1, False), (64 * KIB, False), (64 * KIB + 1, True), (1024 * KIB, True)])
def test_a_value_beyond_64_kib_is_cut_and_its_hash_and_length_noted(size: int, *, cut: bool) -> None:
    value = bytes(i % 251 for i in range(size))
    message = letter(replace(RECORD, value=value))
    assert message.value == value[: 64 * KIB]
    found = notes(message)
    if cut:
        assert (found["caremesh_value_sha256"], found["caremesh_value_length"]) == (hashlib.sha256(value).hexdigest(), str(size))
    else:
        assert "caremesh_value_sha256" not in found


@pytest.mark.parametrize("size, cut", [(16 * KIB - 5, False), (16 * KIB - 4, True), (300 * KIB, True)])
def test_headers_and_key_beyond_16_kib_are_cut_and_their_hash_and_length_noted(size: int, *, cut: bool) -> None:
    # "big" and "k" are four bytes; the last fits or does not.
    record = replace(RECORD, key=b"k", headers=[("big", b"x" * size), ("z", b"")])
    message = letter(record)
    found = notes(message)
    assert ("caremesh_headers_sha256" in found) is cut
    if not cut:
        assert originals(message) == list(record.headers)
    kept = len(message.key or b"") + sum(len(name) + len(value) for name, value in originals(message))
    assert kept <= 16 * KIB


def test_a_huge_key_is_cut_and_leaves_room_for_headers() -> None:
    key = b"k" * (20 * KIB)
    message = letter(replace(RECORD, key=key))
    assert message.key == key[: 8 * KIB]
    found = notes(message)
    assert (found["caremesh_key_sha256"], found["caremesh_key_length"]) == (hashlib.sha256(key).hexdigest(), str(len(key)))
    assert originals(message) == list(RECORD.headers)


def test_a_tombstone_without_key_and_headers_stays_one() -> None:
    message = letter(StoredRecord("t", 5, 1, 0, None, None))
    assert (message.key, message.value, message.partition) == (None, None, 5)


def test_a_null_header_is_kept_as_an_empty_one() -> None:
    record = replace(RECORD, headers=[("a", None)])  # type: ignore[list-item]
    assert originals(letter(record)) == [("a", b"")]


def test_the_message_is_cut_at_a_thousand_characters() -> None:
    assert notes(letter(message="ü" * 5_000))["__connect.errors.exception.message"] == "ü" * 1_000


def test_unreadable_and_malformed_records_call_for_one_and_good_ones_do_not() -> None:
    unreadable = decode(replace(example_record(), value=b"["), BOOKING_COMMANDS)
    assert isinstance(unreadable, Unreadable)
    for decoded, reason in ((unreadable, "not_json"), (decode(with_fields(starts_at="soon"), BOOKING_COMMANDS), "invalid_data")):
        dead = dead_letter_of(decoded)
        assert dead is not None
        assert (dead.stage, dead.reason) == (Stage.VALUE_CONVERTER, reason)
        assert dead.record is decoded.record
    assert dead_letter_of(received()) is None


def test_reasons_of_our_own_are_documented_words() -> None:
    assert [str(reason) for reason in UndecidableReason] == ["idempotency_conflict", "handler_failed"]


@settings(max_examples=100, deadline=None)
@given(
    key=st.binary(max_size=64) | st.none(),
    value=st.binary(max_size=64) | st.none(),
    headers=st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.binary() | st.none()), max_size=6),
)
def test_any_record_can_be_set_aside(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    message = letter(StoredRecord("t", 0, 0, 0, key, value, headers))
    assert (message.key, message.value) == (key, value)
