"""The booking service's commands and events: appointments, and doctors' time off."""

from shared.messages.booking.commands import (
    AcceptReschedule,
    AppointmentCommand,
    BlockTimeOff,
    BookAppointment,
    CancelAppointment,
    CompleteAppointment,
    ConfirmAppointment,
    DeclineAppointment,
    ExpireAppointment,
    ImportAppointment,
    MarkNoShow,
    NewAppointment,
    ProposeReschedule,
    RejectReschedule,
    TimeOffCommand,
    UnblockTimeOff,
    WarnAppointmentExpiry,
    WithdrawReschedule,
)
from shared.messages.booking.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentConfirmed,
    AppointmentDeclined,
    AppointmentEvent,
    AppointmentExpired,
    AppointmentExpiring,
    AppointmentImported,
    AppointmentNoShow,
    AppointmentRejected,
    AppointmentRescheduled,
    AppointmentRescheduleProposed,
    AppointmentRescheduleRejected,
    AppointmentRescheduleWithdrawn,
    AppointmentState,
    Conflict,
    TimeOffBlocked,
    TimeOffEvent,
    TimeOffRejected,
    TimeOffUnblocked,
)
from shared.messages.booking.vocabulary import (
    Absent,
    AppointmentEventType,
    AppointmentReason,
    AppointmentStatus,
    TimeOffEventType,
    TimeOffReason,
    TimeOffStatus,
)
from shared.messages.fields import Command, EventData, StateData, by_type

__all__ = [
    "BOOKING_COMMANDS",
    "BOOKING_EVENTS",
    "BOOKING_STATES",
    "Absent",
    "AcceptReschedule",
    "AppointmentBooked",
    "AppointmentCancelled",
    "AppointmentCommand",
    "AppointmentCompleted",
    "AppointmentConfirmed",
    "AppointmentDeclined",
    "AppointmentEvent",
    "AppointmentEventType",
    "AppointmentExpired",
    "AppointmentExpiring",
    "AppointmentImported",
    "AppointmentNoShow",
    "AppointmentReason",
    "AppointmentRejected",
    "AppointmentRescheduleProposed",
    "AppointmentRescheduleRejected",
    "AppointmentRescheduleWithdrawn",
    "AppointmentRescheduled",
    "AppointmentState",
    "AppointmentStatus",
    "BlockTimeOff",
    "BookAppointment",
    "BookingCommand",
    "CancelAppointment",
    "CompleteAppointment",
    "ConfirmAppointment",
    "Conflict",
    "DeclineAppointment",
    "ExpireAppointment",
    "ImportAppointment",
    "MarkNoShow",
    "NewAppointment",
    "ProposeReschedule",
    "RejectReschedule",
    "TimeOffBlocked",
    "TimeOffCommand",
    "TimeOffEvent",
    "TimeOffEventType",
    "TimeOffReason",
    "TimeOffRejected",
    "TimeOffStatus",
    "TimeOffUnblocked",
    "UnblockTimeOff",
    "WarnAppointmentExpiry",
    "WithdrawReschedule",
]

BookingCommand = (
    BookAppointment
    | ImportAppointment
    | ConfirmAppointment
    | DeclineAppointment
    | CancelAppointment
    | ProposeReschedule
    | AcceptReschedule
    | RejectReschedule
    | WithdrawReschedule
    | CompleteAppointment
    | MarkNoShow
    | ExpireAppointment
    | WarnAppointmentExpiry
    | BlockTimeOff
    | UnblockTimeOff
)

#: The commands that the booking service decides, by type.
BOOKING_COMMANDS: dict[str, type[Command]] = by_type(
    BookAppointment,
    ImportAppointment,
    ConfirmAppointment,
    DeclineAppointment,
    CancelAppointment,
    ProposeReschedule,
    AcceptReschedule,
    RejectReschedule,
    WithdrawReschedule,
    CompleteAppointment,
    MarkNoShow,
    ExpireAppointment,
    WarnAppointmentExpiry,
    BlockTimeOff,
    UnblockTimeOff,
)

#: The events that it publishes, by type.
BOOKING_EVENTS: dict[str, type[EventData]] = by_type(
    AppointmentBooked,
    AppointmentConfirmed,
    AppointmentDeclined,
    AppointmentCancelled,
    AppointmentRescheduleProposed,
    AppointmentRescheduled,
    AppointmentRescheduleRejected,
    AppointmentRescheduleWithdrawn,
    AppointmentCompleted,
    AppointmentNoShow,
    AppointmentImported,
    AppointmentExpired,
    AppointmentExpiring,
    AppointmentRejected,
    TimeOffBlocked,
    TimeOffUnblocked,
    TimeOffRejected,
)

#: What lies in its state topics, by topic.
BOOKING_STATES: dict[str, type[StateData]] = {"booking.appointments.v1": AppointmentState}
