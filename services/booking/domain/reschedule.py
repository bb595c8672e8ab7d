"""Moving an appointment: the doctor proposes another time, the patient answers. Until then both times are held."""

from typing import Final

from services.booking.domain.appointment import Appointment, Rules
from services.booking.domain.change import change, find
from services.booking.domain.decision import BookingEvent, Changed, Known, Moment, Refused, refuse
from services.booking.domain.slot import (
    finds_the_doctor_free,
    finds_the_patient_free,
    is_not_in_the_past,
    is_not_too_far_ahead,
    lapsed_in_the_way,
)
from shared.messages.booking import (
    AcceptReschedule,
    AppointmentEventType,
    AppointmentReason,
    AppointmentStatus,
    ProposeReschedule,
    RejectReschedule,
    WithdrawReschedule,
)
from shared.messages.fields import Role
from shared.messages.refusal import Refusal

_DOCTOR: Final = frozenset({Role.DOCTOR})
_PATIENT: Final = frozenset({Role.PATIENT})
_MOVABLE: Final = frozenset({AppointmentStatus.PENDING, AppointmentStatus.CONFIRMED})
_PROPOSED: Final = frozenset({AppointmentStatus.RESCHEDULE_PROPOSED})


def propose(known: Known, command: ProposeReschedule, moment: Moment, rules: Rules) -> tuple[BookingEvent, ...]:
    """The doctor asks for another time, and holds it, so that accepting it cannot fail."""
    found = _find_movable(known, command, moment, rules)
    if isinstance(found, Refusal):
        return (Refused(found),)
    for rule in (finds_the_doctor_free, finds_the_patient_free):
        if (refusal := rule(known, command, moment, rules)) is not None:
            return (Refused(refusal),)
    proposed = change(found, command.type, moment, status=AppointmentStatus.RESCHEDULE_PROPOSED)._replace(
        expires_at=min(found.starts_at, command.starts_at),
        proposed_starts_at=command.starts_at,
        status_before_proposal=found.status,
    )
    event = Changed(AppointmentEventType.RESCHEDULE_PROPOSED, proposed, moment.now)
    return (event, *lapsed_in_the_way(known, command, moment, rules))


def _find_movable(known: Known, command: ProposeReschedule, moment: Moment, rules: Rules) -> Appointment | Refusal:
    for rule in (is_not_in_the_past, is_not_too_far_ahead):
        if (refusal := rule(known, command, moment, rules)) is not None:
            return refusal
    found = find(known, command, moment, by=_DOCTOR, in_status=_MOVABLE)
    if isinstance(found, Appointment) and found.starts_at < moment.now:
        # A proposal lapses when the old time has passed: this one would at once.
        return refuse(AppointmentReason.EXPIRED, "The appointment's time has passed; it cannot be moved any more.")
    return found


def accept(known: Known, command: AcceptReschedule, moment: Moment) -> tuple[BookingEvent, ...]:
    """The patient takes the proposed time: the old one is free."""
    found = find(known, command, moment, by=_PATIENT, in_status=_PROPOSED)
    if isinstance(found, Refusal):
        return (Refused(found),)
    interval = found.proposed_interval
    assert interval is not None
    moved = change(found, command.type, moment, status=AppointmentStatus.CONFIRMED)._replace(
        starts_at=interval.starts_at,
        ends_at=interval.ends_at,
        held_since=found.updated_at,
    )
    return (Changed(AppointmentEventType.RESCHEDULED, moved, moment.now),)


def reject(known: Known, command: RejectReschedule, moment: Moment, rules: Rules) -> tuple[BookingEvent, ...]:
    """The patient keeps the old time: the proposed one is free."""
    found = find(known, command, moment, by=_PATIENT, in_status=_PROPOSED)
    if isinstance(found, Refusal):
        return (Refused(found),)
    return (Changed(AppointmentEventType.RESCHEDULE_REJECTED, _as_before(found, command.type, moment, rules), moment.now),)


def withdraw(known: Known, command: WithdrawReschedule, moment: Moment, rules: Rules) -> tuple[BookingEvent, ...]:
    """The doctor keeps the old time: the proposed one is free."""
    found = find(known, command, moment, by=_DOCTOR, in_status=_PROPOSED)
    if isinstance(found, Refusal):
        return (Refused(found),)
    return (Changed(AppointmentEventType.RESCHEDULE_WITHDRAWN, _as_before(found, command.type, moment, rules), moment.now),)


def _as_before(proposed: Appointment, command_type: str, moment: Moment, rules: Rules) -> Appointment:
    """What was before the proposal. One that waits for its doctor does so anew, and both are warned anew."""
    assert proposed.status_before_proposal is not None
    restored = change(proposed, command_type, moment, status=proposed.status_before_proposal)
    if restored.status is not AppointmentStatus.PENDING:
        return restored
    return restored._replace(expires_at=min(moment.now + rules.pending_expiry, restored.starts_at), warned_at=None)
