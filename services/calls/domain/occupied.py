"""Who is in another call or text session: one live one at a time."""

from collections.abc import Iterable

from services.calls.domain.deadline import closed_by_deadline
from services.calls.domain.session import Call, Changed, Known, Moment, Rules, Session, named, refuse
from shared.messages.calls import SessionReason
from shared.messages.refusal import Refusal


def doctor_is_in_another(known: Known, moment: Moment) -> Refusal | None:
    """Whether the doctor cannot take a call: any other call or active text session is in the way."""
    return _busy_doctor(_occupying_doctor(known, moment))


def doctor_has_no_place(known: Known, moment: Moment, rules: Rules) -> Refusal | None:
    """Whether the doctor cannot take a further text session: a call is in the way, or as many text sessions as one may."""
    others = _occupying_doctor(known, moment)
    calls = [session for session in others if isinstance(session, Call)]
    return _busy_doctor(calls if len(others) < rules.text_sessions_per_doctor else others)


def patient_is_in_another(known: Known, moment: Moment) -> Refusal | None:
    """Whether the patient is in another call or text session, waiting ones included, with any doctor."""
    others = [session for session in known.of_patient if session.is_live and not session.is_lapsed(moment.now)]
    if not others:
        return None
    return refuse(SessionReason.PATIENT_BUSY, "The patient is in another call or text session.", named(_first(others)))


def lapsed_in_the_way(known: Known, moment: Moment) -> list[Changed]:
    """Close what would occupy the doctor had its deadline not passed, as a sweep would have by now."""
    return [
        closed_by_deadline(session, moment.cause)
        for session in known.of_doctor
        if session.occupies_doctor and session.is_lapsed(moment.now)
    ]


def _occupying_doctor(known: Known, moment: Moment) -> list[Session]:
    return [session for session in known.of_doctor if session.occupies_doctor and not session.is_lapsed(moment.now)]


def _busy_doctor(others: Iterable[Session]) -> Refusal | None:
    others = list(others)
    if not others:
        return None
    return refuse(SessionReason.DOCTOR_BUSY, "The doctor is in another call or text session.", named(_first(others)))


def _first(sessions: Iterable[Session]) -> Session:
    return min(sessions, key=lambda session: (session.started_at, session.session_id))
