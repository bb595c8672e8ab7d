"""What falls due, asked of a real database."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.calls.sweeps import sweeps
from shared.messages.booking import AppointmentStatus, MarkNoShow
from shared.messages.fields import Modality
from shared.sweeps import Due
from tests.calls_examples import (
    example_activity,
    example_connect,
    example_disconnect,
    example_end,
    example_start,
    example_text_start,
    example_time_out,
    seconds,
)
from tests.examples import NOW, doctor, minutes
from tests.integration.calls.news import News
from tests.integration.worker import Log, Worker

NO_SHOW_AFTER = timedelta(minutes=10)
CALLS, TEXT_SESSIONS, NO_SHOWS = sweeps(NO_SHOW_AFTER)


@pytest.fixture
async def looking(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A sweep's connection."""
    async with engine.connect() as connection:
        yield connection


def names(dues: object) -> list[str]:
    assert isinstance(dues, list)
    return [due.entity_id for due in dues]


async def test_calls_and_text_sessions_fall_due_in_the_order_of_their_deadlines(worker: Worker, looking: AsyncConnection) -> None:
    log = Log()
    for number in range(4):
        parties: dict[str, Any] = {"doctor_id": f"doctor-{number}", "patient_id": f"patient-{number}"}
        await worker.handle(log.append(example_start(call_id=f"call-{number}", **parties), at=NOW + seconds(number)))
        others: dict[str, Any] = {"doctor_id": f"doctor-{number}", "patient_id": f"other-{number}"}
        await worker.handle(log.append(example_text_start(session_id=f"text-{number}", **others), at=NOW + seconds(number)))
    await worker.handle(log.append(example_connect(call_id="call-1", doctor_id="doctor-1"), at=NOW + seconds(10)))
    await worker.handle(log.append(example_connect(call_id="call-2", doctor_id="doctor-2"), at=NOW + seconds(10)))
    lost = example_disconnect(call_id="call-2", doctor_id="doctor-2", actor=doctor("doctor-2"))
    await worker.handle(log.append(lost, at=NOW + seconds(20)))
    dues = list(await CALLS.find(looking, NOW + minutes(9), None))
    assert [(due.entity_id, due.version, due.deadline) for due in dues] == [
        ("call-2", 3, NOW + seconds(80)),
        ("call-0", 1, NOW + seconds(90)),
        ("call-3", 1, NOW + seconds(93)),
    ]
    assert names(await CALLS.find(looking, NOW + seconds(90), None)) == ["call-2", "call-0"]
    assert names(await CALLS.find(looking, NOW + minutes(9), (dues[0].deadline, "call-2"))) == ["call-0", "call-3"]
    assert names(await TEXT_SESSIONS.find(looking, NOW + minutes(5) + seconds(1), None)) == ["text-0", "text-1"]


async def test_what_was_decided_is_not_due_any_more(worker: Worker, looking: AsyncConnection) -> None:
    log = Log()
    await worker.handle(log.append(example_start()))
    (due,) = await CALLS.find(looking, NOW + minutes(9), None)
    await worker.handle(log.append(due.command, at=due.deadline + seconds(1)))
    assert await CALLS.find(looking, NOW + minutes(9), None) == []


async def missed(looking: AsyncConnection, *, at: timedelta) -> dict[str, str]:
    dues: list[Due] = list(await NO_SHOWS.find(looking, NOW + at, None))
    commands = [due.command for due in dues]
    assert all(due.deadline == NOW + NO_SHOW_AFTER for due in dues)
    return {command.appointment_id: command.absent for command in commands if isinstance(command, MarkNoShow)}


async def test_a_confirmed_appointment_is_missed_ten_minutes_after_its_start(worker: Worker, looking: AsyncConnection) -> None:
    news = News()
    statuses = [status for status in AppointmentStatus if status is not AppointmentStatus.CONFIRMED]
    await worker.handle(*(news.append(appointment_id=status, status=status, identifier=status) for status in statuses))
    await worker.handle(news.append(appointment_id="confirmed", identifier="confirmed"))
    assert await missed(looking, at=NO_SHOW_AFTER - seconds(1)) == {}
    assert await missed(looking, at=NO_SHOW_AFTER) == {"confirmed": "both"}


async def test_the_absent_side_never_came_and_a_call_that_rings_is_waited_for(worker: Worker, looking: AsyncConnection) -> None:
    log, news = Log(), News()
    for kind in ("patient-rang", "doctor-rang", "both-rang", "met", "rings"):
        await worker.handle(news.append(appointment_id=kind, doctor_id=f"doctor-{kind}", patient_id=f"patient-{kind}", identifier=kind))

    async def ring(kind: str, number: int = 0, *, by_doctor: bool = False) -> None:
        parties: dict[str, Any] = {"doctor_id": f"doctor-{kind}", "patient_id": f"patient-{kind}"}
        actor = doctor(parties["doctor_id"]) if by_doctor else None
        start = example_start(call_id=f"{kind}-{number}", appointment_id=kind, actor=actor, **parties)
        assert await worker.outcomes(log.append(start, at=NOW + minutes(2 * number))) == ["started"]

    async def fail(kind: str, number: int = 0) -> None:
        time_out = example_time_out(call_id=f"{kind}-{number}", doctor_id=f"doctor-{kind}")
        assert await worker.outcomes(log.append(time_out, at=NOW + minutes(2 * number) + seconds(91))) == ["failed"]

    await ring("patient-rang")
    await fail("patient-rang")
    await ring("doctor-rang", by_doctor=True)
    await fail("doctor-rang")
    await ring("both-rang")
    await fail("both-rang")
    await ring("both-rang", 1, by_doctor=True)
    await fail("both-rang", 1)
    await ring("met")
    await worker.handle(log.append(example_connect(call_id="met-0", doctor_id="doctor-met")))
    await worker.handle(log.append(example_end(call_id="met-0", doctor_id="doctor-met", actor=doctor("doctor-met"))))
    await ring("rings")
    assert await missed(looking, at=minutes(11)) == {"patient-rang": "doctor", "doctor-rang": "patient"}
    await fail("rings")
    assert await missed(looking, at=minutes(11)) == {"patient-rang": "doctor", "doctor-rang": "patient", "rings": "doctor"}


async def test_an_answered_text_session_is_a_meeting(worker: Worker, looking: AsyncConnection) -> None:
    log, news = Log(), News()
    await worker.handle(news.append(modality=Modality.TEXT))
    await worker.handle(log.append(example_text_start(appointment_id="apt-1")))
    assert await missed(looking, at=minutes(11)) == {}
    await worker.handle(log.append(example_activity()))
    assert await missed(looking, at=minutes(11)) == {}


async def test_an_appointment_that_booking_marked_is_not_missed_again(worker: Worker, looking: AsyncConnection) -> None:
    news = News()
    await worker.handle(news.append())
    await worker.handle(news.append(status=AppointmentStatus.NO_SHOW, version=3, identifier="event-2"))
    assert await missed(looking, at=minutes(11)) == {}
