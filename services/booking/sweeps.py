"""What falls due in booking: appointments that wait for an answer expire, and the parties of pending ones are warned before.

That nobody came to a confirmed appointment is known where sessions are: the sweep ``appointments-no-show`` belongs to calls,
and its ``mark_no_show`` is decided here like any other command.
"""

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from services.booking.domain.appointment import Rules
from services.booking.store import due
from shared.messages.booking import ExpireAppointment, WarnAppointmentExpiry
from shared.sweeps import Due, Sweep


def sweeps(rules: Rules) -> tuple[Sweep, ...]:
    """Booking's sweeps."""
    return (
        Sweep(name="appointments-expire", service="booking", action="expire", find=find_expired),
        Sweep(
            name="appointments-warn",
            service="booking",
            action="warn_expiry",
            find=partial(find_expiring, warning=rules.expiry_warning),
        ),
    )


async def find_expired(connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None) -> list[Due]:
    """Pending and proposed appointments whose deadline lies before this moment."""
    return [
        Due(waiting.appointment_id, waiting.version, waiting.expires_at, _expire(waiting))
        for waiting in await due.find_waiting(connection, until, after)
    ]


async def find_expiring(
    connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None, *, warning: timedelta
) -> list[Due]:
    """Pending appointments that nobody was warned of, and whose deadline is near."""
    after = (after[0] + warning, after[1]) if after is not None else None
    return [
        Due(waiting.appointment_id, waiting.version, waiting.expires_at - warning, _warn(waiting))
        for waiting in await due.find_unwarned(connection, until + warning, after)
    ]


def _expire(waiting: due.Waiting) -> ExpireAppointment:
    return ExpireAppointment(appointment_id=waiting.appointment_id, doctor_id=waiting.doctor_id)


def _warn(waiting: due.Waiting) -> WarnAppointmentExpiry:
    return WarnAppointmentExpiry(appointment_id=waiting.appointment_id, doctor_id=waiting.doctor_id)
