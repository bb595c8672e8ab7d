"""Dead letters as operators handle them: found by the beginning of an id, and replayed only whole."""

from dataclasses import replace

import pytest

from shared.cli.dead_letters import Letter, Letters, find
from shared.cli.reaching import CannotError, NotFoundError
from shared.cli.seen import Seen
from shared.codec.dead_letters import DeadLetter, Stage, encode_dead_letter
from shared.codec.record import StoredRecord
from shared.codec.replay import set_aside

RECORD = StoredRecord("telemed.booking.commands.v1", 5, 41, 0, b"key", b"value", [("a", b"1")])


def letter(record: StoredRecord = RECORD, identifier: str | None = None) -> Letter:
    encoded = encode_dead_letter(DeadLetter(record, Stage.TASK_PUT, "handler_failed", "Why."), service="booking", group="g")
    stored = StoredRecord(encoded.topic, 0, 0, 0, encoded.key, encoded.value, encoded.headers)
    content = set_aside(stored)
    assert content is not None
    return Letter(content if identifier is None else replace(content, id=identifier), Seen(stored))


LETTERS = Letters([letter(identifier="abcdef00"), letter(identifier="abcdef11"), letter(identifier="0123456789")], 0)


@pytest.mark.parametrize("given", ["0123456789", "012345", "0123456"])
def test_the_beginning_of_an_id_is_enough(given: str) -> None:
    assert find(LETTERS, given).content.id == "0123456789"


def test_what_begins_two_ids_is_asked_for_again() -> None:
    with pytest.raises(CannotError, match="2 dead letters have an id that begins with abcdef: give more of it"):
        find(LETTERS, "abcdef")


@pytest.mark.parametrize("given", ["01234", "99999999", "", "\x1b[31m"])
def test_what_is_not_there_is_not_found(given: str) -> None:
    with pytest.raises(NotFoundError, match="There is no dead letter") as refused:
        find(LETTERS, given)
    assert "\x1b" not in str(refused.value)


def test_a_whole_record_has_no_obstacle() -> None:
    assert not letter().obstacle


@pytest.mark.parametrize(
    "record, words",
    [
        (replace(RECORD, value=b"x" * 70_000), "its value (70,000 bytes) did not fit"),
        (replace(RECORD, headers=[("big", b"x" * 20_000)]), "its headers (20,005 bytes) did not fit"),
        (replace(RECORD, headers=[("caf\\xe9", b"")]), "the name of one of its headers was not UTF-8"),
    ],
)
def test_what_cannot_be_whole_says_why(record: StoredRecord, words: str) -> None:
    assert words in letter(record).obstacle


def test_a_dead_letter_that_claims_another_topic_is_not_sent_there() -> None:
    claimed = letter()
    forged = Letter(replace(claimed.content, topic="payments"), claimed.seen)
    assert "it says that it came from payments" in forged.obstacle


def test_for_programs_it_is_told_without_its_value() -> None:
    plain = letter().as_json()
    assert (plain["topic"], plain["partition"], plain["offset"], plain["key"]) == ("telemed.booking.commands.v1", 5, 41, "key")
    assert "value" not in plain
