"""Words that several services put into what they publish."""

from datetime import timedelta
from typing import Final

_SECONDS_PER_HOUR: Final = 3600


def describe_duration(duration: timedelta) -> str:
    """A duration for people: whole hours as hours, anything else as seconds."""
    seconds = duration.total_seconds()
    hours = seconds / _SECONDS_PER_HOUR
    if seconds < _SECONDS_PER_HOUR or not hours.is_integer():
        return f"{seconds:g} seconds"
    return "1 hour" if hours == 1 else f"{hours:g} hours"
