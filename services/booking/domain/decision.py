"""What a decision may know, and what it can say."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple

from services.booking.domain.appointment import Appointment
from services.booking.domain.time_off import TimeOff
from shared.messages.booking import AppointmentEventType, TimeOffEventType
from shared.messages.refusal import Refusal, RefusalReason


class Known(NamedTuple):
    """What a decision may depend on.

    Attributes:
        appointment: the one that the command names, if it exists.
        of_doctor: open appointments of the doctor, at least all that overlap the time asked for.
        of_patient: the same of the patient, with any doctor.
        pending_of_patient: how many of the patient's appointments wait for an answer.
        taken_in_this_batch: what was booked, moved or imported to where in the same batch: appointment ids and starts.
        time_off: the one that the command names, if it exists.
        time_off_of_doctor: what is blocked of the doctor's time, at least all that overlaps the time asked for.
    """

    appointment: Appointment | None = None
    of_doctor: Collection[Appointment] = ()
    of_patient: Collection[Appointment] = ()
    pending_of_patient: int = 0
    taken_in_this_batch: AbstractSet[tuple[str, datetime]] = frozenset()
    time_off: TimeOff | None = None
    time_off_of_doctor: Collection[TimeOff] = ()


class Moment(NamedTuple):
    """When a command is decided, and which one it is.

    Attributes:
        now: its log time.
        asked_at: when its publisher says that it was made, if at all.
        command_id: the ``ce_id``.
        entity_id: the appointment or time off that it names, or the derived one.
    """

    now: datetime
    asked_at: datetime | None
    command_id: str
    entity_id: str


class Changed(NamedTuple):
    """Something happened: the appointment is now as it says."""

    type: AppointmentEventType
    appointment: Appointment
    at: datetime


class TimeOffChanged(NamedTuple):
    """Something happened: the time off is now as it says."""

    type: TimeOffEventType
    time_off: TimeOff
    at: datetime


class Refused(NamedTuple):
    """Nothing happened, and why."""

    refusal: Refusal


BookingEvent = Changed | TimeOffChanged | Refused


def refuse(reason: RefusalReason, message: str, conflict: Mapping[str, object] | None = None) -> Refusal:
    """A refusal, with what stands in the way; never whose it is."""
    return Refusal(reason.status_code, reason, message, conflict)
