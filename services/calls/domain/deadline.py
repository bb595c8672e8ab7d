"""What time does to calls and text sessions: nobody waits for ever.

A deadline holds although nobody swept, and what it does happens at the deadline, whenever somebody comes to note it.
"""

from dataclasses import replace

from services.calls.domain.session import Call, Cause, Changed, Session, TextSession
from shared.messages.calls import CallEventType, CallStatus, EndReason, TextSessionEventType, TextSessionStatus
from shared.messages.fields import Role
from shared.messages.wording import describe_duration


def closed_by_deadline(session: Session, cause: Cause) -> Changed:
    """The call or text session, closed by the system at its deadline.

    Args:
        session: whose deadline has passed.
        cause: the command that came upon it.
    """
    if isinstance(session, Call):
        return _closed_call(session, cause)
    return _closed_text_session(session, cause)


def _closed_call(call: Call, cause: Cause) -> Changed:
    deadline = call.deadline_at
    assert deadline is not None
    closed = replace(
        call,
        updated_at=deadline,
        deadline_at=None,
        ended_by=Role.SYSTEM,
        version=call.version + 1,
        **cause._asdict(),
    )
    if call.status is CallStatus.CONNECTING:
        waited = describe_duration(deadline - call.started_at)
        failed = replace(
            closed,
            status=CallStatus.FAILED,
            ended_at=deadline,
            reason=EndReason.CONNECT_TIMEOUT,
            failure_reason=f"Connection timeout after {waited}",
        )
        return Changed(CallEventType.FAILED, failed, deadline)
    # The grace time passed in vain: what lies between the loss and the deadline was no call.
    ended = replace(closed, status=CallStatus.ENDED, ended_at=call.disconnected_at, reason=EndReason.RECONNECT_TIMEOUT)
    return Changed(CallEventType.ENDED, ended, deadline)


def _closed_text_session(session: TextSession, cause: Cause) -> Changed:
    deadline = session.deadline_at
    assert deadline is not None
    closed = replace(
        session,
        updated_at=deadline,
        deadline_at=None,
        ended_at=deadline,
        ended_by=Role.SYSTEM,
        version=session.version + 1,
        **cause._asdict(),
    )
    if session.status is TextSessionStatus.WAITING:
        expired = replace(closed, status=TextSessionStatus.EXPIRED, reason=EndReason.NO_ANSWER)
        return Changed(TextSessionEventType.EXPIRED, expired, deadline)
    ended = replace(closed, status=TextSessionStatus.ENDED, reason=EndReason.INACTIVITY)
    return Changed(TextSessionEventType.ENDED, ended, deadline)
