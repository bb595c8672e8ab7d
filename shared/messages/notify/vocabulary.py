"""The words of notify: templates, channels, what becomes of a notification, and why a command is refused."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.messages.refusal import RefusalReason, StatusCode


class Template(StrEnum):
    """What a notification says; the text itself belongs to notify. The comment names who is told."""

    #: The doctor.
    APPOINTMENT_REQUESTED = "appointment_requested"
    #: The patient.
    APPOINTMENT_BOOKED = "appointment_booked"
    #: The patient.
    APPOINTMENT_CONFIRMED = "appointment_confirmed"
    #: The patient: at the new time.
    RESCHEDULED = "rescheduled"
    #: The patient.
    APPOINTMENT_DECLINED = "appointment_declined"
    #: The other party; both when the system or an administrator did it.
    APPOINTMENT_CANCELLED = "appointment_cancelled"
    #: The patient.
    RESCHEDULE_PROPOSED = "reschedule_proposed"
    #: The doctor, whose proposal it was.
    RESCHEDULE_REJECTED = "reschedule_rejected"
    #: The patient, who was asked.
    RESCHEDULE_WITHDRAWN = "reschedule_withdrawn"
    #: The doctor and the patient.
    APPOINTMENT_EXPIRING = "appointment_expiring"
    #: The patient; critical.
    APPOINTMENT_EXPIRED = "appointment_expired"
    #: The doctor and the patient.
    APPOINTMENT_NO_SHOW = "appointment_no_show"
    #: The one called; critical.
    CALL_INCOMING = "call_incoming"
    #: The patient; critical.
    CALL_FAILED = "call_failed"
    #: The starter.
    CALL_DECLINED = "call_declined"
    #: The one called.
    CALL_MISSED = "call_missed"
    #: The doctor.
    SESSION_STARTED = "session_started"
    #: The patient; critical.
    SESSION_EXPIRED = "session_expired"
    #: The doctor and the patient.
    SESSION_ENDED = "session_ended"
    #: The doctor and the patient.
    SESSION_SETTLED = "session_settled"
    #: The patient.
    BALANCE_LOW = "balance_low"
    #: The patient.
    BALANCE_EXHAUSTED = "balance_exhausted"
    #: The patient.
    SUBSCRIPTION_ACTIVATED = "subscription_activated"
    #: The patient.
    SUBSCRIPTION_EXPIRED = "subscription_expired"


class Priority(StrEnum):
    """Critical ones pass quiet hours."""

    NORMAL = "normal"
    CRITICAL = "critical"


class Channel(StrEnum):
    """A way to reach somebody."""

    EMAIL = "email"
    PUSH = "push"
    SMS = "sms"
    CHAT = "chat"
    #: The inbox in notify's own schema; there for everybody.
    IN_APP = "in_app"


class DeliveryStatus(StrEnum):
    """What became of a notification on one channel."""

    #: Until it is due, or tried again.
    WAITING = "waiting"
    SENT = "sent"
    #: Given up after its retries.
    UNSENT = "unsent"
    SUPPRESSED = "suppressed"


class SuppressionReason(StrEnum):
    """Why somebody is not told, in order of precedence."""

    #: The recipient does not want it on any channel that could reach them.
    OPTED_OUT = "opted_out"
    #: The state of what it is about has made it untrue.
    STALE = "stale"
    #: There is no address, or nobody set the channel up.
    NO_CHANNEL = "no_channel"


class UnsentReason(StrEnum):
    """Why the last attempt failed."""

    #: The provider did not take it, or could not be asked.
    FAILED = "failed"
    #: The provider did not answer in time: it may have arrived.
    TIMED_OUT = "timed_out"
    #: The provider will never take it, such as for an address that does not exist.
    REFUSED = "refused"


class NotifyEventType(StrEnum):
    """The types of event about notifications and preferences."""

    ACCEPTED = "notify.notification.accepted.v1"
    SUPPRESSED = "notify.notification.suppressed.v1"
    SENT = "notify.notification.sent.v1"
    UNSENT = "notify.notification.unsent.v1"
    READ = "notify.notification.read.v1"
    REJECTED = "notify.notification.rejected.v1"
    PREFERENCES_CHANGED = "notify.preferences.changed.v1"
    PREFERENCES_REJECTED = "notify.preferences.rejected.v1"


class NotificationReason(RefusalReason):
    """Why a command about a notification is refused, in order of precedence; what is wrong with its data comes before all of these."""

    NOTIFICATION_NOT_FOUND = (
        "notification_not_found",
        StatusCode.NOT_FOUND,
        "The recipient has no notification with that id.",
    )
    NOT_A_PARTY = (
        "not_a_party",
        StatusCode.FORBIDDEN,
        "The actor is neither the recipient nor an administrator.",
    )
    NOTIFICATION_EXISTS = (
        "notification_exists",
        StatusCode.CONFLICT,
        "The id was used before: one cause, one notification.",
    )
    NOT_WAITING = (
        "not_waiting",
        StatusCode.CONFLICT,
        "The notification does not wait to be sent on that channel.",
    )
    NOT_IN_INBOX = (
        "not_in_inbox",
        StatusCode.CONFLICT,
        "The notification is not in the recipient's inbox.",
    )


class PreferencesReason(RefusalReason):
    """Why a command about preferences is refused; what is wrong with its data comes before this."""

    NOT_A_PARTY = (
        "not_a_party",
        StatusCode.FORBIDDEN,
        "The actor is neither the recipient nor an administrator.",
    )


_APPOINTMENT: Final = frozenset({"appointment_id", "doctor_id", "patient_id", "starts_at", "duration_minutes", "modality", "user_timezone"})
_CALL: Final = frozenset({"call_id", "appointment_id", "doctor_id", "patient_id", "modality", "started_by"})
_SESSION: Final = frozenset({"session_id", "appointment_id", "doctor_id", "patient_id", "modality", "started_by"})
_BALANCE: Final = frozenset({"patient_id", "doctor_id", "modality", "session_id", "remaining"})
_SUBSCRIPTION: Final = frozenset(
    {"subscription_id", "patient_id", "starts_at", "ends_at", "units_text", "units_voice", "units_video"},
)

#: The params that a template's text can use. Each may be missing, then the text says less; others are ignored. Times are RFC 3339,
#: roles and reasons the words of the events, ``earning`` money, durations and units numbers.
PARAMETERS: Final[Mapping[Template, frozenset[str]]] = {
    Template.APPOINTMENT_REQUESTED: _APPOINTMENT | {"expires_at"},
    Template.APPOINTMENT_BOOKED: _APPOINTMENT | {"expires_at"},
    Template.APPOINTMENT_CONFIRMED: _APPOINTMENT,
    Template.RESCHEDULED: _APPOINTMENT,
    Template.APPOINTMENT_DECLINED: _APPOINTMENT | {"cancelled_by", "cancellation_reason"},
    Template.APPOINTMENT_CANCELLED: _APPOINTMENT | {"cancelled_by", "cancellation_reason"},
    Template.RESCHEDULE_PROPOSED: _APPOINTMENT | {"proposed_starts_at", "expires_at"},
    Template.RESCHEDULE_REJECTED: _APPOINTMENT | {"proposed_starts_at"},
    Template.RESCHEDULE_WITHDRAWN: _APPOINTMENT | {"proposed_starts_at"},
    Template.APPOINTMENT_EXPIRING: _APPOINTMENT | {"expires_at"},
    Template.APPOINTMENT_EXPIRED: _APPOINTMENT | {"cancelled_by", "cancellation_reason"},
    Template.APPOINTMENT_NO_SHOW: _APPOINTMENT | {"absent"},
    Template.CALL_INCOMING: _CALL | {"deadline_at"},
    Template.CALL_FAILED: _CALL | {"failure_reason", "sessions_used"},
    Template.CALL_DECLINED: _CALL,
    Template.CALL_MISSED: _CALL | {"started_at"},
    Template.SESSION_STARTED: _SESSION | {"deadline_at"},
    Template.SESSION_EXPIRED: _SESSION | {"started_at"},
    Template.SESSION_ENDED: _SESSION | {"call_id", "ended_by", "reason", "active_seconds", "connected_seconds"},
    Template.SESSION_SETTLED: _SESSION | {"units_deducted", "units_refused", "earning"},
    Template.BALANCE_LOW: _BALANCE,
    Template.BALANCE_EXHAUSTED: _BALANCE,
    Template.SUBSCRIPTION_ACTIVATED: _SUBSCRIPTION,
    Template.SUBSCRIPTION_EXPIRED: _SUBSCRIPTION,
}
