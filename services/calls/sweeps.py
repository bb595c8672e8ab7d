"""What falls due in calls: nobody waits for ever; and whoever did not come to an appointment is found out here."""

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from services.calls import store
from services.calls.domain.attendance import no_show
from shared.messages.booking import MarkNoShow
from shared.messages.calls import TimeOutCall, TimeOutTextSession
from shared.sweeps import Due, Sweep


def sweeps(no_show_after: timedelta) -> tuple[Sweep, ...]:
    """Calls' sweeps.

    Args:
        no_show_after: how long after its start an appointment has not taken place; 0: nobody asks.
    """
    time_outs = (
        Sweep(name="calls-time-out", service="calls", action="time_out", find=find_calls),
        Sweep(name="sessions-time-out", service="calls", action="time_out", find=find_text_sessions),
    )
    if not no_show_after:
        return time_outs
    find = partial(find_missed, no_show_after=no_show_after)
    return (*time_outs, Sweep(name="appointments-no-show", service="calls", action="no_show", find=find))


async def find_calls(connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None) -> list[Due]:
    """Calls whose deadline lies before this moment."""
    return [
        Due(due.session_id, due.version, due.deadline_at, TimeOutCall(call_id=due.session_id, doctor_id=due.doctor_id))
        for due in await store.find_due(connection, until, after, text_sessions=False)
    ]


async def find_text_sessions(connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None) -> list[Due]:
    """Text sessions whose deadline lies before this moment."""
    return [
        Due(due.session_id, due.version, due.deadline_at, TimeOutTextSession(session_id=due.session_id, doctor_id=due.doctor_id))
        for due in await store.find_due(connection, until, after, text_sessions=True)
    ]


async def find_missed(
    connection: AsyncConnection, until: datetime, after: tuple[datetime, str] | None, *, no_show_after: timedelta
) -> list[Due]:
    """Confirmed appointments that should have begun so long before this moment, and did not take place."""
    after = (after[0] - no_show_after, after[1]) if after is not None else None
    return [
        Due(missed.appointment_id, missed.version, missed.starts_at + no_show_after, _ask(missed))
        for missed in await store.find_missed(connection, until - no_show_after, after)
    ]


def _ask(missed: store.MissedAppointment) -> MarkNoShow:
    return no_show(missed.appointment_id, missed.doctor_id, doctor_came=missed.doctor_came, patient_came=missed.patient_came)
