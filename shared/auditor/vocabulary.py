"""The words of the contract: which commands exist, what each can lead to, and what each event means for an appointment.

The tables grow with the services; the checks read them and name no type themselves.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

SOURCE: Final = "/caremesh/booking"
SEND_NOTIFICATION: Final = "notify.notification.send.v1"
REJECTED: Final = "booking.appointment.rejected.v1"
EXPIRED: Final = "booking.appointment.expired.v1"
EXPIRING: Final = "booking.appointment.expiring.v1"
BOOKED: Final = "booking.appointment.booked.v1"
CONFIRMED: Final = "booking.appointment.confirmed.v1"
DECLINED: Final = "booking.appointment.declined.v1"
CANCELLED: Final = "booking.appointment.cancelled.v1"

IDEMPOTENCY_CONFLICT: Final = "idempotency_conflict"
SLOT_ALREADY_BOOKED: Final = "slot_already_booked"
UNPROCESSABLE: Final = 422
#: Refusals with 422 that come from a rule and not from a broken schema: they have no dead letter.
RULES_WITH_422: Final = frozenset({"starts_in_the_past", "too_far_ahead"})

#: Command type → the outcome that it has when it is not refused.
OUTCOME_OF: Final[Mapping[str, str]] = {
    "booking.appointment.book.v1": BOOKED,
    "booking.appointment.confirm.v1": CONFIRMED,
    "booking.appointment.decline.v1": DECLINED,
    "booking.appointment.cancel.v1": CANCELLED,
    "booking.appointment.expire.v1": EXPIRED,
    "booking.appointment.warn_expiry.v1": EXPIRING,
}
#: Command type → further events that its decision may publish beside the outcome.
FURTHER_EVENTS_OF: Final[Mapping[str, frozenset[str]]] = {"booking.appointment.book.v1": frozenset({EXPIRED})}

#: Statuses that hold the appointment's time.
HOLDING: Final = frozenset({"pending", "confirmed", "reschedule_proposed"})


class Change(NamedTuple):
    """What an event that raises the version does."""

    before: frozenset[str | None]
    """Statuses in which it may happen; None: the appointment did not exist."""
    after: str


#: Event type → the change of status that it reports.
CHANGES: Final[Mapping[str, Change]] = {
    BOOKED: Change(frozenset({None}), "pending"),
    CONFIRMED: Change(frozenset({"pending"}), "confirmed"),
    DECLINED: Change(frozenset({"pending"}), "cancelled"),
    CANCELLED: Change(HOLDING, "cancelled"),
    EXPIRED: Change(frozenset({"pending", "reschedule_proposed"}), "cancelled"),
}
#: Answers that a passed deadline forbids.
ANSWERS: Final = frozenset({CONFIRMED, DECLINED})
EVENT_TYPES: Final = frozenset({*CHANGES, EXPIRING, REJECTED})


class Recipient(StrEnum):
    """Who is told."""

    DOCTOR = "doctor"
    PATIENT = "patient"
    #: The party that did not do it; both, when neither did.
    OTHER = "other"


class Notice(NamedTuple):
    """A notification that an event demands."""

    template: str
    recipient: Recipient
    priority: str = "normal"


#: Event type → the notifications that it demands.
NOTICES: Final[Mapping[str, tuple[Notice, ...]]] = {
    BOOKED: (Notice("appointment_requested", Recipient.DOCTOR), Notice("appointment_booked", Recipient.PATIENT)),
    CONFIRMED: (Notice("appointment_confirmed", Recipient.PATIENT),),
    DECLINED: (Notice("appointment_declined", Recipient.OTHER),),
    CANCELLED: (Notice("appointment_cancelled", Recipient.OTHER),),
    EXPIRING: (Notice("appointment_expiring", Recipient.DOCTOR), Notice("appointment_expiring", Recipient.PATIENT)),
    EXPIRED: (Notice("appointment_expired", Recipient.PATIENT, "critical"),),
}
