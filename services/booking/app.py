"""Which topics reach which rules: the map of booking.

booking.commands.v1 → domain.decide → booking.events.v1      (the consumer, aiokafka)
booking.events.v1   → notices.notices_of → notify.commands.v1  (the processor, Faust)
what falls due      → sweeps → booking.commands.v1             (the processor)
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import cast

from services.booking import store
from services.booking.domain.appointment import Reason, Rules
from services.booking.working_set import Appointments
from shared.codec.decode import Malformed, Received
from shared.messages.booking import BOOKING_COMMANDS, AppointmentEventType, BookAppointment, BookingCommand
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
    )


def booking(settings: Settings) -> Service[Appointments]:
    """Booking, as the path sees it."""
    return Service(
        name="booking",
        commands=BOOKING_COMMANDS,
        decisions=store.decisions,
        named_entity=named_appointment,
        locks=locks_of,
        parties=store.parties,
        load=partial(store.load, rules=rules_of(settings)),
        record=store.record,
        log_line=log_line,
    )


def named_appointment(received: Received) -> str | None:
    """The appointment that must exist for a command to succeed."""
    content = cast("BookingContent", received.content)
    if isinstance(content, BookAppointment) or isinstance(content, Malformed):  # noqa: SIM101 - a union is asked far more slowly
        return None
    return content.entity_id


def locks_of(received: Received, parties: Mapping[str, Parties]) -> Locks:
    """What a command must hold: its doctor's calendar, the id, and the patient's calendar if it takes time in it."""
    content = cast("BookingContent", received.content)
    if isinstance(content, Malformed):
        return Locks(ordered=())
    doctor = f"doctor:{content.partition_key}"
    appointment_id = content.entity_id
    if isinstance(content, BookAppointment):
        patient = (f"patient:{content.patient_id}",)
        return Locks(ordered=(doctor,) if appointment_id is None else (doctor, f"appointment:{appointment_id}"), shared=patient)
    party = parties.get(appointment_id) if appointment_id is not None else None
    ordered = [doctor, f"appointment:{appointment_id}"]
    if party is not None:
        ordered.append(f"doctor:{party.doctor_id}")
    return Locks(ordered=ordered)


def log_line(event: Event) -> str | None:
    """The words that people look for."""
    if event.body.get("reason") == Reason.SLOT_ALREADY_BOOKED:
        return "Double booking prevented"
    if event.type == AppointmentEventType.EXPIRED:
        return "Appointment expired"
    return None
