"""The vocabulary of the tests: a valid example of everything, of which a test states only what it is about."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import orjson

from services.booking.domain.appointment import Appointment, BookingEvent, Changed, Moment, Refused, Rules
from shared.codec.decode import Received, decode
from shared.codec.encode import encode_command
from shared.codec.record import StoredRecord
from shared.messages.booking import (
    BOOKING_COMMANDS,
    AppointmentCommand,
    AppointmentStatus,
    BookAppointment,
    CancelAppointment,
    ConfirmAppointment,
    DeclineAppointment,
    ExpireAppointment,
    WarnAppointmentExpiry,
)
from shared.messages.fields import Actor, Modality, Role
from shared.messages.refusal import Refusal

AnyCommand = TypeVar("AnyCommand", bound=AppointmentCommand)

#: The log time of every example: a Monday.
NOW: Final = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)
#: The start of every example: a day and two hours later.
START: Final = datetime(2030, 1, 8, 14, 0, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
RULES: Final = Rules()

DOCTOR: Final = "doctor-1"
PATIENT: Final = "patient-1"
APPOINTMENT: Final = "apt-1"
COMMANDS_TOPIC: Final = "test.booking.commands.v1"
SOURCE: Final = "/tests"

_OPEN: Final = (AppointmentStatus.PENDING, AppointmentStatus.CONFIRMED, AppointmentStatus.RESCHEDULE_PROPOSED)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def patient(identifier: str = PATIENT) -> Actor:
    return Actor(role=Role.PATIENT, id=identifier)


def doctor(identifier: str = DOCTOR) -> Actor:
    return Actor(role=Role.DOCTOR, id=identifier)


def admin() -> Actor:
    return Actor(role=Role.ADMIN, id="admin-1")


def system() -> Actor:
    return Actor(role=Role.SYSTEM, id="system-1")


def example_booking(
    *,
    appointment_id: str | None = APPOINTMENT,
    doctor_id: str = DOCTOR,
    patient_id: str = PATIENT,
    starts_at: datetime | str = START,
    duration_minutes: int = 30,
    modality: Modality = Modality.VIDEO,
    user_timezone: str = "UTC",
    actor: Actor | None = None,
) -> BookAppointment:
    """A patient asks for half an hour; ``starts_at`` as text travels as it stands, with its offset."""
    body = {
        "appointment_id": appointment_id,
        "doctor_id": doctor_id,
        "patient_id": patient_id,
        "starts_at": starts_at,
        "duration_minutes": duration_minutes,
        "modality": modality,
        "user_timezone": user_timezone,
        "actor": actor or patient(patient_id),
    }
    return _as_published(BookAppointment, body)


def example_confirm(*, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None) -> ConfirmAppointment:
    return _as_published(
        ConfirmAppointment, {"appointment_id": appointment_id, "doctor_id": doctor_id, "actor": actor or doctor(doctor_id)}
    )


def example_decline(
    *, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None, reason_code: str | None = None
) -> DeclineAppointment:
    body = {
        "appointment_id": appointment_id,
        "doctor_id": doctor_id,
        "actor": actor or doctor(doctor_id),
        "reason_code": reason_code,
    }
    return _as_published(DeclineAppointment, body)


def example_cancel(
    *, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None, reason_code: str | None = None
) -> CancelAppointment:
    body = {"appointment_id": appointment_id, "doctor_id": doctor_id, "actor": actor or patient(), "reason_code": reason_code}
    return _as_published(CancelAppointment, body)


def example_expire(*, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None) -> ExpireAppointment:
    return _as_published(ExpireAppointment, {"appointment_id": appointment_id, "doctor_id": doctor_id, "actor": actor})


def example_warning(*, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None) -> WarnAppointmentExpiry:
    return _as_published(WarnAppointmentExpiry, {"appointment_id": appointment_id, "doctor_id": doctor_id, "actor": actor})


def example_appointment(
    *,
    appointment_id: str = APPOINTMENT,
    doctor_id: str = DOCTOR,
    patient_id: str = PATIENT,
    starts_at: datetime = START,
    duration_minutes: int = 30,
    status: AppointmentStatus = AppointmentStatus.PENDING,
    created_at: datetime = NOW - timedelta(hours=1),
    updated_at: datetime | None = None,
    expires_at: datetime | None = None,
    warned_at: datetime | None = None,
    version: int | None = None,
) -> Appointment:
    """A pending appointment, asked for an hour ago; in another status, as the fitting command left it."""
    is_pending = status is AppointmentStatus.PENDING
    made_so_by = BookAppointment if is_pending else ConfirmAppointment if status in _OPEN else CancelAppointment
    return Appointment(
        appointment_id=appointment_id,
        doctor_id=doctor_id,
        patient_id=patient_id,
        starts_at=starts_at,
        ends_at=starts_at + minutes(duration_minutes),
        modality=Modality.VIDEO,
        user_timezone="UTC",
        status=status,
        created_at=created_at,
        updated_at=updated_at or created_at,
        expires_at=expires_at or (min(created_at + RULES.pending_expiry, starts_at) if is_pending else None),
        warned_at=warned_at,
        cancelled_by=None if status in _OPEN else Role.PATIENT,
        changed_by_type=made_so_by.type,
        changed_by_id="earlier-command",
        version=version or (1 if is_pending else 2),
    )


def example_moment(
    *,
    now: datetime = NOW,
    asked_at: datetime | None = None,
    command_id: str = "command-1",
    appointment_id: str = APPOINTMENT,
) -> Moment:
    return Moment(now=now, asked_at=asked_at, command_id=command_id, appointment_id=appointment_id)


def example_record(
    command: AppointmentCommand | None = None,
    *,
    identifier: str = "command-1",
    source: str = SOURCE,
    at: datetime = NOW,
    asked_at: datetime | None = None,
    topic: str = COMMANDS_TOPIC,
    partition: int = 0,
    offset: int = 0,
) -> StoredRecord:
    """A command as it lies in its topic, in binary mode."""
    message = encode_command(command or example_booking(), topic=topic, source=source, identifier=identifier, time=asked_at)
    return StoredRecord(topic, partition, offset, milliseconds(at), message.key, message.value, message.headers)


def received(
    command: AppointmentCommand | None = None,
    *,
    identifier: str = "command-1",
    source: str = SOURCE,
    at: datetime = NOW,
    asked_at: datetime | None = None,
    partition: int = 0,
    offset: int = 0,
) -> Received:
    """A command as the path reads it."""
    return read(example_record(command, identifier=identifier, source=source, at=at, asked_at=asked_at, partition=partition, offset=offset))


def read(record: StoredRecord) -> Received:
    decoded = decode(record, BOOKING_COMMANDS)
    assert isinstance(decoded, Received), decoded
    return decoded


def milliseconds(moment: datetime) -> int:
    """A moment as a record's timestamp."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND


def the_change(events: Sequence[BookingEvent]) -> Changed:
    """What happened: one thing, and nothing else."""
    assert len(events) == 1, events
    assert isinstance(events[0], Changed), events[0]
    return events[0]


def the_refusal(events: Sequence[BookingEvent]) -> Refusal:
    """Why nothing happened."""
    assert len(events) == 1, events
    assert isinstance(events[0], Refused), events[0]
    return events[0].refusal


def _as_published(command: type[AnyCommand], body: Mapping[str, object]) -> AnyCommand:
    present = {name: value.model_dump() if isinstance(value, Actor) else value for name, value in body.items() if value is not None}
    return command.model_validate_json(orjson.dumps(present, option=orjson.OPT_UTC_Z))
