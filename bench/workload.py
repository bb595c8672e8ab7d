"""What is measured of calls, billing and notify: what must be there first, the requests, and what each must come to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from shared.codec.encode import encode_command, source_of
from shared.codec.record import OutgoingMessage
from shared.messages.billing import ActivateSubscription, DeductSessionUnit, SessionUnitEventType, Units
from shared.messages.calls import CallEventType, RecordActivity, StartCall, StartTextSession, TextSessionEventType
from shared.messages.fields import Actor, Command, Modality, Role
from shared.messages.notify import (
    About,
    ChannelChoices,
    NotifyEventType,
    Priority,
    SendNotification,
    SetPreferences,
    Template,
)

_SOURCE: Final = "/bench/platform"
_DOCTORS: Final = 1_000
#: So long ago the sessions connected whose first unit is deducted.
_CONNECTED_AGO: Final = timedelta(minutes=15)
_UNITS_EACH: Final = 10
#: The ids of the requests that are measured begin with it.
REQUEST: Final = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One kind of request.

    Attributes:
        name: for people.
        service: who decides.
        preparation: what must be decided before, step by step; topics without their prefix.
        requests: what is measured.
        outcome: the type of event that each of them comes to.
        lock: for the baseline: locks the row that a request changes.
        locked_field: the command's field with that row's key.
        events_each: how many events a request comes to.
    """

    name: str
    service: str
    preparation: Sequence[Sequence[OutgoingMessage]]
    requests: Sequence[OutgoingMessage]
    outcome: str
    lock: str
    locked_field: str
    events_each: int = 1

    @property
    def prepared(self) -> int:
        """How many messages prepare it."""
        return sum(map(len, self.preparation))

    def is_request(self, command_id: str) -> bool:
        """Whether a command is one of the requests."""
        return command_id.startswith(REQUEST)


