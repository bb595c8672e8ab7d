"""What calls shows of its state: in the compacted topic, and at the command line."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.calls.console import CONSOLE
from services.calls.states import STATES
from shared.codec.record import OutgoingMessage
from shared.console import Shown
from shared.database import transaction
from shared.messages.calls import CALLS_EVENTS, CallStatus, SessionState, TextSessionStatus
from shared.messages.fields import Modality
from shared.path.watchdog import Watchdog
from shared.settings import Settings
from shared.state_topic import StateTopics
from tests.calls_examples import (
    CALL,
    TEXT_SESSION,
    example_activity,
    example_connect,
    example_start,
    example_text_start,
    seconds,
)
from tests.examples import APPOINTMENT, DOCTOR, NOW, PATIENT
from tests.integration.calls.news import News
from tests.integration.worker import Log, Worker, value_of


@pytest.fixture
def topics(engine: AsyncEngine, watchdog: Watchdog) -> StateTopics:
    return StateTopics(STATES, service="calls", topic_prefix="test", engine=engine, watchdog=watchdog)


async def states_after(topics: StateTopics, messages: list[OutgoingMessage]) -> dict[str, SessionState]:
    events = [CALLS_EVENTS[value_of(message)["type"]].model_validate_json(message.value or b"") for message in messages]
    published = await topics.after(events)()
    for message in published:
        assert (message.topic, message.partition_key) == ("test.calls.sessions.v1", value_of(message)["doctor_id"].encode())
    return {(message.key or b"").decode(): SessionState.model_validate_json(message.value or b"") for message in published}


async def test_calls_and_text_sessions_are_published_as_they_stand(worker: Worker, topics: StateTopics) -> None:
    log = Log()
    messages = await worker.handle(
        log.append(example_start()),
        log.append(example_text_start(doctor_id="doctor-2", patient_id="patient-2")),
        log.append(example_connect(), at=NOW + seconds(5)),
        log.append(example_activity(doctor_id="doctor-2"), at=NOW + seconds(6)),
        log.append(example_connect()),
    )
    states = await states_after(topics, messages)
    assert states.keys() == {CALL, TEXT_SESSION}
    call, text = states[CALL], states[TEXT_SESSION]
    assert (call.modality, call.status, call.version, call.time) == (Modality.VIDEO, CallStatus.CONNECTED, 2, NOW + seconds(5))
    assert (call.connected_at, call.activated_at, call.doctor_activity_count) == (NOW + seconds(5), None, None)
    assert (text.modality, text.status, text.version) == (Modality.TEXT, TextSessionStatus.ACTIVE, 3)
    assert (text.connected_at, text.activated_at, text.doctor_activity_count) == (None, NOW + seconds(6), 1)


async def test_a_refusal_makes_no_record(worker: Worker, topics: StateTopics) -> None:
    assert await states_after(topics, await worker.handle(Log().append(example_connect()))) == {}


async def test_the_command_line_shows_calls_text_sessions_and_doctors(worker: Worker, engine: AsyncEngine) -> None:
    log, news = Log(), News()
    await worker.handle(news.append())
    await worker.handle(
        log.append(example_start(appointment_id=APPOINTMENT)),
        log.append(example_connect()),
        log.append(example_text_start(patient_id="patient-2")),
    )

    async def shown(kind: str, identifier: str) -> Shown | None:
        async with transaction(engine) as connection:
            return await CONSOLE.shows[kind](connection, identifier)

    async def fields(kind: str, identifier: str) -> dict[str, Any]:
        found = await shown(kind, identifier)
        assert found is not None
        return dict(found.fields)

    call = await fields("call", CALL)
    assert (call["status"], call["patient_id"]) == ("connected", PATIENT)
    assert await fields("session", CALL) == call | {"connected_seconds": pytest.approx(call["connected_seconds"], abs=60)}
    assert (await fields("session", TEXT_SESSION))["status"] == "waiting"
    assert await fields("appointment", APPOINTMENT) == {"doctor_came": True, "patient_came": True, "took_place": True}
    doctor = await shown("doctor", DOCTOR)
    assert doctor is not None
    assert [row["session_id"] for row in doctor.lists["sessions"]] == [CALL, TEXT_SESSION]
    for kind in ("call", "session", "appointment", "doctor"):
        assert await shown(kind, "nothing") is None
    assert await shown("call", TEXT_SESSION) is None


def test_the_sweeps_are_those_of_the_contract() -> None:
    names = ["calls-time-out", "sessions-time-out"]
    assert [sweep.name for sweep in CONSOLE.sweeps(Settings())] == [*names, "appointments-no-show"]
    assert [sweep.name for sweep in CONSOLE.sweeps(Settings(no_show_after_seconds=0))] == names
