"""What falls due in billing: units of sessions are deducted, and subscriptions end."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.store import due
from shared.messages.billing import DeductSessionUnit, ExpireSubscription
from shared.sweeps import Due, Sweep


def sweeps() -> tuple[Sweep, ...]:
    """Billing's sweeps."""
    return (
        Sweep(name="billing-tick", service="billing", action="deduct", find=find_units),
        Sweep(name="subscriptions-expire", service="billing", action="expire", find=find_ending),
    )


async def find_units(connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None) -> list[Due]:
    """The next units of sessions that last. The identity of a unit's command follows from the session and the unit."""
    return [Due(unit.session_id, unit.unit, unit.due_at, _deduct(unit)) for unit in await due.find_units(connection, until, after)]


async def find_ending(connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None) -> list[Due]:
    """Active subscriptions whose end comes or has passed."""
    return [
        Due(ending.subscription_id, ending.version, ending.ends_at, _expire(ending))
        for ending in await due.find_ending(connection, until, after)
    ]


def _deduct(unit: due.DueUnit) -> DeductSessionUnit:
    return DeductSessionUnit(
        session_id=unit.session_id,
        unit=unit.unit,
        doctor_id=unit.doctor_id,
        patient_id=unit.patient_id,
        modality=unit.modality,
    )


def _expire(ending: due.EndingSubscription) -> ExpireSubscription:
    return ExpireSubscription(subscription_id=ending.subscription_id, patient_id=ending.patient_id)
