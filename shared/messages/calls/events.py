"""What happens to calls and text sessions.

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

from typing import Annotated, Literal

from pydantic import Field

from shared.messages.booking import AppointmentStatus
from shared.messages.calls.vocabulary import CallEventType, CallStatus, SessionReason, TextSessionEventType, TextSessionStatus
from shared.messages.fields import CommandReference, EventData, Identifier, Modality, Published, Role, StateData, UtcTime
from shared.messages.refusal import DataReason, Rejected

Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class SessionConflict(Published):
    """The call, text session or appointment that stands in the way; never another patient's id."""

    call_id: Identifier | None = None
    """Which call, if it is one."""
    session_id: Identifier | None = None
    """Which text session, if it is one."""
    appointment_id: Identifier | None = None
    """Which appointment, if it is one."""
    status: CallStatus | TextSessionStatus | AppointmentStatus | None = None
    """Where it stands."""
    since: UtcTime | None = None
    """With `wrong_status`, `timed_out` and `session_not_active`: since when it stands there."""
    command: CommandReference | None = None
    """With these: what made it so; absent when its deadline has passed and no sweep has come yet."""
    modality: Modality | None = None
    """With `wrong_modality`: what the appointment is for."""
    starts_at: UtcTime | None = None
    """With `outside_session_window`: when the appointment starts."""
    ends_at: UtcTime | None = None
    """With `outside_session_window`: when the appointment ends."""


class SessionEvent(EventData):
    """What the events of calls and of text sessions have in common, a refusal apart."""

    appointment_id: Identifier | None
    """The appointment that it is for; null for an instant one."""
    doctor_id: Identifier
    """Its doctor; the record's key."""
    patient_id: Identifier
    """Its patient."""
    started_by: Role
    """Who asked for it, `patient` or `doctor`; the other is the one called."""
    started_at: UtcTime
    """When it was asked for."""
    deadline_at: UtcTime | None
    """When it is over by itself unless something happens before; null: never."""
    ended_at: UtcTime | None
    """When it was over, for whatever reason; null while it goes on."""
    ended_by: Role | None
    """Who ended it: `system` when a deadline passed or the units ran out; null while it goes on."""
    reason: str | None
    """Why it is over: the `reason_code` of its `end`, or one of `ended_by_party`, `ended_by_system`, `declined`, `cancelled`,
    `connect_timeout`, `reconnect_timeout`, `no_answer`, `inactivity`, `insufficient_balance`; null while it goes on."""


class SessionState(StateData):
    """A call or a text session as it stands, for ever: on the doctor's partition of the compacted topic, keyed by its own id."""

    type: Literal["calls.session.state.v1"]
    session_id: Identifier
    """Which call or text session; no call has the id of a text session."""
    modality: Modality
    """`text`: a text session; else a call."""
    status: CallStatus | TextSessionStatus
    """Where it stands."""
    appointment_id: Identifier | None
    """The appointment that it is for; null for an instant one."""
    doctor_id: Identifier
    """Its doctor."""
    patient_id: Identifier
    """Its patient."""
    started_by: Role
    """Who asked for it, `patient` or `doctor`; the other is the one called."""
    started_at: UtcTime
    """When it was asked for."""
    deadline_at: UtcTime | None
    """When it is over by itself unless something happens before; null: never."""
    ended_at: UtcTime | None
    """When it was over, for whatever reason; null while it goes on."""
    ended_by: Role | None
    """Who ended it; null while it goes on."""
    reason: str | None
    """Why it is over; null while it goes on."""
    connected_at: UtcTime | None
    """Of a call: when media first flowed."""
    disconnected_at: UtcTime | None
    """Of a call: when the connection was lost that has not come back."""
    failure_reason: str | None
    """Of a call: why it never connected, for people."""
    activated_at: UtcTime | None
    """Of a text session: when the doctor first wrote."""
    last_activity_at: UtcTime | None
    """Of a text session: when either side last wrote."""
    patient_activity_count: Count | None
    """Of a text session: how often the patient wrote."""
    doctor_activity_count: Count | None
    """Of a text session: how often the doctor wrote."""


class CallEvent(SessionEvent):
    """What every event of a call carries, a refusal apart: the whole state."""

    call_id: Identifier
    """Which call."""
    modality: Modality
    """Voice or video."""
    status: CallStatus
    """Where it stands after this event."""
    connected_at: UtcTime | None
    """When media first flowed; written once."""
    disconnected_at: UtcTime | None
    """When the connection was lost that has not come back."""
    failure_reason: str | None
    """Why it never connected, for people."""
    is_connected: bool
    """Whether media flows after this event."""
    connected_seconds: Seconds
    """For how long it has been connected, at this event's `time`: time in `reconnecting` counts only if the connection came back."""


