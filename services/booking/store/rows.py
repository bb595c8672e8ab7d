"""How appointments and time off look in rows."""

from collections.abc import Callable
from operator import attrgetter
from typing import Final

from asyncpg import Record

from services.booking.domain.appointment import Appointment
from services.booking.domain.time_off import TimeOff
from services.booking.store.tables import appointments, time_off
from shared.messages.booking import Absent, AppointmentStatus, TimeOffStatus
from shared.messages.fields import Modality, Role

#: Their rows, in the order of the columns.
appointment_values: Final[Callable[[Appointment], tuple[object, ...]]] = attrgetter(*appointments.columns.keys())
time_off_values: Final[Callable[[TimeOff], tuple[object, ...]]] = attrgetter(*time_off.columns.keys())


def appointment_of(row: Record) -> Appointment:
    """The appointment in a row."""
    values = dict(row)
    values["modality"] = Modality(values["modality"])
    values["status"] = AppointmentStatus(values["status"])
    for name, kind in (("cancelled_by", Role), ("status_before_proposal", AppointmentStatus), ("absent", Absent)):
        if values[name] is not None:
            values[name] = kind(values[name])
    return Appointment(**values)


def time_off_of(row: Record) -> TimeOff:
    """The time off in a row."""
    return TimeOff(**{**row, "status": TimeOffStatus(row["status"])})
