"""Quiet hours on the recipient's clock, through midnight and through every change of the clock."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.quiet import is_quiet, quiet_until
from shared.messages.notify import QuietHours

BLANTYRE = "Africa/Blantyre"  # two hours ahead, always
BERLIN = "Europe/Berlin"  # 2030-03-31 02:00 → 03:00, 2030-10-27 03:00 → 02:00
LORD_HOWE = "Australia/Lord_Howe"  # half an hour: 2030-04-07 02:00 → 01:30


def quiet(start: str, end: str, timezone: str) -> QuietHours:
    return QuietHours.model_validate({"start": start, "end": end, "timezone": timezone})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHT, NOON = quiet("22:00", "07:00", BLANTYRE), quiet("12:00", "13:30", BLANTYRE)


@pytest.mark.parametrize(
    "hours, now, until",
    [
        (NIGHT, "2030-01-07T19:59:59.999", None),
        (NIGHT, "2030-01-07T20:00", "2030-01-08T05:00"),
        (NIGHT, "2030-01-07T21:59:59", "2030-01-08T05:00"),
        (NIGHT, "2030-01-07T22:00", "2030-01-08T05:00"),
        (NIGHT, "2030-01-08T04:59:59.999999", "2030-01-08T05:00"),
        (NIGHT, "2030-01-08T05:00", None),
        (NOON, "2030-01-07T09:59:59", None),
        (NOON, "2030-01-07T10:00", "2030-01-07T11:30"),
        (NOON, "2030-01-07T11:29:59", "2030-01-07T11:30"),
        (NOON, "2030-01-07T11:30", None),
    ],
)
def test_they_begin_with_their_start_and_are_over_at_their_end(hours: QuietHours, now: str, until: str | None) -> None:
    moment = utc(now)
    assert is_quiet(hours, moment) == (until is not None)
    assert quiet_until(hours, moment) == (utc(until) if until is not None else moment)


@pytest.mark.parametrize(
    "hours, now, until",
    [
        # The clock is put forward in the night: the night is shorter by an hour, and ends at seven all the same.
        (quiet("22:00", "07:00", BERLIN), "2030-03-30T21:00", "2030-03-31T05:00"),
        # The end is skipped: it is over when the clock is put forward.
        (quiet("22:00", "02:30", BERLIN), "2030-03-30T23:00", "2030-03-31T01:00"),
        (quiet("22:00", "02:30", BERLIN), "2030-03-31T00:59:59", "2030-03-31T01:00"),
        # The start is skipped: it begins when the clock is put forward.
        (quiet("02:30", "07:00", BERLIN), "2030-03-31T00:59:59", None),
        (quiet("02:30", "07:00", BERLIN), "2030-03-31T01:00", "2030-03-31T05:00"),
        # All of it is skipped.
        (quiet("02:10", "02:50", BERLIN), "2030-03-31T00:59:59", None),
        (quiet("02:10", "02:50", BERLIN), "2030-03-31T01:00", None),
        # The clock is put back in the night: the night is longer by an hour.
        (quiet("22:00", "07:00", BERLIN), "2030-10-26T20:00", "2030-10-27T06:00"),
        # The end is shown twice: it is over, and then quiet again.
        (quiet("22:00", "02:30", BERLIN), "2030-10-26T23:00", "2030-10-27T00:30"),
        (quiet("22:00", "02:30", BERLIN), "2030-10-27T00:30", None),
        (quiet("22:00", "02:30", BERLIN), "2030-10-27T01:00", "2030-10-27T01:30"),
        # The clock goes back out of them, and into them again.
        (quiet("02:30", "07:00", BERLIN), "2030-10-27T00:45", "2030-10-27T01:00"),
        (quiet("02:30", "07:00", BERLIN), "2030-10-27T01:00", None),
        (quiet("02:30", "07:00", BERLIN), "2030-10-27T01:30", "2030-10-27T06:00"),
        (quiet("01:40", "05:00", LORD_HOWE), "2030-04-06T14:45", "2030-04-06T15:00"),
        (quiet("01:40", "05:00", LORD_HOWE), "2030-04-06T15:10", "2030-04-06T18:30"),
    ],
)
def test_the_clock_on_the_wall_decides_when_it_is_put_forward_or_back(hours: QuietHours, now: str, until: str | None) -> None:
    moment = utc(now)
    assert is_quiet(hours, moment) == (until is not None)
    assert quiet_until(hours, moment) == (utc(until) if until is not None else moment)


minutes = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
zones = st.sampled_from([BERLIN, LORD_HOWE, BLANTYRE, "America/New_York", "Africa/Casablanca", "Pacific/Apia", "Asia/Kolkata"])
#: Whole minutes of a year in which clocks are changed.
moments = st.integers(0, 365 * 24 * 60).map(lambda minute: datetime(2030, 1, 1, tzinfo=UTC) + timedelta(minutes=minute))


@given(start=minutes, end=minutes, zone=zones, now=moments)
def test_they_end_at_the_first_minute_that_is_not_quiet(start: str, end: str, zone: str, now: datetime) -> None:
    if start == end:
        return
    hours = quiet(start, end, zone)
    naive = next(moment for minute in range(60 * 60) if not is_quiet(hours, moment := now + timedelta(minutes=minute)))
    assert quiet_until(hours, now) == naive
