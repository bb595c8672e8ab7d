"""What every change of an existing call or text session must pass: it exists, the actor may, it is not over, the status allows it.

What a deadline has closed is over for everybody, whether or not a sweep came: a refusal says the same in either case.
"""

from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Final, assert_never

from services.calls.domain.deadline import closed_by_deadline
from services.calls.domain.session import Call, Known, Moment, Session, TextSession, named, refuse
from shared.messages.calls import AnyCallCommand, AnyTextSessionCommand, CallStatus, EndReason, SessionReason
from shared.messages.fields import Actor, Role
from shared.messages.refusal import Refusal

_TIMED_OUT: Final = frozenset({EndReason.CONNECT_TIMEOUT, EndReason.RECONNECT_TIMEOUT})


class By(Enum):
    """Who may do something."""

    PARTY = "party"
    PARTY_OR_SYSTEM = "party_or_system"
    STARTER = "starter"
    CALLED = "called"
    SYSTEM = "system"


def find_call(known: Known, command: AnyCallCommand, moment: Moment, *, by: By, in_status: AbstractSet[CallStatus]) -> Call | Refusal:
    """The call that a command names, or why the command is refused, in order of precedence.

    Args:
        known: what there is.
        command: names it.
        moment: when.
        by: who may do this.
        in_status: the statuses in which it can be done.
    """
    call = known.session
    if not isinstance(call, Call) or call.doctor_id != command.doctor_id:
        return refuse(SessionReason.CALL_NOT_FOUND, "The doctor has no call with this id.")
    if command.actor is not None and not _may(call, command.actor, by):
        return _not_a_party(call, by)
    if by is not By.SYSTEM and (call.is_lapsed(moment.now) or call.reason in _TIMED_OUT):
        return _over(SessionReason.TIMED_OUT, call, moment)
    if call.status in in_status:
        return call
    if call.status is CallStatus.CONNECTING:
        return refuse(SessionReason.NOT_CONNECTED, "The call has not connected yet.", named(call))
    return _over(SessionReason.WRONG_STATUS, call, moment)


def find_text_session(known: Known, command: AnyTextSessionCommand, moment: Moment, *, by: By) -> TextSession | Refusal:
    """The text session that a command names, or why the command is refused, in order of precedence."""
    session = known.session
    if not isinstance(session, TextSession) or session.doctor_id != command.doctor_id:
        return refuse(SessionReason.TEXT_SESSION_NOT_FOUND, "The doctor has no text session with this id.")
    if command.actor is not None and not _may(session, command.actor, by):
        return _not_a_party(session, by)
    if not session.is_live or (by is not By.SYSTEM and session.is_lapsed(moment.now)):
        return _over(SessionReason.SESSION_NOT_ACTIVE, session, moment)
    return session


def _may(session: Session, actor: Actor, by: By) -> bool:
    if actor.role not in _roles(session, by):
        return False
    match actor.role:
        case Role.PATIENT:
            return actor.id == session.patient_id
        case Role.DOCTOR:
            return actor.id == session.doctor_id
        case Role.ADMIN | Role.SYSTEM:
            return True


def _roles(session: Session, by: By) -> AbstractSet[Role]:
    parties = frozenset({Role.PATIENT, Role.DOCTOR})
    match by:
        case By.PARTY:
            return parties
        case By.PARTY_OR_SYSTEM:
            return parties | {Role.SYSTEM}
        case By.STARTER:
            return frozenset({session.started_by})
        case By.CALLED:
            return parties - {session.started_by}
        case By.SYSTEM:
            return frozenset({Role.SYSTEM})
        case _:
            assert_never(by)


def _not_a_party(session: Session, by: By) -> Refusal:
    roles = _roles(session, by)
    who = " or ".join(f"the {role}" for role in Role if role in roles)
    return refuse(SessionReason.NOT_A_PARTY, f"Only {who} of this {_kind(session)} can do that.")


def _over(reason: SessionReason, session: Session, moment: Moment) -> Refusal:
    """Say what the status is and what made it so: whoever loses a race learns who won."""
    made_so_by: dict[str, object] = {}
    if session.is_lapsed(moment.now):
        session = closed_by_deadline(session, moment.cause).session
        words = ", by its deadline"
    else:
        made_so_by["command"] = {"source": session.changed_by_source, "id": session.changed_by_id, "type": session.changed_by_type}
        words = f", by {session.changed_by_type}"
    return refuse(
        reason,
        f"The {_kind(session)} is {session.status} since {session.updated_at:%Y-%m-%d %H:%M:%S} UTC{words}.",
        {**named(session), "since": session.updated_at, **made_so_by},
    )


def _kind(session: Session) -> str:
    return "call" if isinstance(session, Call) else "text session"
