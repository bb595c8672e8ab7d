"""What calls can be asked to do with calls and with text sessions."""

from typing import ClassVar, Literal

from shared.messages.calls.events import (
    CallCancelled,
    CallConnected,
    CallDeclined,
    CallEnded,
    CallFailed,
    CallReconnected,
    CallReconnecting,
    CallRejected,
    CallStarted,
    TextSessionActivated,
    TextSessionActivityRecorded,
    TextSessionEnded,
    TextSessionExpired,
    TextSessionRejected,
    TextSessionStarted,
)
from shared.messages.fields import Actor, Command, EventModel, Identifier, Modality


class CallCommand(Command):
    """A command about one call of one doctor."""

    entity: ClassVar[str] = "call"
    id_field: ClassVar[str] = "call_id"
    rejection: ClassVar[EventModel] = CallRejected

    doctor_id: Identifier
    """Whose call it is; the record's key."""


class StartCall(CallCommand):
    """Ring the other party."""

    type: ClassVar[str] = "calls.call.start.v1"
    outcomes: ClassVar = (CallStarted,)
    also_causes: ClassVar = (CallFailed, CallEnded, TextSessionEnded)

    call_id: Identifier | None = None
    """The id that it is to have; without one it is `call_` and a UUIDv5 of the command's source and id."""
    appointment_id: Identifier | None = None
    """The confirmed appointment that it is for; an instant call has none."""
    patient_id: Identifier
    """The other party, or who asks."""
    modality: Literal[Modality.VOICE, Modality.VIDEO]
    """Voice or video."""
    actor: Actor
    """The patient or the doctor; the other is the one called."""


class ConnectCall(CallCommand):
    """Media flows."""

    type: ClassVar[str] = "calls.call.connect.v1"
    outcomes: ClassVar = (CallConnected,)

    call_id: Identifier
    """Which call."""
    actor: Actor
    """A party."""


class DeclineCall(CallCommand):
    """Turn it down."""

    type: ClassVar[str] = "calls.call.decline.v1"
    outcomes: ClassVar = (CallDeclined,)

    call_id: Identifier
    """Which call."""
    actor: Actor
    """The one called."""


class CancelCall(CallCommand):
    """Take it back before it connects."""

    type: ClassVar[str] = "calls.call.cancel.v1"
    outcomes: ClassVar = (CallCancelled,)

    call_id: Identifier
    """Which call."""
    actor: Actor
    """The one who started it."""


class DisconnectCall(CallCommand):
    """The media connection was lost."""

    type: ClassVar[str] = "calls.call.disconnect.v1"
    outcomes: ClassVar = (CallReconnecting,)

    call_id: Identifier
    """Which call."""
    actor: Actor
    """A party."""


class ReconnectCall(CallCommand):
    """The media connection is back."""

    type: ClassVar[str] = "calls.call.reconnect.v1"
    outcomes: ClassVar = (CallReconnected,)

    call_id: Identifier
    """Which call."""
    actor: Actor
    """A party."""


class EndCall(CallCommand):
    """Hang up. The system can end a call before it has connected, too."""

    type: ClassVar[str] = "calls.call.end.v1"
    outcomes: ClassVar = (CallEnded,)

    call_id: Identifier
    """Which call."""
    actor: Actor
    """A party; or the system, such as billing when no unit is left."""
    reason_code: Identifier | None = None
    """Why, as a code: the `reason` of the event."""


class TimeOutCall(CallCommand):
    """The sweep closes a call whose deadline has passed."""

    type: ClassVar[str] = "calls.call.time_out.v1"
    outcomes: ClassVar = (CallFailed, CallEnded)
    from_sweep: ClassVar[bool] = True

    call_id: Identifier
    """Which call."""
    actor: Actor | None = None
    """The system, if anybody."""


class TextSessionCommand(Command):
    """A command about one text session of one doctor."""

    entity: ClassVar[str] = "text_session"
    id_field: ClassVar[str] = "session_id"
    rejection: ClassVar[EventModel] = TextSessionRejected

    doctor_id: Identifier
    """Whose text session it is; the record's key."""


class StartTextSession(TextSessionCommand):
    """Open a text session, which waits for the doctor's answer."""

    type: ClassVar[str] = "calls.text_session.start.v1"
    outcomes: ClassVar = (TextSessionStarted,)

    session_id: Identifier | None = None
    """The id that it is to have; without one it is `txt_` and a UUIDv5 of the command's source and id."""
    appointment_id: Identifier | None = None
    """The confirmed appointment that it is for; an instant text session has none."""
    patient_id: Identifier
    """Its patient."""
    actor: Actor
    """The patient or the doctor."""


class RecordActivity(TextSessionCommand):
    """A party wrote something; what, the mesh does not know."""

    type: ClassVar[str] = "calls.text_session.record_activity.v1"
    outcomes: ClassVar = (TextSessionActivityRecorded,)
    also_causes: ClassVar = (TextSessionActivated, TextSessionEnded, CallFailed, CallEnded)

    session_id: Identifier
    """Which text session."""
    actor: Actor
    """Who wrote: a party."""


class EndTextSession(TextSessionCommand):
    """Close it, or leave while it waits."""

    type: ClassVar[str] = "calls.text_session.end.v1"
    outcomes: ClassVar = (TextSessionEnded,)

    session_id: Identifier
    """Which text session."""
    actor: Actor
    """A party; or the system, such as billing when no unit is left."""
    reason_code: Identifier | None = None
    """Why, as a code: the `reason` of the event."""


class TimeOutTextSession(TextSessionCommand):
    """The sweep closes a text session whose deadline has passed."""

    type: ClassVar[str] = "calls.text_session.time_out.v1"
    outcomes: ClassVar = (TextSessionExpired, TextSessionEnded)
    from_sweep: ClassVar[bool] = True

    session_id: Identifier
    """Which text session."""
    actor: Actor | None = None
    """The system, if anybody."""
