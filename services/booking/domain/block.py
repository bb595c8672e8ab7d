"""Blocking an interval of a doctor's time, and freeing it again."""

from dataclasses import replace

from services.booking.domain.appointment import Interval
from services.booking.domain.decision import BookingEvent, Known, Moment, Refused, TimeOffChanged, refuse
from services.booking.domain.slot import first_of, held_by
from services.booking.domain.time_off import TimeOff
from shared.messages.booking import BlockTimeOff, TimeOffCommand, TimeOffEventType, TimeOffReason, TimeOffStatus, UnblockTimeOff
from shared.messages.fields import Role
from shared.messages.refusal import Refusal


def block(known: Known, command: BlockTimeOff, moment: Moment) -> tuple[BookingEvent, ...]:
    """Hold the interval, unless an appointment holds a part of it. What is blocked already may be blocked once more."""
    refusal = _why_not_blocked(known, command, moment)
    if refusal is not None:
        return (Refused(refusal),)
    blocked = TimeOff(
        time_off_id=command.time_off_id,
        doctor_id=command.doctor_id,
        starts_at=command.starts_at,
        ends_at=command.ends_at,
        status=TimeOffStatus.BLOCKED,
        created_at=moment.now,
        updated_at=moment.now,
        changed_by_id=moment.command_id,
        changed_by_type=command.type,
    )
    return (TimeOffChanged(TimeOffEventType.BLOCKED, blocked, moment.now),)


def _why_not_blocked(known: Known, command: BlockTimeOff, moment: Moment) -> Refusal | None:
    if not _is_allowed(command):
        return _not_a_party()
    if known.time_off is not None:
        return refuse(TimeOffReason.TIME_OFF_EXISTS, "A time off with this id exists already.")
    obstacles = held_by(known.of_doctor, [Interval(command.starts_at, command.ends_at)], moment.now)
    if not obstacles:
        return None
    message = "An appointment holds a part of that time: cancel it or move it first."
    return refuse(TimeOffReason.SLOT_ALREADY_BOOKED, message, first_of(obstacles).conflict())


def unblock(known: Known, command: UnblockTimeOff, moment: Moment) -> tuple[BookingEvent, ...]:
    """Free the interval again."""
    time_off = known.time_off
    if time_off is None or time_off.doctor_id != command.doctor_id:
        return (Refused(refuse(TimeOffReason.TIME_OFF_NOT_FOUND, "The doctor has no time off with this id.")),)
    if not _is_allowed(command):
        return (Refused(_not_a_party()),)
    if time_off.status is TimeOffStatus.UNBLOCKED:
        return (Refused(_wrong_status(time_off)),)
    unblocked = replace(
        time_off,
        status=TimeOffStatus.UNBLOCKED,
        updated_at=moment.now,
        changed_by_id=moment.command_id,
        changed_by_type=command.type,
        version=time_off.version + 1,
    )
    return (TimeOffChanged(TimeOffEventType.UNBLOCKED, unblocked, moment.now),)


def _is_allowed(command: TimeOffCommand) -> bool:
    actor = command.actor
    return actor.role is Role.ADMIN or (actor.role is Role.DOCTOR and actor.id == command.doctor_id)


def _not_a_party() -> Refusal:
    return refuse(TimeOffReason.NOT_A_PARTY, "Only the doctor, or an administrator, can block time or free it.")


def _wrong_status(time_off: TimeOff) -> Refusal:
    since = f"{time_off.updated_at:%Y-%m-%d %H:%M:%S}"
    conflict = {
        "time_off_id": time_off.time_off_id,
        "starts_at": time_off.starts_at,
        "ends_at": time_off.ends_at,
        "status": time_off.status,
        "since": time_off.updated_at,
        "command": {"type": time_off.changed_by_type, "id": time_off.changed_by_id},
    }
    message = f"The time off is {time_off.status} since {since} UTC, by {time_off.changed_by_type}."
    return refuse(TimeOffReason.WRONG_STATUS, message, conflict)
