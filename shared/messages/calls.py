"""The calls service's commands and events: voice and video calls, and text sessions.

For who reckons with time (billing), the state in each event is enough, at any later log time ``t`` and whether or not a sweep came:

- A call that is ``connected`` has been connected from ``connected_at`` until ``t``: a connection that was lost and came back in time
  counts as if it had never been lost. One that is ``reconnecting`` has been connected until ``disconnected_at``, and is not charged
  further while it is; ``reconnected`` takes that moment away again. One that has ended was connected from ``connected_at`` until
  ``ended_at``, which is the moment of the loss when the connection did not come back.
- A text session that is ``active`` has been active from ``activated_at`` until ``t``, but not beyond ``deadline_at``: the session is over
  then although nobody swept, unless there was activity before. One that has ended was active until ``ended_at``.
- ``connected_seconds`` and ``active_seconds`` are these durations at the event's own ``time``, final once ``ended_at`` is there.
- Whether an end was a party's is said by ``ended_by``, not by ``reason``.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.messages.fields import Actor, Command, EventData, Identifier, Modality, Role, UtcTime


class CallStatus(StrEnum):
    """Where a call stands. The first three are live: doctor and patient are in no other."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    ENDED = "ended"
    FAILED = "failed"
    DECLINED = "declined"
    CANCELLED = "cancelled"


class TextSessionStatus(StrEnum):
    """Where a text session stands. ``active`` occupies doctor and patient, ``waiting`` its patient alone."""

    WAITING = "waiting"
    ACTIVE = "active"
    ENDED = "ended"
    EXPIRED = "expired"


class EndReason(StrEnum):
    """Why a call or a text session is over; the ``reason_code`` of an ``end`` stands in its place if there is one."""

    #: A party ended it and gave no reason of their own.
    ENDED_BY_PARTY = "ended_by_party"
    #: The one called turned it down.
    DECLINED = "declined"
    #: The one who started it took it back before it connected.
    CANCELLED = "cancelled"
    #: Media never flowed in the time allowed.
    CONNECT_TIMEOUT = "connect_timeout"
    #: The media connection was lost and did not come back in time.
    RECONNECT_TIMEOUT = "reconnect_timeout"
    #: The doctor did not answer in time.
    NO_ANSWER = "no_answer"
    #: Neither side wrote for too long.
    INACTIVITY = "inactivity"
    #: The patient has no unit left: billing's ``end``.
    INSUFFICIENT_BALANCE = "insufficient_balance"


class CallEventType(StrEnum):
    """The types of event about a call."""

    STARTED = "calls.call.started.v1"
    CONNECTED = "calls.call.connected.v1"
    DECLINED = "calls.call.declined.v1"
    CANCELLED = "calls.call.cancelled.v1"
    RECONNECTING = "calls.call.reconnecting.v1"
    RECONNECTED = "calls.call.reconnected.v1"
    ENDED = "calls.call.ended.v1"
    FAILED = "calls.call.failed.v1"
    REJECTED = "calls.call.rejected.v1"


class TextSessionEventType(StrEnum):
    """The types of event about a text session."""

    STARTED = "calls.text_session.started.v1"
    ACTIVITY_RECORDED = "calls.text_session.activity_recorded.v1"
    ACTIVATED = "calls.text_session.activated.v1"
    ENDED = "calls.text_session.ended.v1"
    EXPIRED = "calls.text_session.expired.v1"
    REJECTED = "calls.text_session.rejected.v1"


Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class SessionEvent(EventData):
    """What the events of calls and of text sessions have in common, a refusal apart.

    Attributes:
        appointment_id: the appointment that it is for; ``None`` for an instant one.
        started_by: who asked for it; the other one is the one called.
        deadline_at: when it is over by itself unless something happens; ``None``: never.
        ended_at: when it was over, for whatever reason.
        ended_by: who ended it; the system, when a deadline passed or the units ran out.
        reason: an ``EndReason``, or the ``reason_code`` of the ``end``.
        sessions_used: 0 in ``failed`` and ``expired``, absent elsewhere.
    """

    appointment_id: Identifier | None
    doctor_id: Identifier
    patient_id: Identifier
    started_by: Role
    started_at: UtcTime
    deadline_at: UtcTime | None
    ended_at: UtcTime | None
    ended_by: Role | None
    reason: str | None
    sessions_used: Count | None = None


class CallEvent(SessionEvent):
    """What every event of a call carries, a refusal apart: the whole state.

    Attributes:
        connected_at: when media first flowed; written once.
        disconnected_at: when the connection was lost that has not come back.
        failure_reason: why it never connected, for people.
        is_connected: whether media flows at this moment.
        connected_seconds: for how long it has been connected.
    """

    call_id: Identifier
    modality: Modality
    status: CallStatus
    connected_at: UtcTime | None
    disconnected_at: UtcTime | None
    failure_reason: str | None
    is_connected: bool
    connected_seconds: Seconds


