"""Times as whole microseconds since the epoch: cheap to keep by the hundred thousand, and exact to compare."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

#: Later than every instant.
NEVER_US: Final = 2**63 - 1
MICROSECONDS_PER_MILLISECOND: Final = 1_000
MICROSECONDS_PER_MINUTE: Final = 60_000_000


def instant_us(text: object) -> int | None:
    """The instant of an RFC 3339 time in UTC that ends in ``Z``, as every time that the mesh publishes; None if it is no such text."""
    if not isinstance(text, str) or not text.endswith("Z"):
        return None
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
    except ValueError:
        return None


def is_time(text: str) -> bool:
    """Whether the text is an RFC 3339 time with any offset."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def shown(instant: int | None) -> str:
    """The instant for people."""
    if instant is None:
        return "no time"
    return (_EPOCH + timedelta(microseconds=instant)).isoformat().replace("+00:00", "Z")
