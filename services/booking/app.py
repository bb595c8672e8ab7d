"""Which topics reach which rules: the map of booking.

booking.commands.v1 → domain.decide → booking.events.v1      (the consumer, aiokafka)
booking.events.v1   → notices.notices_of → notify.commands.v1  (the processor, Faust)
                    → states → booking.appointments.v1         (the processor)
what falls due      → sweeps → booking.commands.v1             (the processor)
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import cast

from services.booking.domain.appointment import Rules
from services.booking.store.load import load, parties
from services.booking.store.record import record
from services.booking.store.tables import decisions
from services.booking.working_set import Appointments
from shared.codec.decode import Malformed, Received
from shared.messages.booking import (
    BOOKING_COMMANDS,
    AppointmentEventType,
    AppointmentReason,
    BookingCommand,
    NewAppointment,
    ProposeReschedule,
    TimeOffCommand,
)
from shared.messages.events import Event
from shared.path.service import Locks, Parties, Service
from shared.settings import Settings

#: Booking hears nobody: its records are commands, or what is wrong with one.
BookingContent = BookingCommand | Malformed


def rules_of(settings: Settings) -> Rules:
    """The settings that booking decides by."""
    return Rules(
        pending_expiry=timedelta(seconds=settings.pending_expiry_seconds),
        expiry_warning=timedelta(seconds=settings.expiry_warning_seconds),
        max_pending_per_patient=settings.max_pending_per_patient,
        max_ahead=timedelta(days=settings.max_days_ahead),
        no_show_after=timedelta(seconds=settings.no_show_after_seconds),
    )


def booking(settings: Settings) -> Service[Appointments]:
    """Booking, as the path sees it."""
    return Service(
        name="booking",
        commands=BOOKING_COMMANDS,
        decisions=decisions,
        named_entity=named_appointment,
        locks=locks_of,
        parties=parties,
        load=partial(load, rules=rules_of(settings)),
        record=record,
        log_line=log_line,
    )


def named_appointment(received: Received) -> str | None:
    """The appointment that must exist for a command to succeed."""
    content = cast("BookingContent", received.content)
    if isinstance(content, NewAppointment) or isinstance(content, Malformed):  # noqa: SIM101 - a union is asked far more slowly
        return None
    return None if isinstance(content, TimeOffCommand) else content.appointment_id


def locks_of(received: Received, known: Mapping[str, Parties]) -> Locks:
    """What a command must hold: its doctor's calendar, the id, and the patient's calendar if it takes time in it.

    Args:
        received: the command.
        known: the parties of the appointments that exist.
    """
    content = cast("BookingContent", received.content)
    if isinstance(content, Malformed):
        return Locks(ordered=())
    doctor = f"doctor:{content.partition_key}"
    if isinstance(content, NewAppointment):
        identifier = content.appointment_id
        ordered = (doctor,) if identifier is None else (doctor, f"appointment:{identifier}")
        return Locks(ordered, (f"patient:{content.patient_id}",))
    if isinstance(content, TimeOffCommand):
        return Locks((doctor, f"time_off:{content.time_off_id}"))
    appointment = f"appointment:{content.appointment_id}"
    party = known.get(content.appointment_id)
    if party is None:
        return Locks((doctor, appointment))
    takes_time = isinstance(content, ProposeReschedule)
    return Locks((doctor, appointment, f"doctor:{party.doctor_id}"), (f"patient:{party.patient_id}",) if takes_time else ())


def log_line(event: Event) -> str | None:
    """The words that people look for."""
    if event.type == AppointmentEventType.REJECTED and event.body.get("reason") == AppointmentReason.SLOT_ALREADY_BOOKED:
        return "Double booking prevented"
    if event.type == AppointmentEventType.EXPIRED:
        return "Appointment expired"
    return None
