"""What is in hand: from the first record that is not done, whatever comes and goes in which order."""

from aiokafka import TopicPartition

from shared.codec.record import StoredRecord
from shared.runtimes.in_hand import InHand

PLACE = TopicPartition("topic", 0)
ELSEWHERE = TopicPartition("topic", 1)


def records(first: int, count: int) -> list[StoredRecord]:
    return [StoredRecord("topic", 0, first + number, 0, b"key", b"{}") for number in range(count)]


def test_nothing_is_in_hand_at_first_nor_after_an_empty_poll() -> None:
    in_hand = InHand()
    in_hand.take_up({PLACE: []})
    assert in_hand.first(PLACE) is None


def test_it_reaches_from_the_first_record_that_is_not_done() -> None:
    in_hand = InHand()
    in_hand.take_up({PLACE: records(10, 5)})
    in_hand.take_up({PLACE: records(15, 5), ELSEWHERE: records(3, 1)})
    assert in_hand.first(PLACE) == 10
    in_hand.put_down({("topic", 0): 15})
    assert in_hand.first(PLACE) == 15
    in_hand.put_down({("topic", 0): 17})
    assert in_hand.first(PLACE) == 17, "some of the batch was left"
    in_hand.put_down({("topic", 0): 20})
    assert in_hand.first(PLACE) is None
    assert in_hand.first(ELSEWHERE) == 3


def test_what_others_have_now_is_forgotten_even_if_it_is_done_later() -> None:
    in_hand = InHand()
    in_hand.take_up({PLACE: records(10, 5)})
    in_hand.clear()
    in_hand.put_down({("topic", 0): 12})
    assert in_hand.first(PLACE) is None
