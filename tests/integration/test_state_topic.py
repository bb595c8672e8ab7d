"""The state topic: what lies in it is what the rows say, whatever events lead there."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.booking.states import STATES
from shared.codec.record import OutgoingMessage
from shared.database import Connection, fetch
from shared.messages.booking import BOOKING_EVENTS, AppointmentState
from shared.messages.fields import EventData
from shared.path.errors import FatalError
from shared.path.watchdog import Watchdog
from shared.state_topic import State, StateTopic, StateTopics
from tests.examples import (
    APPOINTMENT,
    DOCTOR,
    NOW,
    OTHER_START,
    START,
    example_acceptance,
    example_block,
    example_booking,
    example_cancel,
    example_confirm,
    example_proposal,
    example_warning,
    hours,
)
from tests.integration.worker import Log, Worker, headers_of, value_of

MakeTopics = Callable[..., StateTopics]


@pytest.fixture
def make_topics(engine: AsyncEngine, watchdog: Watchdog) -> MakeTopics:
    def make(*topics: StateTopic) -> StateTopics:
        return StateTopics(topics or STATES, service="booking", topic_prefix="test", engine=engine, watchdog=watchdog)

    return make


@pytest.fixture
def topics(make_topics: MakeTopics) -> StateTopics:
    return make_topics()


def events_of(messages: Sequence[OutgoingMessage]) -> list[EventData]:
    return [BOOKING_EVENTS[value_of(message)["type"]].model_validate_json(message.value or b"") for message in messages]


def standing(messages: Sequence[OutgoingMessage]) -> list[tuple[str, str, int]]:
    """Which appointments stand where, with their versions."""
    return sorted((message.key.decode(), value_of(message)["status"], value_of(message)["version"]) for message in messages if message.key)


async def test_an_appointment_is_published_as_it_stands_on_its_doctors_partition(worker: Worker, topics: StateTopics) -> None:
    log = Log()
    await worker.handle(log.append(example_booking()))
    messages = await worker.handle(log.append(example_proposal(), at=NOW + hours(1)))
    unpublished = topics.after(events_of(messages))
    [message] = await unpublished()
    assert (message.topic, message.key, message.partition_key) == ("test.booking.appointments.v1", APPOINTMENT.encode(), DOCTOR.encode())
    state = AppointmentState.model_validate_json(message.value or b"")
    assert (state.appointment_id, state.version, state.time) == (APPOINTMENT, 2, NOW + hours(1))
    assert (state.starts_at, state.proposed_starts_at, state.status) == (START, OTHER_START, "reschedule_proposed")
    event, headers = value_of(messages[0]), headers_of(message)
    assert value_of(message) == {name: value for name, value in event.items() if name != "decision"} | {
        "type": "booking.appointment.state.v1",
        "id": headers["ce_id"],
    }
    assert headers == {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": headers["ce_id"],
        "ce_source": "/caremesh/booking",
        "ce_type": "booking.appointment.state.v1",
        "ce_time": event["time"],
        "ce_partitionkey": DOCTOR,
        "ce_subject": APPOINTMENT,
    }
    assert await unpublished() == []


async def test_an_event_of_long_ago_makes_no_stale_record(worker: Worker, topics: StateTopics) -> None:
    log = Log()
    old = await worker.handle(log.append(example_booking()))
    await worker.handle(log.append(example_confirm()))
    assert standing(await topics.after(events_of(old))()) == [(APPOINTMENT, "confirmed", 2)]


async def test_the_same_state_has_the_same_record_whoever_publishes_it(worker: Worker, make_topics: MakeTopics) -> None:
    events = events_of(await worker.handle(Log().append(example_booking())))
    assert await make_topics().after(events)() == await make_topics().after(events * 2)()


async def test_several_changes_of_one_appointment_in_a_batch_are_one_record(worker: Worker, topics: StateTopics) -> None:
    log = Log()
    records = [log.append(example_booking()), log.append(example_proposal()), log.append(example_acceptance())]
    assert standing(await topics.after(events_of(await worker.handle(*records)))()) == [(APPOINTMENT, "confirmed", 3)]


async def test_what_changes_while_it_is_published_is_published_again(worker: Worker, topics: StateTopics) -> None:
    log = Log()
    records = [
        log.append(example_booking()),
        log.append(example_booking(appointment_id="other", patient_id="another", starts_at=START + hours(1))),
    ]
    unpublished = topics.after(events_of(await worker.handle(*records)))
    assert standing(await unpublished()) == [(APPOINTMENT, "pending", 1), ("other", "pending", 1)]
    # Another worker has published the newer state by now, perhaps before the older one of this worker.
    await worker.handle(log.append(example_confirm()))
    assert standing(await unpublished()) == [(APPOINTMENT, "confirmed", 2)]
    await worker.handle(log.append(example_cancel()))
    assert standing(await unpublished()) == [(APPOINTMENT, "cancelled", 3)]
    assert await unpublished() == []


async def test_what_changes_nothing_that_is_published_leads_to_no_record(worker: Worker, topics: StateTopics) -> None:
    log = Log()
    await worker.handle(log.append(example_booking()))
    messages = await worker.handle(
        log.append(example_booking()),
        log.append(example_warning(), at=NOW + hours(23)),
        log.append(example_block(doctor_id="another")),
    )
    assert [value_of(message)["type"].split(".")[2] for message in messages] == ["rejected", "expiring", "blocked"]
    assert await topics.after(events_of(messages))() == []


async def test_what_does_not_exist_has_no_state(worker: Worker, topics: StateTopics, connection: Any) -> None:
    events = events_of(await worker.handle(Log().append(example_booking())))
    await connection.execute("DELETE FROM appointments")
    assert await topics.after(events)() == []


async def test_a_database_that_is_away_for_a_moment_is_asked_again(worker: Worker, make_topics: MakeTopics) -> None:
    [appointments] = STATES
    attempts = []

    async def read(connection: Connection, ids: Collection[str]) -> Sequence[State]:
        attempts.append(ids)
        if len(attempts) < 3:
            connection.terminate()
        return await appointments.read(connection, ids)

    events = events_of(await worker.handle(Log().append(example_booking())))
    assert standing(await make_topics(replace(appointments, read=read)).after(events)()) == [(APPOINTMENT, "pending", 1)]
    assert len(attempts) == 3


async def test_a_schema_that_is_not_there_ends_the_process_with_a_sentence(worker: Worker, make_topics: MakeTopics) -> None:
    [appointments] = STATES

    async def read(connection: Connection, _: Collection[str]) -> Sequence[State]:
        await fetch(connection, text("SELECT * FROM nothing"), {})
        return []

    events = events_of(await worker.handle(Log().append(example_booking())))
    with pytest.raises(FatalError, match="caremesh migrate"):
        await make_topics(replace(appointments, read=read)).after(events)()
