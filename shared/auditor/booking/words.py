"""The words of booking: appointments and doctors' time off."""

from typing import Final

from shared.auditor.booking import state
from shared.auditor.facts import Event
from shared.auditor.words import (
    ADMIN,
    CRITICAL,
    DOCTOR,
    PATIENT,
    SYSTEM,
    Change,
    CommandWords,
    EntityWords,
    EventWords,
    Notice,
    ServiceWords,
    both,
    doctor,
    patient,
    types,
)

APPOINTMENT: Final = "appointment"
TIME_OFF: Final = "time_off"

BOOKED: Final = "booking.appointment.booked.v1"
CONFIRMED: Final = "booking.appointment.confirmed.v1"
DECLINED: Final = "booking.appointment.declined.v1"
CANCELLED: Final = "booking.appointment.cancelled.v1"
PROPOSED: Final = "booking.appointment.reschedule_proposed.v1"
RESCHEDULED: Final = "booking.appointment.rescheduled.v1"
RESCHEDULE_REJECTED: Final = "booking.appointment.reschedule_rejected.v1"
RESCHEDULE_WITHDRAWN: Final = "booking.appointment.reschedule_withdrawn.v1"
COMPLETED: Final = "booking.appointment.completed.v1"
NO_SHOW: Final = "booking.appointment.no_show.v1"
IMPORTED: Final = "booking.appointment.imported.v1"
EXPIRED: Final = "booking.appointment.expired.v1"
EXPIRING: Final = "booking.appointment.expiring.v1"
BLOCKED: Final = "booking.time_off.blocked.v1"
UNBLOCKED: Final = "booking.time_off.unblocked.v1"

EXPIRE: Final = "booking.appointment.expire.v1"

#: Statuses that hold the appointment's time.
HOLDING: Final = frozenset({"pending", "confirmed", "reschedule_proposed"})
#: Statuses in which somebody must answer in time.
WAITING: Final = frozenset({"pending", "reschedule_proposed"})

_NEW: Final[frozenset[str | None]] = frozenset({None})
_PENDING: Final[frozenset[str | None]] = frozenset({"pending"})
_CONFIRMED: Final[frozenset[str | None]] = frozenset({"confirmed"})
_PROPOSED: Final[frozenset[str | None]] = frozenset({"reschedule_proposed"})


def _appointment(*words: str) -> frozenset[str]:
    return types("booking", "appointment", *words)


def _others(event: Event) -> tuple[str, ...]:
    """The party that did not cancel it; both, when neither did."""
    match event.state.cancelled_by:
        case "patient":
            return doctor(event)
        case "doctor":
            return patient(event)
        case _:
            return both(event)


_COMMANDS: Final = {
    "booking.appointment.book.v1": CommandWords(
        outcomes=_appointment("booked"), further=_appointment("expired"), by=frozenset({PATIENT, ADMIN})
    ),
    "booking.appointment.import.v1": CommandWords(
        outcomes=_appointment("imported"), further=_appointment("expired"), by=frozenset({ADMIN})
    ),
    "booking.appointment.confirm.v1": CommandWords(outcomes=_appointment("confirmed"), by=frozenset({DOCTOR})),
    "booking.appointment.decline.v1": CommandWords(outcomes=_appointment("declined"), by=frozenset({DOCTOR})),
    "booking.appointment.cancel.v1": CommandWords(outcomes=_appointment("cancelled"), by=frozenset({PATIENT, DOCTOR, ADMIN})),
    "booking.appointment.propose_reschedule.v1": CommandWords(
        outcomes=_appointment("reschedule_proposed"), further=_appointment("expired"), by=frozenset({DOCTOR})
    ),
    "booking.appointment.accept_reschedule.v1": CommandWords(outcomes=_appointment("rescheduled"), by=frozenset({PATIENT})),
    "booking.appointment.reject_reschedule.v1": CommandWords(outcomes=_appointment("reschedule_rejected"), by=frozenset({PATIENT})),
    "booking.appointment.withdraw_reschedule.v1": CommandWords(outcomes=_appointment("reschedule_withdrawn"), by=frozenset({DOCTOR})),
    "booking.appointment.complete.v1": CommandWords(outcomes=_appointment("completed"), by=frozenset({DOCTOR, SYSTEM})),
    "booking.appointment.mark_no_show.v1": CommandWords(outcomes=_appointment("no_show"), by=frozenset({DOCTOR, SYSTEM})),
    EXPIRE: CommandWords(outcomes=_appointment("expired"), by=frozenset({SYSTEM})),
    "booking.appointment.warn_expiry.v1": CommandWords(outcomes=_appointment("expiring"), by=frozenset({SYSTEM})),
    "booking.time_off.block.v1": CommandWords(outcomes=frozenset({BLOCKED}), by=frozenset({DOCTOR, ADMIN})),
    "booking.time_off.unblock.v1": CommandWords(outcomes=frozenset({UNBLOCKED}), by=frozenset({DOCTOR, ADMIN})),
}

_EVENTS: Final = {
    BOOKED: EventWords(
        change=Change(_NEW, "pending"), notices=(Notice("appointment_requested", doctor), Notice("appointment_booked", patient))
    ),
    # Nobody is told of what was imported, or that all went well.
    IMPORTED: EventWords(change=Change(_NEW, None)),
    CONFIRMED: EventWords(change=Change(_PENDING, "confirmed"), notices=(Notice("appointment_confirmed", patient),)),
    DECLINED: EventWords(change=Change(_PENDING, "cancelled"), notices=(Notice("appointment_declined", _others),)),
    CANCELLED: EventWords(change=Change(frozenset(HOLDING), "cancelled"), notices=(Notice("appointment_cancelled", _others),)),
    PROPOSED: EventWords(change=Change(_PENDING | _CONFIRMED, "reschedule_proposed"), notices=(Notice("reschedule_proposed", patient),)),
    RESCHEDULED: EventWords(change=Change(_PROPOSED, "confirmed"), notices=(Notice("rescheduled", patient),)),
    RESCHEDULE_REJECTED: EventWords(change=Change(_PROPOSED, None), notices=(Notice("reschedule_rejected", doctor),)),
    RESCHEDULE_WITHDRAWN: EventWords(change=Change(_PROPOSED, None), notices=(Notice("reschedule_withdrawn", patient),)),
    COMPLETED: EventWords(change=Change(_CONFIRMED, "completed")),
    NO_SHOW: EventWords(change=Change(_CONFIRMED, "no_show"), notices=(Notice("appointment_no_show", both),)),
    EXPIRED: EventWords(change=Change(frozenset(WAITING), "cancelled"), notices=(Notice("appointment_expired", patient, CRITICAL),)),
    EXPIRING: EventWords(repeats_in=frozenset({"pending"}), notices=(Notice("appointment_expiring", both),)),
    BLOCKED: EventWords(change=Change(_NEW, "blocked")),
    UNBLOCKED: EventWords(change=Change(frozenset({"blocked"}), "unblocked")),
}

WORDS: Final = ServiceWords(
    name="booking",
    entities={
        APPOINTMENT: EntityWords(id_field="appointment_id", ids=("patient_id",), deadline_field="expires_at", read=state.appointment),
        TIME_OFF: EntityWords(id_field="time_off_id", read=state.time_off),
    },
    commands=_COMMANDS,
    events=_EVENTS,
    rules_with_422=frozenset({"starts_in_the_past", "too_far_ahead"}),
    closed_by_deadline=lambda event: event.type == EXPIRED,
    sweeps=frozenset({EXPIRE}),
)
