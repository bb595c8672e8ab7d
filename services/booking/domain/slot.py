"""Whether a time can be taken: the rules that all who ask for one share.

Each rule says why not, or nothing.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from services.booking.domain.appointment import HOLDS_SLOT, Appointment, Interval, Rules
from services.booking.domain.deadline import expired
from services.booking.domain.decision import BookingEvent, Known, Moment, refuse
from services.booking.domain.time_off import TimeOff
from shared.messages.booking import AppointmentReason, BookAppointment, ImportAppointment, ProposeReschedule
from shared.messages.refusal import Refusal

TakesTime = BookAppointment | ImportAppointment | ProposeReschedule


def is_not_in_the_past(_known: Known, command: TakesTime, moment: Moment, _rules: Rules) -> Refusal | None:
    """Nothing is taken of what has passed."""
    if command.starts_at < moment.now:
        return refuse(AppointmentReason.STARTS_IN_THE_PAST, "The appointment would start in the past.")
    return None


def is_not_too_far_ahead(_known: Known, command: TakesTime, moment: Moment, rules: Rules) -> Refusal | None:
    """Nothing is taken of what is too far away to be known."""
    if command.starts_at > moment.now + rules.max_ahead:
        days = rules.max_ahead / timedelta(days=1)
        return refuse(AppointmentReason.TOO_FAR_AHEAD, f"The appointment would start more than {days:g} days ahead.")
    return None


def finds_the_doctor_free(known: Known, command: TakesTime, moment: Moment, _rules: Rules) -> Refusal | None:
    """No appointment and no time off holds a part of that time of the doctor's."""
    if not known.of_doctor and not known.time_off_of_doctor:
        return None
    asked = intervals_of(command, known)
    obstacles = [*held_by(_others(known.of_doctor, command), asked, moment.now), *blocked_by(known.time_off_of_doctor, asked)]
    if not obstacles:
        return None
    obstacle = first_of(obstacles)
    return refuse(AppointmentReason.SLOT_ALREADY_BOOKED, _why_taken(obstacle, command, known, moment), obstacle.conflict())


def finds_the_patient_free(known: Known, command: TakesTime, moment: Moment, _rules: Rules) -> Refusal | None:
    """The patient is nowhere else at that time."""
    if not known.of_patient:
        return None
    obstacles = held_by(_others(known.of_patient, command), intervals_of(command, known), moment.now)
    if not obstacles:
        return None
    return refuse(AppointmentReason.PATIENT_ALREADY_BOOKED, "You already have an appointment at this time.", first_of(obstacles).conflict())


def lapsed_in_the_way(known: Known, command: TakesTime, moment: Moment, rules: Rules) -> list[BookingEvent]:
    """Close what has lapsed and still stands where the doctor's time is taken, as a sweep would have by now."""
    lapsed = [hold for hold in known.of_doctor if hold.is_lapsed(moment.now)]
    if not lapsed:
        return []
    asked = intervals_of(command, known)
    in_the_way = [hold for hold in lapsed if any(hold.in_the_way_of(interval) is not None for interval in asked)]
    return [expired(hold, command.type, moment, rules) for hold in in_the_way]


def intervals_of(command: TakesTime, known: Known) -> tuple[Interval, ...]:
    """The times that a command asks for."""
    match command:
        case BookAppointment():
            return (Interval(command.starts_at, command.ends_at),)
        case ImportAppointment() if command.status not in HOLDS_SLOT:
            return ()
        case ImportAppointment():
            starts = {command.starts_at, command.proposed_starts_at or command.starts_at}
            return tuple(Interval(starts_at, starts_at + (command.ends_at - command.starts_at)) for starts_at in sorted(starts))
        case ProposeReschedule():
            assert known.appointment is not None
            return (Interval(command.starts_at, command.starts_at + known.appointment.duration),)


class Obstacle(NamedTuple):
    """A time that somebody holds, and who."""

    interval: Interval
    holder_id: str
    holder: Appointment | TimeOff

    def conflict(self) -> dict[str, object]:
        """What a refusal says of it; never whose it is."""
        name = "appointment_id" if isinstance(self.holder, Appointment) else "time_off_id"
        return {name: self.holder_id, "starts_at": self.interval.starts_at, "ends_at": self.interval.ends_at}


def first_of(obstacles: Collection[Obstacle]) -> Obstacle:
    """The earliest of some."""
    return min(obstacles, key=lambda obstacle: (obstacle.interval, obstacle.holder_id))


def held_by(appointments: Collection[Appointment], asked: Collection[Interval], now: datetime) -> list[Obstacle]:
    """What appointments hold of the times asked for."""
    return [
        Obstacle(held, hold.appointment_id, hold)
        for hold in appointments
        for interval in asked
        if (held := hold.in_the_way_of(interval)) is not None and hold.holds_slot(now)
    ]


def blocked_by(time_off: Collection[TimeOff], asked: Collection[Interval]) -> list[Obstacle]:
    """What is blocked of the times asked for."""
    return [Obstacle(off.interval, off.time_off_id, off) for off in time_off for interval in asked if off.interval.overlaps(interval)]


def _others(holds: Collection[Appointment], command: TakesTime) -> Collection[Appointment]:
    """What an appointment holds is not in its own way when it moves."""
    if isinstance(command, ProposeReschedule):
        return [hold for hold in holds if hold.appointment_id != command.appointment_id]
    return holds


def _why_taken(obstacle: Obstacle, command: TakesTime, known: Known, moment: Moment) -> str:
    holder, starts_at = obstacle.holder, obstacle.interval.starts_at
    if isinstance(holder, Appointment):
        if holder.patient_id == _patient_of(command, known):
            return "You have already booked this time slot."
        taken_since = moment.asked_at is not None and holder.taken_at(starts_at) > moment.asked_at
        if taken_since or (holder.appointment_id, starts_at) in known.taken_in_this_batch:
            return "Time slot was just booked by another patient."
    return "This time slot is already booked. Please select a different time."


def _patient_of(command: TakesTime, known: Known) -> str:
    if isinstance(command, ProposeReschedule):
        assert known.appointment is not None
        return known.appointment.patient_id
    return command.patient_id