def activity(count: int, sessions: int) -> Workload:
    """Both sides of many text sessions write, in turn."""
    doctors = [f"doctor-{number:04}" for number in range(sessions)]
    patients = [f"patient-{number:04}" for number in range(sessions)]
    starts = [
        StartTextSession(
            session_id=f"session-{number:04}", doctor_id=doctor, patient_id=patient, actor=Actor(role=Role.PATIENT, id=patient)
        )
        for number, (doctor, patient) in enumerate(zip(doctors, patients, strict=True))
    ]

    def writes(number: int, *, doctor: bool) -> RecordActivity:
        actor = Actor(role=Role.DOCTOR, id=doctors[number]) if doctor else Actor(role=Role.PATIENT, id=patients[number])
        return RecordActivity(session_id=f"session-{number:04}", doctor_id=doctors[number], actor=actor)

    answers = [writes(number, doctor=True) for number in range(sessions)]
    records = (writes(index % sessions, doctor=index // sessions % 2 == 0) for index in range(count))
    return Workload(
        name=f"activity records on {sessions} sessions",
        service="calls",
        preparation=[_commands("calls", "0", starts), _commands("calls", "1", answers)],
        requests=_commands("calls", REQUEST, records),
        outcome=TextSessionEventType.ACTIVITY_RECORDED,
        lock="SELECT 1 FROM sessions WHERE session_id = $1 FOR UPDATE",
        locked_field="session_id",
    )


def call_starts(count: int) -> list[OutgoingMessage]:
    """Calls that can all ring at the same time: each has a doctor and a patient of its own."""
    starts = (
        StartCall(
            doctor_id=f"ringing-doctor-{number:05}",
            patient_id=patient_id,
            modality=Modality.VIDEO,
            actor=Actor(role=Role.PATIENT, id=patient_id),
        )
        for number in range(count)
        for patient_id in [f"ringing-patient-{number:05}"]
    )
    return _commands("calls", "ring", starts)


def deductions(count: int, patients: int) -> Workload:
    """The first unit of many calls falls due, of as many patients; with one patient all of them are theirs."""
    connected_at = datetime.now(UTC) - _CONNECTED_AGO
    units = max(_UNITS_EACH, _UNITS_EACH * count // patients)
    grants = [
        ActivateSubscription(
            subscription_id=f"subscription-{number:05}",
            patient_id=_patient(number, patients),
            units=Units(video=units),
            currency="USD",
            ends_at=(connected_at + timedelta(days=30)).isoformat(),  # type: ignore[arg-type]  # the model reads RFC 3339
            actor=Actor(role=Role.SYSTEM, id="payments"),
        )
        for number in range(patients)
    ]
    requests = (
        DeductSessionUnit(
            session_id=f"call-{number:06}",
            unit=1,
            doctor_id=_doctor(number),
            patient_id=_patient(number, patients),
            modality=Modality.VIDEO,
        )
        for number in range(count)
    )
    return Workload(
        name="deductions from one hot patient" if patients == 1 else f"deductions from {patients:,} patients",
        service="billing",
        preparation=[
            _commands("billing", "0", grants),
            [_connected(number, _patient(number, patients), connected_at) for number in range(count)],
        ],
        requests=_commands("billing", REQUEST, requests),
        outcome=SessionUnitEventType.DEDUCTED,
        lock="SELECT 1 FROM subscriptions WHERE patient_id = $1 FOR UPDATE",
        locked_field="patient_id",
    )


def notifications(count: int, recipients: int) -> Workload:
    """Many people are to be told that their appointment is confirmed; all have said how they want to be told."""
    wishes = [
        SetPreferences(
            recipient_id=_patient(number, recipients),
            channels=ChannelChoices(email=True, push=True, sms=False, chat=False, in_app=True),
            actor=Actor(role=Role.PATIENT, id=_patient(number, recipients)),
        )
        for number in range(recipients)
    ]
    return Workload(
        name=f"notification requests to {recipients:,} recipients",
        service="notify",
        preparation=[_commands("notify", "0", wishes)],
        requests=notification_requests(count, recipients),
        outcome=NotifyEventType.ACCEPTED,
        lock="SELECT 1 FROM preferences WHERE recipient_id = $1 FOR UPDATE",
        locked_field="recipient_id",
        # Accepted, and in the inbox.
        events_each=2,
    )


def notification_requests(count: int, recipients: int, *, name: str = REQUEST) -> list[OutgoingMessage]:
    """Requests to tell people that an appointment is confirmed."""
    requests = (
        SendNotification(
            notification_id=f"{name}-{number:06}",
            recipient_id=_patient(number, recipients),
            template=Template.APPOINTMENT_CONFIRMED,
            params={"appointment_id": f"appointment-{number:06}", "starts_at": "2030-01-08T14:00:00Z"},
            priority=Priority.NORMAL,
            about=About(entity="appointment", entity_id=f"appointment-{number:06}"),
        )
        for number in range(count)
    )
    return _commands("notify", name, requests)


def _doctor(number: int) -> str:
    return f"doctor-{number % _DOCTORS:04}"


def _patient(number: int, patients: int) -> str:
    return f"patient-{number % patients:05}"


def _commands(service: str, name: str, commands: Sequence[Command] | Iterator[Command]) -> list[OutgoingMessage]:
    return [
        encode_command(command, topic=f"{service}.commands.v1", source=_SOURCE, identifier=f"{name}-{index:06}", time=datetime.now(UTC))
        for index, command in enumerate(commands)
    ]


def _connected(number: int, patient_id: str, at: datetime) -> OutgoingMessage:
    """What calls says when media flows."""
    identifier, doctor_id, call_id = f"1-{number:06}", _doctor(number), f"call-{number:06}"
    value = {
        "type": CallEventType.CONNECTED,
        "id": identifier,
        "time": at,
        "call_id": call_id,
        "appointment_id": None,
        "doctor_id": doctor_id,
        "patient_id": patient_id,
        "modality": Modality.VIDEO,
        "status": "connected",
        "started_by": Role.PATIENT,
        "started_at": at,
        "deadline_at": None,
        "connected_at": at,
        "disconnected_at": None,
        "ended_at": None,
        "ended_by": None,
        "reason": None,
        "failure_reason": None,
        "is_connected": True,
        "connected_seconds": 0,
        "version": 2,
        "decision": {
            "decided_at": at,
            "index": 0,
            "command": {"source": _SOURCE, "id": identifier, "type": "calls.call.connect.v1"},
            "topic": "calls.commands.v1",
            "partition": 0,
            "offset": number,
        },
    }
    headers = [
        ("ce_id", identifier.encode()),
        ("ce_source", source_of("calls").encode()),
        ("ce_type", CallEventType.CONNECTED.encode()),
        ("ce_causationid", identifier.encode()),
    ]
    return OutgoingMessage("calls.events.v1", doctor_id.encode(), orjson.dumps(value, option=orjson.OPT_UTC_Z), headers)
