"""Where the demonstration plays: connections to one mesh, invented people, and an ear on its topics."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Self, TypeVar

from shared.client import CaremeshClient, Listener, Message, Rejected
from shared.demo.findings import promise
from shared.demo.post import Mailbox, Notice, Receipt, receipts_of, register
from shared.messages.billing import ActivateSubscription, Units
from shared.messages.booking import BookAppointment, CancelAppointment, ConfirmAppointment, DeclineAppointment
from shared.messages.fields import Actor, EventData, Modality, Role
from shared.messages.notify import NotifyEventType
from shared.settings import Settings
from shared.topics import commands_topic, events_topic, partition_of

WEB: Final = "/demo/web"
_HEARD_SERVICES: Final = ("booking", "calls", "billing", "notify")
_HEARD_MAXIMUM: Final = 50_000
_LOOK_SECONDS: Final = 0.02
_FIRST_HOUR: Final = 8
_SLOTS_A_DAY: Final = 16
_SLOT: Final = timedelta(minutes=30)
_SUBSCRIPTION: Final = timedelta(days=30)

Event = TypeVar("Event", bound=EventData)


class Cast(NamedTuple):
    """The names of invented people."""

    doctors: Sequence[int | str] = ()
    patients: Sequence[int | str] = ()


class Stage:
    """Use it as ``async with``. Each stage invents people of its own, so that earlier plays on the same mesh are not in the way."""

    def __init__(self, settings: Settings) -> None:
        """Make it; nothing is connected yet."""
        self.settings = settings
        self.run_id = f"{random.getrandbits(24):06x}"
        #: Two publishers with connections of their own, as two other services would be.
        self.web = CaremeshClient(settings, source=WEB)
        self.mobile = CaremeshClient(settings, source="/demo/mobile")
        self.heard: deque[Message] = deque(maxlen=_HEARD_MAXIMUM)
        self.mailbox = Mailbox(settings)
        #: What scenarios have seen people be told.
        self.notices: list[Notice] = []
        #: What has become of these, once somebody has looked.
        self.receipts: Sequence[Receipt] = ()
        #: Is told of every message that is heard.
        self.on_message: Callable[[Message], None] = lambda _message: None
        prefix = settings.topic_prefix
        topics = [events_topic(prefix, service) for service in _HEARD_SERVICES]
        self._listener = Listener(settings, [*topics, commands_topic(prefix, "notify")], self._hear)
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            aiokafka.errors.KafkaError: no broker is to be reached, or the topics are not there.
        """
        try:
            for resource in (self._listener, self.web, self.mobile):
                await self._resources.enter_async_context(resource)
        except BaseException:
            await self._resources.aclose()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Disconnect."""
        await self._resources.aclose()

    def _hear(self, message: Message) -> None:
        self.heard.append(message)
        self.on_message(message)

    async def until(self, condition: Callable[[], object], *, seconds: float) -> bool:
        """Wait for a condition, but no longer than this; whether it came true."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    def copies_of(self, event_id: str) -> Sequence[Message]:
        """The event with this id, as often as it was published."""
        return [message for message in self.heard if message.headers.get("ce_id") == event_id]

    def events_of(self, entity_id: str, event_type: str) -> Sequence[Message]:
        """The events of one type about one entity, copies included."""
        return [message for message in self.heard if message.type == event_type and message.headers.get("ce_subject") == entity_id]

    async def introduce(self, *casts: Cast) -> None:
        """Make known where people are to be reached.

        Raises:
            CannotPlayError: notify does not take their addresses.
        """
        doctors = [self.doctor(name) for cast in casts for name in cast.doctors]
        patients = [self.patient(name) for cast in casts for name in cast.patients]
        await register(self.settings, [*doctors, *patients])

    async def look_for_receipts(self) -> Sequence[Receipt]:
        """What has become of the notices that scenarios have seen."""
        self.receipts = await receipts_of(self.notices, self.settings, self.mailbox)
        return self.receipts

    def channels_told(self, notification_id: str) -> set[str]:
        """The channels by which a notification is published as sent."""
        return {
            message.value["channel"]
            for message in self.heard
            if message.type == NotifyEventType.SENT and message.value["notification_id"] == notification_id
        }

    async def grant(self, patient_id: str, **units: int) -> None:
        """Give a patient units, such as ``video=1``.

        Raises:
            BrokenPromiseError: billing refuses.
        """
        command = ActivateSubscription(
            patient_id=patient_id,
            units=Units(**units),
            currency="MWK",
            ends_at=datetime.now(UTC) + _SUBSCRIPTION,
            actor=Actor(role=Role.SYSTEM, id="payments"),
        )
        outcome = await self.web.request(command)
        promise(not isinstance(outcome, Rejected), f"the grant of units came to {described(outcome)}")

    def requests_about(self, entity_id: str, template: str, recipient_id: str) -> Sequence[Message]:
        """The notification requests with this template to this person about one entity, copies included."""
        return [
            message
            for message in self.heard
            if message.value.get("template") == template
            and message.value.get("recipient_id") == recipient_id
            and message.value.get("about", {}).get("entity_id") == entity_id
        ]

    def doctor(self, name: int | str) -> str:
        """The id of an invented doctor."""
        return f"doctor-{self.run_id}-{name}"

    def patient(self, name: int | str) -> str:
        """The id of an invented patient."""
        return f"patient-{self.run_id}-{name}"

    def partition(self, key: str) -> int:
        """The partition of a doctor's commands, if the topics have as many as the settings say."""
        return partition_of(key.encode(), self.settings.topic_partitions)


def slot(number: int) -> datetime:
    """The n-th half hour of the working days to come, from tomorrow 08:00 UTC on."""
    day, in_day = divmod(number, _SLOTS_A_DAY)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1 + day, hours=_FIRST_HOUR) + in_day * _SLOT


def book(doctor_id: str, patient_id: str, starts_at: datetime, modality: Modality = Modality.VIDEO) -> BookAppointment:
    """A patient asks for half an hour of a doctor."""
    return BookAppointment(
        doctor_id=doctor_id,
        patient_id=patient_id,
        starts_at=starts_at,
        modality=modality,
        actor=by_patient(patient_id),
    )


def confirm(doctor_id: str, appointment_id: str) -> ConfirmAppointment:
    """The doctor takes it."""
    return ConfirmAppointment(doctor_id=doctor_id, appointment_id=appointment_id, actor=by_doctor(doctor_id))


def decline(doctor_id: str, appointment_id: str) -> DeclineAppointment:
    """The doctor turns it down."""
    return DeclineAppointment(doctor_id=doctor_id, appointment_id=appointment_id, actor=by_doctor(doctor_id))


def cancel(doctor_id: str, patient_id: str, appointment_id: str) -> CancelAppointment:
    """The patient calls it off."""
    return CancelAppointment(doctor_id=doctor_id, appointment_id=appointment_id, actor=by_patient(patient_id))


def by_patient(patient_id: str) -> Actor:
    """A patient acts."""
    return Actor(role=Role.PATIENT, id=patient_id)


def by_doctor(doctor_id: str) -> Actor:
    """A doctor acts."""
    return Actor(role=Role.DOCTOR, id=doctor_id)


def event_as(model: type[Event], message: Message) -> Event:
    """What was heard, read by its model."""
    return model.model_validate_json(message.raw)


def described(outcome: EventData) -> str:
    """An outcome for people: the last word of its type, or the refusal's code and reason."""
    if isinstance(outcome, Rejected):
        return f"{outcome.status_code} {outcome.reason}"
    return outcome.type.split(".")[2]
