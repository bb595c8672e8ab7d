"""What falls due in booking: pending appointments expire, and their parties are warned before."""

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from services.booking import store
from services.booking.domain.appointment import Rules
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
    """Pending appointments whose deadline lies before this moment."""
    return [
        Due(pending.appointment_id, pending.version, pending.expires_at, _expire(pending))
        for pending in await store.find_pending(connection, until, after)
    ]


async def find_expiring(
    connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None, *, warning: timedelta
) -> list[Due]:
    """Pending appointments that nobody was warned of, and whose deadline is near."""
    after = (after[0] + warning, after[1]) if after is not None else None
    return [
        Due(pending.appointment_id, pending.version, pending.expires_at - warning, _warn(pending))
        for pending in await store.find_pending(connection, until + warning, after, unwarned=True)
    ]


def _expire(pending: store.PendingDeadline) -> ExpireAppointment:
    return ExpireAppointment(appointment_id=pending.appointment_id, doctor_id=pending.doctor_id)


def _warn(pending: store.PendingDeadline) -> WarnAppointmentExpiry:
    return WarnAppointmentExpiry(appointment_id=pending.appointment_id, doctor_id=pending.doctor_id)