class TextSessionEvent(SessionEvent):
    """What every event of a text session carries, a refusal apart: the whole state.

    Attributes:
        activated_at: when the doctor first wrote.
        last_activity_at: when either side last wrote.
        active_seconds: for how long it has been active.
    """

    session_id: Identifier
    status: TextSessionStatus
    activated_at: UtcTime | None
    last_activity_at: UtcTime | None
    patient_activity_count: Count
    doctor_activity_count: Count
    active_seconds: Seconds


class _CallCommand(Command):
    """A command about one call of one doctor."""

    entity: ClassVar[str] = "call"
    id_field: ClassVar[str] = "call_id"

    doctor_id: Identifier


class StartCall(_CallCommand):
    """Ring the other party. Without a ``call_id`` one is derived from the command's source and id."""

    type: ClassVar[str] = "calls.call.start.v1"

    call_id: Identifier | None = None
    appointment_id: Identifier | None = None
    patient_id: Identifier
    modality: Literal[Modality.VOICE, Modality.VIDEO]
    actor: Actor


class ConnectCall(_CallCommand):
    """Media flows."""

    type: ClassVar[str] = "calls.call.connect.v1"

    call_id: Identifier
    actor: Actor


class DeclineCall(_CallCommand):
    """The one called turns it down."""

    type: ClassVar[str] = "calls.call.decline.v1"

    call_id: Identifier
    actor: Actor


class CancelCall(_CallCommand):
    """The one who started it takes it back before it connects."""

    type: ClassVar[str] = "calls.call.cancel.v1"

    call_id: Identifier
    actor: Actor


class DisconnectCall(_CallCommand):
    """The media connection was lost."""

    type: ClassVar[str] = "calls.call.disconnect.v1"

    call_id: Identifier
    actor: Actor


class ReconnectCall(_CallCommand):
    """The media connection is back."""

    type: ClassVar[str] = "calls.call.reconnect.v1"

    call_id: Identifier
    actor: Actor


class EndCall(_CallCommand):
    """A party hangs up; or the system ends it, such as billing when no unit is left."""

    type: ClassVar[str] = "calls.call.end.v1"

    call_id: Identifier
    actor: Actor
    reason_code: Identifier | None = None


class TimeOutCall(_CallCommand):
    """The sweep closes a call whose deadline has passed."""

    type: ClassVar[str] = "calls.call.time_out.v1"
    from_sweep: ClassVar[bool] = True

    call_id: Identifier
    actor: Actor | None = None


class _TextSessionCommand(Command):
    """A command about one text session of one doctor."""

    entity: ClassVar[str] = "text_session"
    id_field: ClassVar[str] = "session_id"

    doctor_id: Identifier


class StartTextSession(_TextSessionCommand):
    """Open a text session. Without a ``session_id`` one is derived from the command's source and id."""

    type: ClassVar[str] = "calls.text_session.start.v1"

    session_id: Identifier | None = None
    appointment_id: Identifier | None = None
    patient_id: Identifier
    actor: Actor


class RecordActivity(_TextSessionCommand):
    """A party wrote something; what, the mesh does not know."""

    type: ClassVar[str] = "calls.text_session.record_activity.v1"

    session_id: Identifier
    actor: Actor


class EndTextSession(_TextSessionCommand):
    """A party closes it; or the system ends it, such as billing when no unit is left."""

    type: ClassVar[str] = "calls.text_session.end.v1"

    session_id: Identifier
    actor: Actor
    reason_code: Identifier | None = None


class TimeOutTextSession(_TextSessionCommand):
    """The sweep closes a text session whose deadline has passed."""

    type: ClassVar[str] = "calls.text_session.time_out.v1"
    from_sweep: ClassVar[bool] = True

    session_id: Identifier
    actor: Actor | None = None


CallCommand = StartCall | ConnectCall | DeclineCall | CancelCall | DisconnectCall | ReconnectCall | EndCall | TimeOutCall
TextSessionCommand = StartTextSession | RecordActivity | EndTextSession | TimeOutTextSession
CallsCommand = CallCommand | TextSessionCommand

#: The commands that the calls service decides, by type.
CALLS_COMMANDS: dict[str, type[Command]] = {
    command.type: command
    for command in (
        StartCall,
        ConnectCall,
        DeclineCall,
        CancelCall,
        DisconnectCall,
        ReconnectCall,
        EndCall,
        TimeOutCall,
        StartTextSession,
        RecordActivity,
        EndTextSession,
        TimeOutTextSession,
    )
}

_CALL_CHANGES = [type_ for type_ in CallEventType if type_ is not CallEventType.REJECTED]
_TEXT_SESSION_CHANGES = [type_ for type_ in TextSessionEventType if type_ is not TextSessionEventType.REJECTED]

#: The events that carry the state of a call or of a text session, with the models that read them.
SESSION_EVENTS: dict[str, type[EventData]] = {
    **dict.fromkeys(_CALL_CHANGES, CallEvent),
    **dict.fromkeys(_TEXT_SESSION_CHANGES, TextSessionEvent),
}
