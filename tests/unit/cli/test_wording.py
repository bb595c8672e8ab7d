from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.cli.wording import ago, clock, duration, printable, shown

NOON = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0, "0 ms"),
        (0.0124, "12 ms"),
        (0.9994, "999 ms"),
        (1, "1.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_599, "59 min 59 s"),
        (3_600, "1 h"),
        (7_260, "2 h 1 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
        (-5, "5.0 s"),
    ],
)
def test_a_length_of_time_has_one_unit_or_two(seconds: float, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


def test_a_moment_lies_ago_or_ahead() -> None:
    assert ago(NOON - timedelta(seconds=5), NOON) == "5.0 s ago"
    assert ago(NOON + timedelta(hours=2), NOON) == "in 2 h"


def test_the_time_of_day_is_utc_to_the_millisecond() -> None:
    assert clock(datetime(2030, 1, 7, 14, 0, 0, 7_999, tzinfo=timezone(timedelta(hours=2)))) == "12:00:00.007"


@pytest.mark.parametrize(
    "value, words",
    [
        (None, "-"),
        ("", "-"),
        (0, "0"),
        (False, "no"),
        (True, "yes"),
        (NOON, "2030-01-07T12:00:00Z"),
        ({"amount_minor": 400_000, "currency": "MWK"}, "400000 MWK (minor units)"),
        ({"text": 5}, '{"text":5}'),
        ("a\x1b[31mb\nc", "a�[31mb�c"),
    ],
)
def test_a_value_is_one_cell(value: object, words: str) -> None:
    assert shown(value) == words


def test_nothing_that_is_printed_does_anything_to_a_terminal() -> None:
    dangerous = "".join(map(chr, [*range(32), 127, *range(128, 160), 0x200E, 0x202E]))
    assert printable(dangerous) == "�" * len(dangerous)
    assert printable("Zomba – Żółć 東京") == "Zomba – Żółć 東京"
