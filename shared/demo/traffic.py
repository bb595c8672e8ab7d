"""A calm stream of people who book, confirm, refuse, call off and forget."""
# ruff: noqa: S311 - the people are random, not secret

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.client import CaremeshClient, CaremeshError, Message, Rejected
from shared.demo.stage import Cast, Stage, book, cancel, confirm, decline, described, slot
from shared.messages.booking import AppointmentCommand, AppointmentEvent, AppointmentEventType
from shared.messages.fields import Modality, parse_time

_DOCTORS: Final = 6
_PATIENTS: Final = 400
PASSERS_BY: Final = Cast(doctors=range(_DOCTORS), patients=range(_PATIENTS))
#: So many visits ask for the slots of one day before the next day's are asked for.
_VISITS_A_DAY: Final = 60
_DAYS: Final = 300
_SLOTS_A_DAY: Final = 16
_TAKEN_REMEMBERED: Final = 12
#: How often a patient asks for a slot that another one has just taken.
_SHARE_OF_TAKEN_SLOTS: Final = 0.2
_DOCTOR_THINKS_SECONDS: Final = (0.4, 1.6)
_FAILURE_PAUSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happened, for people.

    Attributes:
        action: what was asked for, or ``sweep`` for what time itself did.
        who: the parties.
        outcome: the last word of the event's type, or the refusal's code and reason.
        good: whether it is what was asked for.
        latency_milliseconds: from publication to outcome; for a sweep from the deadline.
    """

    at: datetime
    action: str
    who: str
    outcome: str
    good: bool
    latency_milliseconds: float


class Traffic:
    """Runs until cancelled."""

    def __init__(self, stage: Stage, on_step: Callable[[Step], None], *, pause_seconds: float) -> None:
        """Make it.

        Args:
            stage: where to play.
            on_step: is told of everything that happens.
            pause_seconds: between two visits, on average.
        """
        self._stage = stage
        self._on_step = on_step
        self._pause_seconds = pause_seconds
        self._taken: deque[tuple[str, datetime]] = deque(maxlen=_TAKEN_REMEMBERED)
        self._visits = 0

    async def run(self) -> None:
        """Send patients until cancelled. What goes wrong is shown, and goes on."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._visit())
                await asyncio.sleep(self._pause_seconds * random.uniform(0.5, 1.5))

    async def _visit(self) -> None:
        self._visits += 1
        client = random.choice((self._stage.web, self._stage.mobile))
        try:
            await self._ask(client)
        except CaremeshError as error:
            self._on_step(_step("request", "", f"no answer ({type(error).__name__})", good=False, latency_milliseconds=0))
            await asyncio.sleep(_FAILURE_PAUSE_SECONDS)

    async def _ask(self, client: CaremeshClient) -> None:
        patient_number = random.randrange(_PATIENTS)
        patient = self._stage.patient(patient_number)
        doctor, starts_at = self._choose()
        modality = random.choice([*Modality])
        appointment_id = await self._request(client, "book", book(doctor, patient, starts_at, modality), f"patient {patient_number}")
        if appointment_id is None:
            return
        self._taken.append((doctor, starts_at))
        await asyncio.sleep(random.uniform(*_DOCTOR_THINKS_SECONDS))
        who = f"doctor {doctor.rpartition('-')[2]}"
        match random.choices(("confirm", "decline", "cancel", "forget"), weights=(60, 12, 13, 15))[0]:
            case "confirm":
                await self._request(client, "confirm", confirm(doctor, appointment_id), who)
            case "decline":
                await self._request(client, "decline", decline(doctor, appointment_id), who)
            case "cancel":
                await self._request(client, "cancel", cancel(doctor, patient, appointment_id), f"patient {patient_number}")

    def _choose(self) -> tuple[str, datetime]:
        if self._taken and random.random() < _SHARE_OF_TAKEN_SLOTS:
            return random.choice(self._taken)
        day = self._visits // _VISITS_A_DAY % _DAYS
        return self._stage.doctor(random.randrange(_DOCTORS)), slot(day * _SLOTS_A_DAY + random.randrange(_SLOTS_A_DAY))

    async def _request(self, client: CaremeshClient, action: str, command: AppointmentCommand, who: str) -> str | None:
        """Ask for something, and tell what came of it; the appointment's id if it was not refused."""
        began = time.perf_counter()
        outcome = await client.request(command)
        latency_milliseconds = (time.perf_counter() - began) * 1000
        if action == "book":
            who = f"{who} → doctor {command.doctor_id.rpartition('-')[2]}, {event_slot(command)}"
        good = not isinstance(outcome, Rejected)
        self._on_step(_step(action, who, described(outcome), good=good, latency_milliseconds=latency_milliseconds))
        return outcome.appointment_id if isinstance(outcome, AppointmentEvent) else None


def step_of_sweep(message: Message, seen: set[str]) -> Step | None:
    """What time itself did, told once: an appointment that will soon expire, or that has."""
    if message.type not in {AppointmentEventType.EXPIRED, AppointmentEventType.EXPIRING} or message.headers["ce_id"] in seen:
        return None
    seen.add(message.headers["ce_id"])
    event = message.value
    who = f"patient {event['patient_id'].rpartition('-')[2]} → doctor {event['doctor_id'].rpartition('-')[2]}"
    late_seconds = time.time() - parse_time(event["time"]).timestamp()
    return _step("sweep", who, message.type.split(".")[2], good=True, latency_milliseconds=late_seconds * 1000)


def event_slot(command: AppointmentCommand) -> str:
    """When an appointment asked for would start, for people."""
    starts_at: datetime = command.starts_at  # type: ignore[attr-defined]  # only asked of a BookAppointment
    return f"{starts_at:%a %d %b %H:%M}"


def _step(action: str, who: str, outcome: str, *, good: bool, latency_milliseconds: float) -> Step:
    return Step(at=datetime.now(UTC), action=action, who=who, outcome=outcome, good=good, latency_milliseconds=latency_milliseconds)
