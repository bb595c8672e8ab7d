"""The words of booking: statuses, types of event, and why a command is refused."""

from enum import StrEnum

from shared.messages.refusal import RefusalReason, StatusCode


class AppointmentStatus(StrEnum):
    """Where an appointment stands. The first three hold the slot."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    RESCHEDULE_PROPOSED = "reschedule_proposed"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    NO_SHOW = "no_show"


class Absent(StrEnum):
    """Who did not come to an appointment."""

    PATIENT = "patient"
    DOCTOR = "doctor"
    BOTH = "both"


class TimeOffStatus(StrEnum):
    """Where a time off stands. Only a blocked one holds the doctor's time."""

    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"


class AppointmentEventType(StrEnum):
    """The types of event about an appointment."""

    BOOKED = "booking.appointment.booked.v1"
    CONFIRMED = "booking.appointment.confirmed.v1"
    DECLINED = "booking.appointment.declined.v1"
    CANCELLED = "booking.appointment.cancelled.v1"
    RESCHEDULE_PROPOSED = "booking.appointment.reschedule_proposed.v1"
    RESCHEDULED = "booking.appointment.rescheduled.v1"
    RESCHEDULE_REJECTED = "booking.appointment.reschedule_rejected.v1"
    RESCHEDULE_WITHDRAWN = "booking.appointment.reschedule_withdrawn.v1"
    COMPLETED = "booking.appointment.completed.v1"
    NO_SHOW = "booking.appointment.no_show.v1"
    IMPORTED = "booking.appointment.imported.v1"
    EXPIRED = "booking.appointment.expired.v1"
    EXPIRING = "booking.appointment.expiring.v1"
    REJECTED = "booking.appointment.rejected.v1"


class TimeOffEventType(StrEnum):
    """The types of event about a time off."""

    BLOCKED = "booking.time_off.blocked.v1"
    UNBLOCKED = "booking.time_off.unblocked.v1"
    REJECTED = "booking.time_off.rejected.v1"


class AppointmentReason(RefusalReason):
    """Why an appointment command is refused, in order of precedence; what is wrong with its data comes before all of these."""

    STARTS_IN_THE_PAST = (
        "starts_in_the_past",
        StatusCode.UNPROCESSABLE,
        "The start lies before the moment of the request.",
    )
    TOO_FAR_AHEAD = (
        "too_far_ahead",
        StatusCode.UNPROCESSABLE,
        "The start lies more than the allowed number of days ahead (365 by default).",
    )
    APPOINTMENT_NOT_FOUND = (
        "appointment_not_found",
        StatusCode.NOT_FOUND,
        "No appointment of that doctor has that id.",
    )
    NOT_A_PARTY = (
        "not_a_party",
        StatusCode.FORBIDDEN,
        "The actor is not a party to it, or not in the role that the command needs.",
    )
    APPOINTMENT_EXISTS = (
        "appointment_exists",
        StatusCode.CONFLICT,
        "The id was used before.",
    )
    WRONG_STATUS = (
        "wrong_status",
        StatusCode.CONFLICT,
        "The appointment's status does not allow it; `conflict` says since when, and by which command.",
    )
    ALREADY_WARNED = (
        "already_warned",
        StatusCode.CONFLICT,
        "The warning was given before; it comes once.",
    )
    EXPIRED = (
        "expired",
        StatusCode.CONFLICT,
        "The appointment's deadline has passed, whether or not a sweep has closed it yet; or it started before it was to be moved.",
    )
    NOT_DUE = (
        "not_due",
        StatusCode.CONFLICT,
        "It is too early: a sweep came before the deadline, or somebody says how an appointment went that has not started.",
    )
    TOO_MANY_PENDING = (
        "too_many_pending",
        StatusCode.CONFLICT,
        "The patient waits for as many answers as one may (5 by default).",
    )
    SLOT_ALREADY_BOOKED = (
        "slot_already_booked",
        StatusCode.CONFLICT,
        "Another appointment, or a time off, holds a part of the doctor's time; `conflict` says which.",
    )
    PATIENT_ALREADY_BOOKED = (
        "patient_already_booked",
        StatusCode.CONFLICT,
        "The patient has another appointment at that time, with any doctor; `conflict` says which.",
    )


class TimeOffReason(RefusalReason):
    """Why a time off command is refused, in order of precedence; what is wrong with its data comes before all of these."""

    TIME_OFF_NOT_FOUND = (
        "time_off_not_found",
        StatusCode.NOT_FOUND,
        "That doctor has no time off with that id.",
    )
    NOT_A_PARTY = (
        "not_a_party",
        StatusCode.FORBIDDEN,
        "The actor is neither that doctor nor an administrator.",
    )
    TIME_OFF_EXISTS = (
        "time_off_exists",
        StatusCode.CONFLICT,
        "The id was used before.",
    )
    WRONG_STATUS = (
        "wrong_status",
        StatusCode.CONFLICT,
        "It was unblocked before.",
    )
    SLOT_ALREADY_BOOKED = (
        "slot_already_booked",
        StatusCode.CONFLICT,
        "An appointment holds a part of that time; `conflict` says which.",
    )
