"""Quiet hours: when normal notifications wait. The clock on the recipient's wall decides, through every change of it."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.messages.notify import QuietHours

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


def is_quiet(hours: QuietHours, now: datetime) -> bool:
    """Whether the recipient's clock shows a time from the start to before the end."""
    shown = now.astimezone(ZoneInfo(hours.timezone)).time()
    if hours.start < hours.end:
        return hours.start <= shown < hours.end
    return shown >= hours.start or shown < hours.end


def quiet_until(hours: QuietHours, now: datetime) -> datetime:
    """The first moment from now on that is not quiet."""
    zone = ZoneInfo(hours.timezone)
    moment = now
    while is_quiet(hours, moment):
        end = moment + _until_shown(hours, moment, zone)
        if _offset(end, zone) == _offset(moment, zone):
            return end
        # The clock is put forward or back before that: over the end, or out of the quiet hours, perhaps.
        moment = _change_between(moment, end, zone)
    return moment


def _until_shown(hours: QuietHours, moment: datetime, zone: ZoneInfo) -> timedelta:
    """How long until the clock shows the end, if nobody puts it forward or back."""
    shown = moment.astimezone(zone).replace(tzinfo=None)
    return (datetime.combine(shown, hours.end) - shown) % _DAY


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


def _change_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first moment of the new offset; clocks are put forward and back on whole seconds."""
    before = before.replace(microsecond=0)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if _offset(middle, zone) == _offset(before, zone):
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
