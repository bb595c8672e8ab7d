"""The notify service's commands and events: what people are to be told, and what became of it."""

import re
from collections.abc import Mapping
from datetime import time
from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from shared.messages.fields import Actor, Command, EventData, Identifier, Message, TimeZoneName


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


_APPOINTMENT: Final = frozenset({"appointment_id", "doctor_id", "patient_id", "starts_at", "duration_minutes", "modality", "user_timezone"})
_CALL: Final = frozenset({"call_id", "appointment_id", "doctor_id", "patient_id", "modality"})
_SESSION: Final = frozenset({"session_id", "appointment_id", "doctor_id", "patient_id", "modality"})
_BALANCE: Final = frozenset({"patient_id", "modality", "session_id", "units_left"})
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


class About(Message):
    """The entity that a notification is about.

    Attributes:
        entity: ``appointment``, ``call``, ``text_session``, ``subscription`` and the like.
        entity_id: its id.
        version: of the event that is the cause; what notify knows from before it makes no notification stale.
    """

    entity: Identifier
    entity_id: Identifier
    version: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None


class AmountParameter(Message):
    """Money in minor units."""

    amount_minor: Annotated[int, Field(ge=-(2**53), le=2**53)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


#: Ids, times and amounts: nothing personal.
ParameterValue = Annotated[str, Field(max_length=256)] | Annotated[int, Field(ge=-(2**53), le=2**53)] | bool | AmountParameter | None


class NotificationCommand(Command):
    """A command about one notification of one recipient."""

    entity: ClassVar[str] = "notification"
    key_field: ClassVar[str] = "recipient_id"
    id_field: ClassVar[str] = "notification_id"

    notification_id: Identifier
    recipient_id: Identifier


class SendNotification(NotificationCommand):
    """Tell one recipient about one cause, through the channels that they allow."""

    type: ClassVar[str] = "notify.notification.send.v1"

    template: Template
    params: Annotated[dict[Identifier, ParameterValue], Field(max_length=32)]
    priority: Priority
    about: About


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


class RecordDelivery(NotificationCommand):
    """Notify's own: note what became of a notification on one channel. Published after the fact, for as long as it is not decided."""

    type: ClassVar[str] = "notify.notification.record_delivery.v1"
    from_sweep: ClassVar[bool] = True

    channel: Channel
    status: DeliveryStatus
    reason: SuppressionReason | UnsentReason | None = None
    attempts: Annotated[int, Field(ge=0, le=1_000_000)]

    @model_validator(mode="after")
    def _is_final(self) -> "RecordDelivery":
        if self.status is DeliveryStatus.WAITING or (self.reason is None) != (self.status is DeliveryStatus.SENT):
            message = "status is sent, or unsent or suppressed with a reason"
            raise ValueError(message)
        return self


_CLOCK_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def _parse_clock_time(value: object) -> time:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not _CLOCK_TIME.fullmatch(value):
        message = "a time of day is HH:MM, 00:00 to 23:59"
        raise ValueError(message)
    return time.fromisoformat(value)


#: What a clock on the wall shows, to the minute.
ClockTime = Annotated[
    time,
    PlainValidator(_parse_clock_time),
    PlainSerializer(lambda value: f"{value:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}),
]


class QuietHours(Message):
    """When normal notifications wait: while the recipient's clock shows a time from start to before end, over midnight too."""

    start: ClockTime
    end: ClockTime
    timezone: TimeZoneName

    @model_validator(mode="after")
    def _take_some_time(self) -> "QuietHours":
        if self.start == self.end:
            message = "quiet hours start and end at different times"
            raise ValueError(message)
        return self


class ChannelChoices(Message):
    """Which channels a recipient wants. All of them, until somebody says otherwise."""

    email: bool = True
    push: bool = True
    sms: bool = True
    chat: bool = True
    in_app: bool = True


class SetPreferences(Command):
    """A recipient says how they want to be told. It says all of it: a channel that is not named is wanted, no quiet hours are none."""

    type: ClassVar[str] = "notify.preferences.set.v1"
    entity: ClassVar[str] = "preferences"
    key_field: ClassVar[str] = "recipient_id"
    id_field: ClassVar[str] = "recipient_id"

    recipient_id: Identifier
    channels: ChannelChoices
    quiet_hours: QuietHours | None = None
    actor: Actor


NotifyCommand = SendNotification | RecordDelivery | SetPreferences

#: The commands that the notify service decides, by type.
NOTIFY_COMMANDS: Final[dict[str, type[Command]]] = {command.type: command for command in (SendNotification, RecordDelivery, SetPreferences)}


class NotifyEventType(StrEnum):
    """The types of event about notifications and preferences."""

    ACCEPTED = "notify.notification.accepted.v1"
    SUPPRESSED = "notify.notification.suppressed.v1"
    SENT = "notify.notification.sent.v1"
    UNSENT = "notify.notification.unsent.v1"
    REJECTED = "notify.notification.rejected.v1"
    PREFERENCES_CHANGED = "notify.preferences.changed.v1"
    PREFERENCES_REJECTED = "notify.preferences.rejected.v1"


#: Of what lies inside an event: readers ignore fields that they do not know.
_INSIDE_AN_EVENT: Final = ConfigDict(frozen=True, strict=True, extra="ignore")


class AboutState(About):
    """The entity, in an event."""

    model_config = _INSIDE_AN_EVENT


class ChannelChoicesState(ChannelChoices):
    """The choices, in an event."""

    model_config = _INSIDE_AN_EVENT


class QuietHoursState(QuietHours):
    """The quiet hours, in an event."""

    model_config = _INSIDE_AN_EVENT


class DeliveryState(BaseModel):
    """What has become of a notification on one channel so far.

    Attributes:
        reason: why it is unsent or suppressed.
        attempts: how often a provider was asked.
    """

    model_config = _INSIDE_AN_EVENT

    channel: Channel
    status: DeliveryStatus
    reason: SuppressionReason | UnsentReason | None = None
    attempts: int = 0


class NotificationEvent(EventData):
    """What every event of a notification carries, a refusal apart: the whole state.

    Attributes:
        channel: of ``sent`` and ``unsent``, and of a ``suppressed`` that came later than ``accepted``; else none: it is about all of them.
        reason: of ``suppressed`` and ``unsent``.
        deliveries: one for each channel that could reach the recipient when the request came.
    """

    notification_id: Identifier
    recipient_id: Identifier
    template: Template
    priority: Priority
    about: AboutState
    channel: Channel | None
    reason: SuppressionReason | UnsentReason | None
    deliveries: list[DeliveryState]


class PreferencesChanged(EventData):
    """A recipient's preferences as they are now; the version stays when nothing was different."""

    recipient_id: Identifier
    channels: ChannelChoicesState
    quiet_hours: QuietHoursState | None
