"""Reading dead letters back: what was set aside comes out as it went in, or is known to be cut."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codec.dead_letters import DeadLetter, Stage, encode_dead_letter
from shared.codec.record import OutgoingMessage, StoredRecord
from shared.codec.replay import SetAside, set_aside

KIB = 1024
RECORD = StoredRecord("test.booking.commands.v1", 5, 41, 0, b"key", b"value", [("a", b"1"), ("b", b"2"), ("a", b"3")])


def laid(record: StoredRecord) -> StoredRecord:
    """The dead letter of a record, as it lies in its topic."""
    message: OutgoingMessage = encode_dead_letter(
        DeadLetter(record, Stage.TASK_PUT, "handler_failed", "Why."), service="booking", group="test-booking"
    )
    return StoredRecord(message.topic, 0, 7, 0, message.key, message.value, message.headers)


def read_back(record: StoredRecord) -> SetAside:
    found = set_aside(laid(record))
    assert found is not None
    return found


def test_a_record_comes_out_as_it_went_in() -> None:
    found = read_back(RECORD)
    assert (found.key, found.value, list(found.headers), dict(found.cut)) == (b"key", b"value", [("a", b"1"), ("b", b"2"), ("a", b"3")], {})
    assert (found.topic, found.partition, found.offset) == ("test.booking.commands.v1", 5, 41)
    assert (found.stage, found.service, found.reason, found.message) == ("TASK_PUT", "booking", "handler_failed", "Why.")


names = st.sampled_from(["a", "ce_id", "caremesh_dead_letter_id", "__connect.errors.topic", "caremesh_value_sha256"]) | st.text(max_size=9)


@given(
    key=st.none() | st.binary(max_size=40),
    value=st.none() | st.binary(max_size=400),
    headers=st.lists(st.tuples(names, st.binary(max_size=40)), max_size=12),
)
def test_whatever_is_set_aside_whole_comes_out_to_the_byte(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    found = read_back(replace(RECORD, key=key, value=value, headers=headers))
    assert not found.cut
    assert (found.key, found.value, list(found.headers)) == (key, value, headers)


def test_a_dead_letter_of_a_dead_letter_keeps_the_notes_that_it_came_with() -> None:
    once = laid(RECORD)
    found = read_back(once)
    assert list(found.headers) == list(once.headers)


@pytest.mark.parametrize(
    "part, record",
    [
        ("value", replace(RECORD, value=b"x" * (64 * KIB + 1))),
        ("key", replace(RECORD, key=b"k" * (17 * KIB))),
        ("headers", replace(RECORD, headers=[("big", b"x" * (17 * KIB))])),
    ],
)
def test_what_was_cut_is_told_with_its_length(part: str, record: StoredRecord) -> None:
    found = read_back(record)
    assert part in found.cut
    assert found.cut[part] > 16 * KIB
    assert not any(name.startswith("caremesh_") for name, _ in found.headers)


def test_all_that_was_cut_is_told() -> None:
    record = replace(RECORD, value=b"x" * (65 * KIB), key=b"k" * (17 * KIB), headers=[("big", b"x" * (17 * KIB))])
    assert read_back(record).cut.keys() == {"key", "value", "headers"}


def test_what_somebody_else_wrote_to_the_topic_is_no_dead_letter() -> None:
    assert set_aside(RECORD) is None
    letter = laid(RECORD)
    assert set_aside(replace(letter, headers=[*letter.headers, ("more", b"")])) is None
    assert set_aside(replace(letter, headers=[(n, b"x" if n.endswith("offset") else v) for n, v in letter.headers])) is None
