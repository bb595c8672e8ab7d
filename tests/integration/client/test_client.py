"""The client on a real Kafka: each outcome reaches the one who asked, whatever is lost, doubled or down."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import assert_never

import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from shared.client import (
    CaremeshClient,
    Listener,
    NoOutcomeError,
    NotPublishedError,
    Rejected,
    UnreachableError,
    UnreadableOutcomeError,
)
from shared.codec.record import OutgoingMessage
from shared.messages.booking import (
    AppointmentBooked,
    AppointmentConfirmed,
    AppointmentReason,
    AppointmentRejected,
    BookAppointment,
    ConfirmAppointment,
)
from shared.messages.fields import Actor, Modality, Role
from shared.settings import Settings
from shared.topics import create_topics, events_topic, partition_of
from tests.integration.client.answering import Service, answering, at_once, never
from tests.system.harness.waiting import until

TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


@pytest.fixture
async def mesh_settings(settings: Settings) -> Settings:
    settings = settings.model_copy(update={"topic_partitions": 4})
    await create_topics(settings)
    return settings


@pytest.fixture
async def service(mesh_settings: Settings) -> AsyncIterator[Service]:
    async with answering(mesh_settings) as service:
        yield service


@pytest.fixture
async def client(mesh_settings: Settings, service: Service) -> AsyncIterator[CaremeshClient]:
    assert service.answer is at_once
    async with CaremeshClient(mesh_settings, source="/tests/web") as client:
        yield client


def wish(doctor: str = "doctor-1", patient: str = "patient-1") -> BookAppointment:
    return BookAppointment(
        doctor_id=doctor,
        patient_id=patient,
        starts_at=TOMORROW,
        modality=Modality.VIDEO,
        actor=Actor(role=Role.PATIENT, id=patient),
    )


async def test_an_outcome_is_what_happened_or_why_it_did_not(client: CaremeshClient) -> None:
    match await client.request(wish()):
        case AppointmentBooked(doctor_id="doctor-1", patient_id="patient-1", starts_at=starts_at, appointment_id=appointment_id):
            assert starts_at == TOMORROW
        case other:
            raise AssertionError(other)
    match await client.request(wish(patient="patient-2")):
        case AppointmentRejected(reason=AppointmentReason.SLOT_ALREADY_BOOKED, status_code=409, conflict=conflict):
            assert conflict is not None
            assert conflict.appointment_id == appointment_id
        case other:
            raise AssertionError(other)
    doctor = Actor(role=Role.DOCTOR, id="doctor-1")
    outcome = await client.request(ConfirmAppointment(appointment_id=appointment_id, doctor_id="doctor-1", actor=doctor))
    # As mypy sees it, nothing else can come of it.
    match outcome:
        case AppointmentConfirmed():
            assert outcome.version == 2
        case Rejected():
            raise AssertionError(outcome)
        case _:
            assert_never(outcome)


async def test_ids_of_the_conversation_travel_with_the_command(client: CaremeshClient, service: Service) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    outcome = await client.request(wish(), identifier="asked-1", correlation_id="conversation-1", traceparent=trace)
    (received,) = service.copies("asked-1")
    assert (received.source, received.correlation_id, received.traceparent) == ("/tests/web", "conversation-1", trace)
    assert (outcome.decision.command.source, outcome.decision.command.id) == ("/tests/web", "asked-1")


async def test_without_an_answer_the_very_same_record_is_published_again(client: CaremeshClient, service: Service) -> None:
    def only_the_second(copy: int, events: Sequence[OutgoingMessage]) -> Sequence[OutgoingMessage]:
        return events if copy == 2 else ()

    service.answer = only_the_second
    outcome = await client.request(wish(), identifier="lost-1")
    assert isinstance(outcome, AppointmentBooked)
    first, second = (received.record for received in service.copies("lost-1"))
    assert (first.key, first.value, first.headers) == (second.key, second.value, second.headers)


async def test_copies_of_an_outcome_and_what_else_was_decided_are_not_taken_for_it(client: CaremeshClient, service: Service) -> None:
    def noisy(_copy: int, events: Sequence[OutgoingMessage]) -> Sequence[OutgoingMessage]:
        (outcome,) = events
        return [
            changed(outcome, index=1),
            changed(outcome, command={"source": "/tests/other", "id": "mine", "type": "booking.appointment.book.v1"}),
            changed(outcome, command={"source": "/tests/web", "id": "mine", "type": "booking.appointment.confirm.v1"}),
            outcome._replace(value=b"no JSON"),
            outcome._replace(value=b"[]"),
            outcome._replace(value=None),
            outcome,
            outcome,
            outcome,
        ]

    service.answer = noisy
    outcome = await client.request(wish(), identifier="mine")
    assert outcome.decision.index == 0
    assert outcome.decision.command.id == "mine"
    assert await client.request(wish(), identifier="mine") == outcome


async def test_who_asks_again_gets_the_outcome_that_was_decided_also_in_another_process(
    mesh_settings: Settings, service: Service, client: CaremeshClient
) -> None:
    service.answer = never
    with pytest.raises(NoOutcomeError, match="ask again with the same command and identifier='asked-2'") as raised:
        await client.request(wish(), identifier="asked-2", timeout_seconds=0.5)
    assert raised.value.identifier == "asked-2"
    await until(lambda: bool(service.copies("asked-2")), "it was published")
    service.answer = at_once
    outcome = await client.request(wish(), identifier="asked-2")
    async with CaremeshClient(mesh_settings, source="/tests/web") as another:
        assert await another.request(wish(), identifier="asked-2") == outcome
    # Another service's id of the same name is another command.
    async with CaremeshClient(mesh_settings, source="/tests/other") as other:
        refused = await other.request(wish(), identifier="asked-2")
        assert isinstance(refused, AppointmentRejected)
        assert refused.reason == "slot_already_booked"


async def test_an_id_that_was_not_given_is_in_the_error(client: CaremeshClient, service: Service) -> None:
    service.answer = never
    with pytest.raises(NoOutcomeError) as raised:
        await client.request(wish(), timeout_seconds=0.5)
    await until(lambda: bool(service.copies(raised.value.identifier)), "it was published")


async def test_two_hundred_requests_at_once_share_one_listener_and_each_gets_its_own_outcome(
    mesh_settings: Settings, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    listeners: list[Listener] = []
    enter = Listener.__aenter__

    async def counted(self: Listener) -> Listener:
        listeners.append(self)
        return await enter(self)

    monkeypatch.setattr(Listener, "__aenter__", counted)
    async with CaremeshClient(mesh_settings, source="/tests/web") as one, CaremeshClient(mesh_settings, source="/tests/mobile") as two:
        asked = [
            (one, two)[number % 2].request(wish(f"doctor-{number}", f"patient-{number}"), identifier=f"c{number}") for number in range(200)
        ]
        outcomes = await asyncio.gather(*asked)
    for number, outcome in enumerate(outcomes):
        assert isinstance(outcome, AppointmentBooked)
        assert (outcome.doctor_id, outcome.decision.command.id) == (f"doctor-{number}", f"c{number}")
        assert outcome.decision.command.source == ("/tests/web", "/tests/mobile")[number % 2]
    assert len(listeners) == 2
    assert len(service.received) == 200


async def test_requests_with_one_id_get_one_outcome_and_another_content_is_refused_at_once(
    client: CaremeshClient, service: Service
) -> None:
    service.answer = never
    same = [asyncio.create_task(client.request(wish(), identifier="same")) for _ in range(5)]
    await until(lambda: len(service.copies("same")) >= 5, "all have asked")
    with pytest.raises(ValueError, match="an id belongs to one command"):
        await client.request(wish(patient="patient-2"), identifier="same")
    service.answer = at_once
    outcomes = await asyncio.gather(*same)
    assert len({outcome.id for outcome in outcomes}) == 1


async def test_further_requests_wait_for_their_turn_and_are_not_published_before(mesh_settings: Settings, service: Service) -> None:
    service.answer = never
    async with CaremeshClient(mesh_settings, source="/tests/web", max_waiting=1) as client:
        first = asyncio.create_task(client.request(wish(), identifier="first"))
        await until(lambda: bool(service.copies("first")), "the first was published")
        with pytest.raises(NotPublishedError, match=r"second was not published within 0\.3 seconds"):
            await client.request(wish("doctor-2"), identifier="second", timeout_seconds=0.3)
        service.answer = at_once
        await first
        await client.request(wish("doctor-2"), identifier="third")
    assert not service.copies("second")


async def test_closing_answers_who_still_waits(mesh_settings: Settings, service: Service) -> None:
    service.answer = never
    async with CaremeshClient(mesh_settings, source="/tests/web") as client:
        waiting = asyncio.create_task(client.request(wish(), identifier="late"))
        await until(lambda: bool(service.copies("late")), "it was published")
    with pytest.raises(NoOutcomeError, match=r"closed before booking\.appointment\.book\.v1 late was answered\. It may still be decided"):
        await waiting
    with pytest.raises(NotPublishedError, match="not open"):
        await client.request(wish())


async def test_outcomes_on_partitions_that_were_added_later_are_heard(
    mesh_settings: Settings, service: Service, client: CaremeshClient
) -> None:
    assert isinstance(await client.request(wish("doctor-0")), AppointmentBooked)
    topic = events_topic(mesh_settings.topic_prefix, "booking")
    admin = AIOKafkaAdminClient(bootstrap_servers=mesh_settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(total_count=8)})
    finally:
        await admin.close()
    service.answer = lambda _copy, events: [event._replace(partition=7) for event in events]
    assert isinstance(await client.request(wish("doctor-1", "patient-2")), AppointmentBooked)
    # What lies on the old ones is heard as before.
    service.answer = at_once
    assert isinstance(await client.request(wish("doctor-2", "patient-3")), AppointmentBooked)


async def test_an_outcome_that_cannot_be_read_is_no_time_out(client: CaremeshClient, service: Service) -> None:
    service.answer = lambda _copy, events: [changed(event, status="teleported") for event in events]
    with pytest.raises(UnreadableOutcomeError, match=r"was decided, .* status: .*Upgrade caremesh") as raised:
        await client.request(wish())
    assert raised.value.event["status"] == "teleported"


async def test_a_reason_of_tomorrow_is_a_refusal_today(client: CaremeshClient, service: Service) -> None:
    await client.request(wish())
    service.answer = lambda _copy, events: [changed(event, reason="doctor_on_the_moon") for event in events]
    outcome = await client.request(wish(patient="patient-2"))
    assert isinstance(outcome, AppointmentRejected)
    assert (outcome.reason, outcome.status_code) == ("doctor_on_the_moon", 409)


async def test_without_topics_nothing_is_published(settings: Settings) -> None:
    async with CaremeshClient(settings, source="/tests/web") as client:
        with pytest.raises(NotPublishedError, match="caremesh topics create"):
            await client.request(wish())


async def test_without_a_broker_the_client_does_not_open() -> None:
    client = CaremeshClient(Settings(kafka_bootstrap_servers="127.0.0.1:1"), source="/tests/web")
    with pytest.raises(UnreachableError, match=r"Kafka at 127\.0\.0\.1:1 is not to be reached"):
        await client.__aenter__()


def changed(message: OutgoingMessage, **fields: object) -> OutgoingMessage:
    """The event with other fields in its value, or in its decision."""
    assert message.value is not None
    value = orjson.loads(message.value)
    decision = {name: fields.pop(name) for name in ("index", "command") if name in fields}
    return message._replace(value=orjson.dumps(value | fields | {"decision": value["decision"] | decision}))


def test_the_examples_lie_on_several_partitions() -> None:
    assert len({partition_of(f"doctor-{number}".encode(), 4) for number in range(200)}) == 4
