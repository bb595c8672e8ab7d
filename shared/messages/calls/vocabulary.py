"""The words of calls: statuses, types of event, why something is over, and why a command is refused."""

from enum import StrEnum

from shared.messages.refusal import RefusalReason, StatusCode


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
    #: The system ended it and gave no reason of its own.
    ENDED_BY_SYSTEM = "ended_by_system"
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


class SessionReason(RefusalReason):
    """Why a call or text session command is refused, in order of precedence; what is wrong with its data comes before all of these."""

    APPOINTMENT_NOT_FOUND = (
        "appointment_not_found",
        StatusCode.NOT_FOUND,
        "No appointment of that doctor has the id that a start names.",
    )
    CALL_NOT_FOUND = (
        "call_not_found",
        StatusCode.NOT_FOUND,
        "No call of that doctor has that id.",
    )
    TEXT_SESSION_NOT_FOUND = (
        "text_session_not_found",
        StatusCode.NOT_FOUND,
        "No text session of that doctor has that id.",
    )
    NOT_A_PARTY = (
        "not_a_party",
        StatusCode.FORBIDDEN,
        "The actor is not a party to it, or not in the role that the command needs.",
    )
    ALREADY_STARTED = (
        "already_started",
        StatusCode.CONFLICT,
        "A call or text session with that id is going on.",
    )
    CALL_EXISTS = (
        "call_exists",
        StatusCode.CONFLICT,
        "The id that a call was to have was used before, by a call or a text session.",
    )
    SESSION_EXISTS = (
        "session_exists",
        StatusCode.CONFLICT,
        "The id that a text session was to have was used before, by a call or a text session.",
    )
    APPOINTMENT_NOT_CONFIRMED = (
        "appointment_not_confirmed",
        StatusCode.CONFLICT,
        "Nobody has confirmed the appointment, or it is over; `conflict` says where it stands.",
    )
    WRONG_MODALITY = (
        "wrong_modality",
        StatusCode.CONFLICT,
        "The appointment is for another modality; `conflict` says for which.",
    )
    OUTSIDE_SESSION_WINDOW = (
        "outside_session_window",
        StatusCode.CONFLICT,
        "It is too early or too late for the appointment (15 minutes before its start until 15 minutes after its end by default).",
    )
    TIMED_OUT = (
        "timed_out",
        StatusCode.CONFLICT,
        "The call's deadline had passed, whether or not a sweep has closed it yet; `conflict` says since when it is over.",
    )
    NOT_CONNECTED = (
        "not_connected",
        StatusCode.CONFLICT,
        "The call has not connected yet.",
    )
    WRONG_STATUS = (
        "wrong_status",
        StatusCode.CONFLICT,
        "The call's status does not allow it; `conflict` says since when, and by which command.",
    )
    SESSION_NOT_ACTIVE = (
        "session_not_active",
        StatusCode.CONFLICT,
        "The text session is over, whether or not a sweep has closed it yet; `conflict` says since when, and by which command.",
    )
    NOT_DUE = (
        "not_due",
        StatusCode.CONFLICT,
        "It is too early: a sweep came before the deadline.",
    )
    DOCTOR_BUSY = (
        "doctor_busy",
        StatusCode.CONFLICT,
        "The doctor is in another call, or in as many text sessions as one may (1 by default); `conflict` says in which.",
    )
    PATIENT_BUSY = (
        "patient_busy",
        StatusCode.CONFLICT,
        "The patient is in another call or text session, with any doctor; `conflict` says in which.",
    )
