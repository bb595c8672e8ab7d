"""What happens to appointments and to doctors' time off."""

from typing import Annotated, Literal

from pydantic import Field

from shared.messages.booking.vocabulary import (
    Absent,
    AppointmentEventType,
    AppointmentReason,
    AppointmentStatus,
    TimeOffEventType,
    TimeOffReason,
    TimeOffStatus,
)
from shared.messages.fields import ChangedBy, DurationMinutes, EventData, Identifier, Modality, Published, Role, StateData, UtcTime
from shared.messages.refusal import DataReason, Rejected


class Conflict(Published):
    """What stands in the way, an appointment or a time off; never another patient's id."""

    appointment_id: Identifier | None = None
    """Which appointment; absent when it is a time off."""
    time_off_id: Identifier | None = None
    """Which time off; absent when it is an appointment."""
    starts_at: UtcTime
    """When it starts."""
    ends_at: UtcTime
    """The first moment that is free again."""
    status: AppointmentStatus | TimeOffStatus | None = None
    """With `wrong_status`: where it stands."""
    since: UtcTime | None = None
    """With `wrong_status`: since when it stands there."""
    command: ChangedBy | None = None
    """With `wrong_status`: the command that made it so."""


class AppointmentFields(Published):
    """An appointment as it stands."""

    appointment_id: Identifier
    """Which appointment."""
    doctor_id: Identifier
    """Whose time it takes; the record's key."""
    patient_id: Identifier
    """Who asked for it."""
    starts_at: UtcTime
    """When it starts."""
    duration_minutes: DurationMinutes
    """How long it takes, in minutes."""
    modality: Modality
    """How doctor and patient meet."""
    user_timezone: str
    """How the patient sees the time, an IANA name; no rule depends on it."""
    status: AppointmentStatus
    """Where it stands."""
    created_at: UtcTime
    """When it was booked."""
    expires_at: UtcTime | None
    """Until when somebody must answer; null when nobody need."""
    cancelled_by: Role | None
    """Who called it off; null when nobody did."""
    cancellation_reason: str | None
    """Why, if whoever called it off said so: their `reason_code`, or a sentence of the system."""
    proposed_starts_at: UtcTime | None
    """When it is to start if the patient accepts; null unless a reschedule is proposed. It is held beside `starts_at`, for as long."""
    status_before_proposal: AppointmentStatus | None
    """What it is again if the patient rejects; null unless a reschedule is proposed."""
    absent: Absent | None
    """Who did not come; null unless it is a no-show."""


class AppointmentEvent(AppointmentFields, EventData):
    """What every event of an appointment carries, a refusal apart: the whole state."""


class AppointmentState(AppointmentFields, StateData):
    """An appointment as it stands, for ever: on the doctor's partition of the compacted topic, keyed by its own id."""

    type: Literal["booking.appointment.state.v1"]


class AppointmentBooked(AppointmentEvent):
    """The slot is held for the patient, until the doctor answers or `expires_at` passes."""

    type: Literal[AppointmentEventType.BOOKED]


class AppointmentConfirmed(AppointmentEvent):
    """The doctor has taken it; nothing is left to expire."""

    type: Literal[AppointmentEventType.CONFIRMED]


class AppointmentDeclined(AppointmentEvent):
    """The doctor has turned it down: status `cancelled`, by the doctor. The slot is free."""

    type: Literal[AppointmentEventType.DECLINED]


class AppointmentCancelled(AppointmentEvent):
    """A party or an administrator has called it off. The slot is free."""

    type: Literal[AppointmentEventType.CANCELLED]


class AppointmentRescheduleProposed(AppointmentEvent):
    """The doctor asks the patient to come at another time: both times are held until the patient answers."""

    type: Literal[AppointmentEventType.RESCHEDULE_PROPOSED]


class AppointmentRescheduled(AppointmentEvent):
    """The patient has accepted: confirmed at the new time, and the old one is free."""

    type: Literal[AppointmentEventType.RESCHEDULED]


class AppointmentRescheduleRejected(AppointmentEvent):
    """The patient has not accepted: it is as it was before, and the proposed time is free."""

    type: Literal[AppointmentEventType.RESCHEDULE_REJECTED]


class AppointmentRescheduleWithdrawn(AppointmentEvent):
    """The doctor has taken the proposal back: it is as it was before, and the proposed time is free."""

    type: Literal[AppointmentEventType.RESCHEDULE_WITHDRAWN]


class AppointmentCompleted(AppointmentEvent):
    """It took place."""

    type: Literal[AppointmentEventType.COMPLETED]


class AppointmentNoShow(AppointmentEvent):
    """It did not take place; `absent` says who did not come."""

    type: Literal[AppointmentEventType.NO_SHOW]


class AppointmentImported(AppointmentEvent):
    """An appointment that was made elsewhere is taken in. Nobody is told."""

    type: Literal[AppointmentEventType.IMPORTED]


class AppointmentExpired(AppointmentEvent):
    """Nobody answered in time: status `cancelled`, by the system. The slot was free from the deadline on, which is its `time`."""

    type: Literal[AppointmentEventType.EXPIRED]


class AppointmentExpiring(AppointmentEvent):
    """It will soon expire; told once. The state is as it was, so the version repeats."""

    type: Literal[AppointmentEventType.EXPIRING]


class AppointmentRejected(Rejected):
    """An appointment command was refused, and nothing has changed."""

    type: Literal[AppointmentEventType.REJECTED]
    reason: Annotated[DataReason | AppointmentReason | Identifier, Field(union_mode="left_to_right")]
    """Why, for programs: the first that holds, in the order of the table of reasons. There may be more of them one day: go by the code then."""
    conflict: Conflict | None = None
    """What stands in the way, if something does."""
    appointment_id: Identifier | None = None
    """The appointment that the command is about; absent when the command names none that is valid."""
    doctor_id: Identifier | None = None
    """The command's, if it is valid."""
    patient_id: Identifier | None = None
    """The command's, if it has one that is valid."""


class TimeOffEvent(EventData):
    """What every event of a time off carries, a refusal apart: the whole state."""

    time_off_id: Identifier
    """Which time off."""
    doctor_id: Identifier
    """Whose; the record's key."""
    starts_at: UtcTime
    """When it starts."""
    ends_at: UtcTime
    """The first moment that is free again."""
    status: TimeOffStatus
    """Where it stands after this event."""
    created_at: UtcTime
    """When it was blocked."""


class TimeOffBlocked(TimeOffEvent):
    """The doctor sees nobody in this interval."""

    type: Literal[TimeOffEventType.BLOCKED]


class TimeOffUnblocked(TimeOffEvent):
    """The interval is free again."""

    type: Literal[TimeOffEventType.UNBLOCKED]


class TimeOffRejected(Rejected):
    """A time off command was refused, and nothing has changed."""

    type: Literal[TimeOffEventType.REJECTED]
    reason: Annotated[DataReason | TimeOffReason | Identifier, Field(union_mode="left_to_right")]
    """Why, for programs: the first that holds, in the order of the table of reasons. There may be more of them one day: go by the code then."""
    conflict: Conflict | None = None
    """What stands in the way, if something does."""
    time_off_id: Identifier | None = None
    """The command's, if it is valid."""
    doctor_id: Identifier | None = None
    """The command's, if it is valid."""
