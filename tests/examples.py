"""The vocabulary of the tests: a valid example of everything, of which a test states only what it is about."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import orjson

from services.booking.domain.appointment import Appointment, Rules
from services.booking.domain.decision import BookingEvent, Changed, Moment, Refused, TimeOffChanged
from services.booking.domain.time_off import TimeOff
from shared.codec.decode import Received, decode
from shared.codec.encode import encode_command
from shared.codec.record import StoredRecord
from shared.messages.booking import (
    Absent,
    AcceptReschedule,
    AppointmentStatus,
    BlockTimeOff,
    BookAppointment,
    CancelAppointment,
    CompleteAppointment,
    ConfirmAppointment,
    DeclineAppointment,
    ExpireAppointment,
    ImportAppointment,
    MarkNoShow,
    ProposeReschedule,
    RejectReschedule,
    TimeOffStatus,
    UnblockTimeOff,
    WarnAppointmentExpiry,
    WithdrawReschedule,
)
from shared.messages.fields import Actor, Command, Modality, Role, service_of
from shared.messages.refusal import Refusal
from shared.messages.registry import COMMANDS
from shared.topics import commands_topic

AnyCommand = TypeVar("AnyCommand", bound=Command)

#: The log time of every example: a Monday.
NOW: Final = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)
#: The start of every example: a day and two hours later.
START: Final = datetime(2030, 1, 8, 14, 0, tzinfo=UTC)
#: The start that example proposals propose: a day later.
OTHER_START: Final = datetime(2030, 1, 9, 14, 0, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
RULES: Final = Rules()

DOCTOR: Final = "doctor-1"
PATIENT: Final = "patient-1"
APPOINTMENT: Final = "apt-1"
TIME_OFF: Final = "off-1"
COMMANDS_TOPIC: Final = "test.booking.commands.v1"
SOURCE: Final = "/tests"

#: Status → the command that makes it so in the examples.
_MADE_SO_BY: Final[Mapping[AppointmentStatus, type[Command]]] = {
    AppointmentStatus.PENDING: BookAppointment,
    AppointmentStatus.CONFIRMED: ConfirmAppointment,
    AppointmentStatus.RESCHEDULE_PROPOSED: ProposeReschedule,
    AppointmentStatus.CANCELLED: CancelAppointment,
    AppointmentStatus.COMPLETED: CompleteAppointment,
    AppointmentStatus.NO_SHOW: MarkNoShow,
}


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
    return as_published(BookAppointment, body)


def example_confirm(*, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None) -> ConfirmAppointment:
    return as_published(ConfirmAppointment, {"appointment_id": appointment_id, "doctor_id": doctor_id, "actor": actor or doctor(doctor_id)})


def example_decline(
    *, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None, reason_code: str | None = None
) -> DeclineAppointment:
    body = {
        "appointment_id": appointment_id,
        "doctor_id": doctor_id,
        "actor": actor or doctor(doctor_id),
        "reason_code": reason_code,
    }
    return as_published(DeclineAppointment, body)


def example_cancel(
    *, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None, reason_code: str | None = None
) -> CancelAppointment:
    body = {"appointment_id": appointment_id, "doctor_id": doctor_id, "actor": actor or patient(), "reason_code": reason_code}
    return as_published(CancelAppointment, body)


def example_import(
    *,
    appointment_id: str | None = APPOINTMENT,
    doctor_id: str = DOCTOR,
    patient_id: str = PATIENT,
    starts_at: datetime | str = START,
    duration_minutes: int = 30,
    status: AppointmentStatus = AppointmentStatus.CONFIRMED,
    created_at: datetime = NOW - timedelta(days=1),
    proposed_starts_at: datetime | None = None,
    actor: Actor | None = None,
) -> ImportAppointment:
    """An administrator brings along what was confirmed elsewhere."""
    body = {
        "appointment_id": appointment_id,
        "doctor_id": doctor_id,
        "patient_id": patient_id,
        "starts_at": starts_at,
        "duration_minutes": duration_minutes,
        "modality": Modality.VIDEO,
        "status": status,
        "created_at": created_at,
        "proposed_starts_at": proposed_starts_at,
        "actor": actor or admin(),
    }
    return as_published(ImportAppointment, body)


def example_proposal(
    *,
    appointment_id: str = APPOINTMENT,
    doctor_id: str = DOCTOR,
    starts_at: datetime | str = OTHER_START,
    actor: Actor | None = None,
) -> ProposeReschedule:
    body = {"appointment_id": appointment_id, "doctor_id": doctor_id, "starts_at": starts_at, "actor": actor or doctor(doctor_id)}
    return as_published(ProposeReschedule, body)


def example_acceptance(*, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None) -> AcceptReschedule:
    return as_published(AcceptReschedule, {"appointment_id": appointment_id, "doctor_id": doctor_id, "actor": actor or patient()})


def example_rejection(*, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None) -> RejectReschedule:
    return as_published(RejectReschedule, {"appointment_id": appointment_id, "doctor_id": doctor_id, "actor": actor or patient()})


def example_withdrawal(*, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None) -> WithdrawReschedule:
    body = {"appointment_id": appointment_id, "doctor_id": doctor_id, "actor": actor or doctor(doctor_id)}
    return as_published(WithdrawReschedule, body)


def example_completion(*, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None) -> CompleteAppointment:
    body = {"appointment_id": appointment_id, "doctor_id": doctor_id, "actor": actor or doctor(doctor_id)}
    return as_published(CompleteAppointment, body)


def example_no_show(
    *, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, absent: Absent = Absent.PATIENT, actor: Actor | None = None
) -> MarkNoShow:
    body = {"appointment_id": appointment_id, "doctor_id": doctor_id, "absent": absent, "actor": actor or doctor(doctor_id)}
    return as_published(MarkNoShow, body)


def example_block(
    *,
    time_off_id: str = TIME_OFF,
    doctor_id: str = DOCTOR,
    starts_at: datetime | str = START,
    ends_at: datetime | str = START + timedelta(hours=4),
    actor: Actor | None = None,
) -> BlockTimeOff:
    """An afternoon off."""
    body = {
        "time_off_id": time_off_id,
        "doctor_id": doctor_id,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "actor": actor or doctor(doctor_id),
    }
    return as_published(BlockTimeOff, body)


def example_unblock(*, time_off_id: str = TIME_OFF, doctor_id: str = DOCTOR, actor: Actor | None = None) -> UnblockTimeOff:
    return as_published(UnblockTimeOff, {"time_off_id": time_off_id, "doctor_id": doctor_id, "actor": actor or doctor(doctor_id)})


def example_expire(*, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None) -> ExpireAppointment:
    return as_published(ExpireAppointment, {"appointment_id": appointment_id, "doctor_id": doctor_id, "actor": actor})


def example_warning(*, appointment_id: str = APPOINTMENT, doctor_id: str = DOCTOR, actor: Actor | None = None) -> WarnAppointmentExpiry:
    return as_published(WarnAppointmentExpiry, {"appointment_id": appointment_id, "doctor_id": doctor_id, "actor": actor})


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
    held_since: datetime | None = None,
    proposed_starts_at: datetime = OTHER_START,
    status_before_proposal: AppointmentStatus = AppointmentStatus.CONFIRMED,
    version: int | None = None,
) -> Appointment:
    """A pending appointment, asked for an hour ago; in another status, as the fitting command left it."""
    is_proposed = status is AppointmentStatus.RESCHEDULE_PROPOSED
    deadlines = {
        AppointmentStatus.PENDING: min(created_at + RULES.pending_expiry, starts_at),
        AppointmentStatus.RESCHEDULE_PROPOSED: min(starts_at, proposed_starts_at),
    }
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
        expires_at=expires_at or deadlines.get(status),
        warned_at=warned_at,
        cancelled_by=Role.PATIENT if status is AppointmentStatus.CANCELLED else None,
        held_since=held_since,
        proposed_starts_at=proposed_starts_at if is_proposed else None,
        status_before_proposal=status_before_proposal if is_proposed else None,
        absent=Absent.PATIENT if status is AppointmentStatus.NO_SHOW else None,
        changed_by_type=_MADE_SO_BY[status].type,
        changed_by_id="earlier-command",
        version=version or (1 if status is AppointmentStatus.PENDING else 2),
    )


def example_time_off(
    *,
    time_off_id: str = TIME_OFF,
    doctor_id: str = DOCTOR,
    starts_at: datetime = START,
    ends_at: datetime = START + timedelta(hours=4),
    status: TimeOffStatus = TimeOffStatus.BLOCKED,
    updated_at: datetime = NOW - timedelta(hours=1),
) -> TimeOff:
    """An afternoon off, blocked an hour ago."""
    is_blocked = status is TimeOffStatus.BLOCKED
    return TimeOff(
        time_off_id=time_off_id,
        doctor_id=doctor_id,
        starts_at=starts_at,
        ends_at=ends_at,
        status=status,
        created_at=NOW - timedelta(hours=1),
        updated_at=updated_at,
        changed_by_type=BlockTimeOff.type if is_blocked else UnblockTimeOff.type,
        changed_by_id="earlier-command",
        version=1 if is_blocked else 2,
    )


def example_moment(
    *,
    now: datetime = NOW,
    asked_at: datetime | None = None,
    command_id: str = "command-1",
    entity_id: str = APPOINTMENT,
) -> Moment:
    return Moment(now=now, asked_at=asked_at, command_id=command_id, entity_id=entity_id)


def example_record(
    command: Command | None = None,
    *,
    identifier: str = "command-1",
    source: str = SOURCE,
    at: datetime = NOW,
    asked_at: datetime | None = None,
    topic: str | None = None,
    partition: int = 0,
    offset: int = 0,
) -> StoredRecord:
    """A command as it lies in its service's topic, in binary mode."""
    command = command or example_booking()
    topic = topic or commands_topic("test", service_of(command.type))
    message = encode_command(command, topic=topic, source=source, identifier=identifier, time=asked_at)
    return StoredRecord(topic, partition, offset, milliseconds(at), message.key, message.value, message.headers)


def received(
    command: Command | None = None,
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
    decoded = decode(record, COMMANDS)
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


def the_time_off(events: Sequence[BookingEvent]) -> TimeOffChanged:
    """What happened to a time off: one thing, and nothing else."""
    assert len(events) == 1, events
    assert isinstance(events[0], TimeOffChanged), events[0]
    return events[0]


def the_refusal(events: Sequence[BookingEvent]) -> Refusal:
    """Why nothing happened."""
    assert len(events) == 1, events
    assert isinstance(events[0], Refused), events[0]
    return events[0].refusal


def as_published(command: type[AnyCommand], body: Mapping[str, object]) -> AnyCommand:
    """A command as a reader has it: what is ``None`` was not published."""
    present = {name: value.model_dump() if isinstance(value, Actor) else value for name, value in body.items() if value is not None}
    return command.model_validate_json(orjson.dumps(present, option=orjson.OPT_UTC_Z))
