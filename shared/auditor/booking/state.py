"""What booking's events say of appointments and of time off."""

from typing import NamedTuple

from shared.auditor.values import Fields, instant, name, number, optional_instant


class Appointment(NamedTuple):
    """One appointment, as one event tells of it."""

    starts_us: int
    duration_minutes: int
    proposed_starts_us: int | None
    status_before_proposal: str | None
    cancelled_by: str | None
    absent: str | None


class TimeOff(NamedTuple):
    """One time off, as one event tells of it."""

    starts_us: int
    ends_us: int


def appointment(fields: Fields) -> Appointment:
    """The appointment in an event.

    Raises:
        MalformedError: a field is missing or has another type.
    """
    return Appointment(
        starts_us=instant(fields, "starts_at"),
        duration_minutes=number(fields, "duration_minutes"),
        proposed_starts_us=optional_instant(fields, "proposed_starts_at"),
        status_before_proposal=name(fields.get("status_before_proposal")),
        cancelled_by=name(fields.get("cancelled_by")),
        absent=name(fields.get("absent")),
    )


def time_off(fields: Fields) -> TimeOff:
    """The time off in an event.

    Raises:
        MalformedError: a field is missing or has another type.
    """
    return TimeOff(starts_us=instant(fields, "starts_at"), ends_us=instant(fields, "ends_at"))