class CallStarted(CallEvent):
    """The other party is rung: `connecting`, until `deadline_at`."""

    type: Literal[CallEventType.STARTED]


class CallConnected(CallEvent):
    """Media flows."""

    type: Literal[CallEventType.CONNECTED]


class CallDeclined(CallEvent):
    """The one called has turned it down."""

    type: Literal[CallEventType.DECLINED]


class CallCancelled(CallEvent):
    """The one who started it has taken it back before it connected."""

    type: Literal[CallEventType.CANCELLED]


class CallReconnecting(CallEvent):
    """The media connection was lost; the call goes on if it is back before `deadline_at`."""

    type: Literal[CallEventType.RECONNECTING]


class CallReconnected(CallEvent):
    """The media connection is back: the call goes on as if it had not been lost."""

    type: Literal[CallEventType.RECONNECTED]


class CallEnded(CallEvent):
    """It is over, by a party, by the system, or because the connection did not come back.

    In the last case its `time` is the deadline, and `ended_at` the moment of the loss.
    """

    type: Literal[CallEventType.ENDED]


class CallFailed(CallEvent):
    """It never connected in the time allowed. Its `time` is the deadline."""

    type: Literal[CallEventType.FAILED]
    sessions_used: Literal[0]
    """Nothing is deducted for it."""


class CallRejected(Rejected):
    """A call command was refused, and nothing has changed."""

    type: Literal[CallEventType.REJECTED]
    reason: Annotated[DataReason | SessionReason | Identifier, Field(union_mode="left_to_right")]
    """Why, for programs: the first that holds, in the order of the table of reasons. There may be more of them one day: go by the code then."""
    conflict: SessionConflict | None = None
    """What stands in the way, if something does."""
    call_id: Identifier | None = None
    """The call that the command is about; absent when the command names none that is valid."""
    appointment_id: Identifier | None = None
    """The command's, if it has one that is valid."""
    doctor_id: Identifier | None = None
    """The command's, if it is valid."""
    patient_id: Identifier | None = None
    """The command's, if it has one that is valid."""


class TextSessionEvent(SessionEvent):
    """What every event of a text session carries, a refusal apart: the whole state."""

    session_id: Identifier
    """Which text session."""
    status: TextSessionStatus
    """Where it stands after this event."""
    activated_at: UtcTime | None
    """When the doctor first wrote."""
    last_activity_at: UtcTime | None
    """When either side last wrote."""
    patient_activity_count: Count
    """How often the patient wrote."""
    doctor_activity_count: Count
    """How often the doctor wrote."""
    active_seconds: Seconds
    """For how long it has been active, at this event's `time`."""


class TextSessionStarted(TextSessionEvent):
    """It waits for the doctor's first activity, until `deadline_at`."""

    type: Literal[TextSessionEventType.STARTED]


class TextSessionActivityRecorded(TextSessionEvent):
    """A party wrote, and it counts for their side. If it was the doctor's first, `activated` follows."""

    type: Literal[TextSessionEventType.ACTIVITY_RECORDED]


class TextSessionActivated(TextSessionEvent):
    """The doctor has answered: `active`, until nobody writes for too long or somebody ends it."""

    type: Literal[TextSessionEventType.ACTIVATED]


class TextSessionEnded(TextSessionEvent):
    """It is over, by a party, by the system, or because neither side wrote.

    In the last case its `time` is the last activity plus the limit.
    """

    type: Literal[TextSessionEventType.ENDED]


class TextSessionExpired(TextSessionEvent):
    """The doctor did not answer in time. Its `time` is the deadline."""

    type: Literal[TextSessionEventType.EXPIRED]
    sessions_used: Literal[0]
    """Nothing is deducted for it."""


class TextSessionRejected(Rejected):
    """A text session command was refused, and nothing has changed."""

    type: Literal[TextSessionEventType.REJECTED]
    reason: Annotated[DataReason | SessionReason | Identifier, Field(union_mode="left_to_right")]
    """Why, for programs: the first that holds, in the order of the table of reasons. There may be more of them one day: go by the code then."""
    conflict: SessionConflict | None = None
    """What stands in the way, if something does."""
    session_id: Identifier | None = None
    """The text session that the command is about; absent when the command names none that is valid."""
    appointment_id: Identifier | None = None
    """The command's, if it has one that is valid."""
    doctor_id: Identifier | None = None
    """The command's, if it is valid."""
    patient_id: Identifier | None = None
    """The command's, if it has one that is valid."""
