"""What the sweeps of booking find: everything that waits for an answer, by its deadline, and nothing else."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from services.booking.domain.appointment import Rules
from services.booking.sweeps import sweeps
from shared.messages.booking import AppointmentStatus
from shared.sweeps import Due
from tests.examples import (
    MILLISECOND,
    NOW,
    START,
    example_acceptance,
    example_booking,
    example_confirm,
    example_import,
    example_proposal,
    example_rejection,
    example_warning,
    hours,
    minutes,
)
from tests.integration.worker import Log, Worker

EXPIRE, WARN = sweeps(Rules())
LIMIT = NOW + hours(24)


async def due(engine: AsyncEngine, until: datetime, *, warned: bool = False) -> list[tuple[str, int, datetime]]:
    async with engine.connect() as connection:
        found: list[Due] = [*await (WARN if warned else EXPIRE).find(connection, until, None)]
    return [(one.entity_id, one.version, one.deadline) for one in found]


async def test_pending_and_proposed_ones_fall_due_and_confirmed_ones_do_not(worker: Worker, engine: AsyncEngine) -> None:
    log = Log()
    records = [
        log.append(example_booking(appointment_id="pending")),
        log.append(example_booking(appointment_id="proposed", starts_at=START + hours(1))),
        log.append(example_proposal(appointment_id="proposed", starts_at=NOW + hours(5))),
        log.append(example_booking(appointment_id="confirmed", starts_at=START + hours(2))),
        log.append(example_confirm(appointment_id="confirmed")),
        log.append(example_booking(appointment_id="moved", starts_at=START + hours(3))),
        log.append(example_proposal(appointment_id="moved", starts_at=START + hours(4))),
        log.append(example_acceptance(appointment_id="moved")),
    ]
    await worker.handle(*records)
    assert await due(engine, START + hours(99)) == [("proposed", 2, NOW + hours(5)), ("pending", 1, LIMIT)]
    assert await due(engine, NOW + hours(5)) == [("proposed", 2, NOW + hours(5))]
    assert await due(engine, NOW + hours(5) - MILLISECOND) == []


async def test_what_is_pending_again_falls_due_by_its_new_limit(worker: Worker, engine: AsyncEngine) -> None:
    log = Log()
    await worker.handle(
        log.append(example_booking()),
        log.append(example_proposal(), at=NOW + minutes(30)),
        log.append(example_rejection(), at=NOW + hours(1)),
    )
    assert await due(engine, START) == [("apt-1", 3, LIMIT + hours(1))]


async def test_of_pending_ones_alone_it_is_warned_once_and_once_again_when_they_wait_anew(worker: Worker, engine: AsyncEngine) -> None:
    log = Log()
    in_time = LIMIT - Rules().expiry_warning
    await worker.handle(log.append(example_booking()))
    assert await due(engine, START, warned=True) == [("apt-1", 1, in_time)]
    await worker.handle(log.append(example_warning(), at=in_time))
    assert await due(engine, START, warned=True) == []
    await worker.handle(log.append(example_proposal(), at=in_time))
    assert await due(engine, START, warned=True) == []
    await worker.handle(log.append(example_rejection(), at=in_time + minutes(1)))
    assert await due(engine, START, warned=True) == [("apt-1", 3, START - Rules().expiry_warning)]


async def test_what_was_imported_too_late_falls_due_at_once(worker: Worker, engine: AsyncEngine) -> None:
    log = Log()
    statuses = (AppointmentStatus.PENDING, AppointmentStatus.CONFIRMED, AppointmentStatus.RESCHEDULE_PROPOSED)
    for number, status in enumerate(statuses):
        starts_at = NOW - timedelta(days=number + 1)
        await worker.handle(log.append(example_import(appointment_id=status, starts_at=starts_at, status=status)))
    assert await due(engine, NOW) == [("pending", 1, NOW), ("reschedule_proposed", 1, NOW)]
