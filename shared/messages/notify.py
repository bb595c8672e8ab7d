"""The notify service's commands: what other services ask to be told to people."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from shared.messages.fields import Command, Identifier, Message


class Template(StrEnum):
    """What a notification says; the text itself belongs to notify."""

    APPOINTMENT_REQUESTED = "appointment_requested"
    APPOINTMENT_BOOKED = "appointment_booked"
    APPOINTMENT_CONFIRMED = "appointment_confirmed"
    APPOINTMENT_DECLINED = "appointment_declined"
    APPOINTMENT_CANCELLED = "appointment_cancelled"
    APPOINTMENT_EXPIRING = "appointment_expiring"
    APPOINTMENT_EXPIRED = "appointment_expired"
    CALL_INCOMING = "call_incoming"
    CALL_FAILED = "call_failed"
    CALL_DECLINED = "call_declined"
    CALL_MISSED = "call_missed"
    SESSION_STARTED = "session_started"
    SESSION_EXPIRED = "session_expired"
    SESSION_ENDED = "session_ended"
    SESSION_SETTLED = "session_settled"
    BALANCE_LOW = "balance_low"
    BALANCE_EXHAUSTED = "balance_exhausted"
    SUBSCRIPTION_ACTIVATED = "subscription_activated"
    SUBSCRIPTION_EXPIRED = "subscription_expired"


class Priority(StrEnum):
    """Critical ones pass quiet hours."""

    NORMAL = "normal"
    CRITICAL = "critical"


class About(Message):
    """The entity that a notification is about."""

    entity: Identifier
    entity_id: Identifier


#: Ids, times and amounts: nothing personal.
ParameterValue = Annotated[str, Field(max_length=256)] | int | None


class SendNotification(Command):
    """Tell one recipient about one cause, through the channels that they allow."""

    type: ClassVar[str] = "notify.notification.send.v1"
    entity: ClassVar[str] = "notification"
    key_field: ClassVar[str] = "recipient_id"
    id_field: ClassVar[str] = "notification_id"

    notification_id: Identifier
    recipient_id: Identifier
    template: Template
    params: Annotated[dict[Identifier, ParameterValue], Field(max_length=32)]
    priority: Priority
    about: About
