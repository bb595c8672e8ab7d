"""What happens in a text session once it was started."""

from dataclasses import replace

from services.calls.domain.deadline import closed_by_deadline
from services.calls.domain.find import By, find_text_session
from services.calls.domain.occupied import doctor_has_no_place, lapsed_in_the_way
from services.calls.domain.session import CallsEvent, Changed, Known, Moment, Refused, Rules, TextSession, refuse
from shared.messages.calls import (
    EndReason,
    EndTextSession,
    RecordActivity,
    SessionReason,
    TextSessionEventType,
    TextSessionStatus,
    TimeOutTextSession,
)
from shared.messages.fields import Role
from shared.messages.refusal import Refusal


def record_activity(known: Known, command: RecordActivity, moment: Moment, rules: Rules) -> tuple[CallsEvent, ...]:
    """A party wrote: it counts for their side. The doctor's first one activates the session."""
    found = find_text_session(known, command, moment, by=By.PARTY)
    if isinstance(found, Refusal):
        return (Refused(found),)
    by_doctor = command.actor.role is Role.DOCTOR
    activates = by_doctor and found.status is TextSessionStatus.WAITING
    if activates and (refusal := doctor_has_no_place(known, moment, rules)) is not None:
        return (Refused(refusal),)
    recorded = replace(
        found,
        updated_at=moment.now,
        last_activity_at=moment.now,
        deadline_at=found.deadline_at if found.status is TextSessionStatus.WAITING else moment.now + rules.inactivity_timeout,
        patient_activity_count=found.patient_activity_count + (not by_doctor),
        doctor_activity_count=found.doctor_activity_count + by_doctor,
        version=found.version + 1,
    )
    outcome = Changed(TextSessionEventType.ACTIVITY_RECORDED, recorded, moment.now)
    if not activates:
        return (outcome,)
    return (outcome, _activated(recorded, moment, rules), *lapsed_in_the_way(known, moment))


def end(known: Known, command: EndTextSession, moment: Moment) -> tuple[CallsEvent, ...]:
    """A party closes it, or leaves while it waits; or the system ends it."""
    found = find_text_session(known, command, moment, by=By.PARTY_OR_SYSTEM)
    if isinstance(found, Refusal):
        return (Refused(found),)
    by_system = command.actor.role is Role.SYSTEM
    ended = replace(
        found,
        status=TextSessionStatus.ENDED,
        updated_at=moment.now,
        deadline_at=None,
        ended_at=moment.now,
        ended_by=command.actor.role,
        reason=command.reason_code or (EndReason.ENDED_BY_SYSTEM if by_system else EndReason.ENDED_BY_PARTY),
        version=found.version + 1,
        **moment.cause._asdict(),
    )
    return (Changed(TextSessionEventType.ENDED, ended, moment.now),)


def time_out(known: Known, command: TimeOutTextSession, moment: Moment) -> tuple[CallsEvent, ...]:
    """The sweep found its deadline passed."""
    found = find_text_session(known, command, moment, by=By.SYSTEM)
    if isinstance(found, Refusal):
        return (Refused(found),)
    if not found.is_lapsed(moment.now):
        return (Refused(refuse(SessionReason.NOT_DUE, "The text session's deadline has not passed yet.")),)
    return (closed_by_deadline(found, moment.cause),)


def _activated(session: TextSession, moment: Moment, rules: Rules) -> Changed:
    activated = replace(
        session,
        status=TextSessionStatus.ACTIVE,
        activated_at=moment.now,
        deadline_at=moment.now + rules.inactivity_timeout,
        version=session.version + 1,
        **moment.cause._asdict(),
    )
    return Changed(TextSessionEventType.ACTIVATED, activated, moment.now)
