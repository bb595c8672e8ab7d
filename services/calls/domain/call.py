"""What happens to a call once it was started."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from services.calls.domain.deadline import closed_by_deadline
from services.calls.domain.find import By, find_call
from services.calls.domain.session import LIVE_CALL, Call, CallsEvent, Changed, Known, Moment, Refused, Rules, refuse
from shared.messages.calls import (
    CallEventType,
    CallStatus,
    CancelCall,
    ConnectCall,
    DeclineCall,
    DisconnectCall,
    EndCall,
    EndReason,
    ReconnectCall,
    SessionReason,
    TimeOutCall,
)
from shared.messages.fields import Role
from shared.messages.refusal import Refusal

_CONNECTING: Final = frozenset({CallStatus.CONNECTING})
_CONNECTED: Final = frozenset({CallStatus.CONNECTED})
_RECONNECTING: Final = frozenset({CallStatus.RECONNECTING})
_ONCE_CONNECTED: Final = _CONNECTED | _RECONNECTING
_HAS_DEADLINE: Final = _CONNECTING | _RECONNECTING


def connect(known: Known, command: ConnectCall, moment: Moment) -> tuple[CallsEvent, ...]:
    """Media flows: from now on the call costs, and nothing is left to time out."""
    found = find_call(known, command, moment, by=By.PARTY, in_status=_CONNECTING)
    if isinstance(found, Refusal):
        return (Refused(found),)
    connected = _changed(found, moment, status=CallStatus.CONNECTED, connected_at=moment.now, deadline_at=None)
    return (Changed(CallEventType.CONNECTED, connected, moment.now),)


def decline(known: Known, command: DeclineCall, moment: Moment) -> tuple[CallsEvent, ...]:
    """The one called turns it down."""
    found = find_call(known, command, moment, by=By.CALLED, in_status=_CONNECTING)
    if isinstance(found, Refusal):
        return (Refused(found),)
    declined = _over(found, moment, CallStatus.DECLINED, EndReason.DECLINED, command.actor.role)
    return (Changed(CallEventType.DECLINED, declined, moment.now),)


def cancel(known: Known, command: CancelCall, moment: Moment) -> tuple[CallsEvent, ...]:
    """The one who started it takes it back."""
    found = find_call(known, command, moment, by=By.STARTER, in_status=_CONNECTING)
    if isinstance(found, Refusal):
        return (Refused(found),)
    cancelled = _over(found, moment, CallStatus.CANCELLED, EndReason.CANCELLED, command.actor.role)
    return (Changed(CallEventType.CANCELLED, cancelled, moment.now),)


def disconnect(known: Known, command: DisconnectCall, moment: Moment, rules: Rules) -> tuple[CallsEvent, ...]:
    """The connection was lost: a grace time begins."""
    found = find_call(known, command, moment, by=By.PARTY, in_status=_CONNECTED)
    if isinstance(found, Refusal):
        return (Refused(found),)
    reconnecting = _changed(
        found,
        moment,
        status=CallStatus.RECONNECTING,
        disconnected_at=moment.now,
        deadline_at=moment.now + rules.reconnect_timeout,
    )
    return (Changed(CallEventType.RECONNECTING, reconnecting, moment.now),)


def reconnect(known: Known, command: ReconnectCall, moment: Moment) -> tuple[CallsEvent, ...]:
    """The connection is back in time: the call goes on as if it had not been lost."""
    found = find_call(known, command, moment, by=By.PARTY, in_status=_RECONNECTING)
    if isinstance(found, Refusal):
        return (Refused(found),)
    reconnected = _changed(found, moment, status=CallStatus.CONNECTED, disconnected_at=None, deadline_at=None)
    return (Changed(CallEventType.RECONNECTED, reconnected, moment.now),)


def end(known: Known, command: EndCall, moment: Moment) -> tuple[CallsEvent, ...]:
    """A party hangs up; the system can end it before it connected, too."""
    by_system = command.actor.role is Role.SYSTEM
    found = find_call(known, command, moment, by=By.PARTY_OR_SYSTEM, in_status=LIVE_CALL if by_system else _ONCE_CONNECTED)
    if isinstance(found, Refusal):
        return (Refused(found),)
    reason = command.reason_code or (EndReason.ENDED_BY_SYSTEM if by_system else EndReason.ENDED_BY_PARTY)
    ended = _over(found, moment, CallStatus.ENDED, reason, command.actor.role)
    return (Changed(CallEventType.ENDED, ended, moment.now),)


def time_out(known: Known, command: TimeOutCall, moment: Moment) -> tuple[CallsEvent, ...]:
    """The sweep found its deadline passed."""
    found = find_call(known, command, moment, by=By.SYSTEM, in_status=_HAS_DEADLINE)
    if isinstance(found, Refusal):
        return (Refused(found),)
    if not found.is_lapsed(moment.now):
        return (Refused(refuse(SessionReason.NOT_DUE, "The call's deadline has not passed yet.")),)
    return (closed_by_deadline(found, moment.cause),)


def _over(call: Call, moment: Moment, status: CallStatus, reason: str, by: Role) -> Call:
    """The call after somebody ended it. One that had lost its connection ended with the loss."""
    ended_at: datetime = call.disconnected_at or moment.now
    return _changed(call, moment, status=status, ended_at=ended_at, ended_by=by, reason=reason, deadline_at=None)


def _changed(call: Call, moment: Moment, **fields: Any) -> Call:
    return replace(
        call,
        updated_at=moment.now,
        version=call.version + 1,
        **moment.cause._asdict(),
        **fields,
    )
