"""Races for one time, between workers that do not share an order: whoever is second learns of it, whatever each of them asked for."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from shared.messages.booking import AppointmentStatus, BookingCommand
from shared.settings import Settings
from tests.examples import (
    MILLISECOND,
    NOW,
    OTHER_START,
    START,
    doctor,
    example_acceptance,
    example_block,
    example_booking,
    example_cancel,
    example_expire,
    example_import,
    example_proposal,
    example_withdrawal,
    hours,
    minutes,
)
from tests.integration.conftest import MakeWorker
from tests.integration.races import meeting_before_they_write
from tests.integration.worker import Log

Connection = Any  # asyncpg's own is generic for type checkers alone

#: Reaches into the other one, but does not start with it: the unique indexes do not see it.
OVERLAPPING = OTHER_START + minutes(15)
ANOTHERS = example_booking(appointment_id="booked", patient_id="another", starts_at=OVERLAPPING)


async def race(make_worker: MakeWorker, settings: Settings, *commands: BookingCommand, at: datetime = NOW) -> list[str]:
    """Decide each command by a worker of its own, from a partition of its own; they read at the same time if locks let them."""
    service = meeting_before_they_write(settings, len(commands))
    records = [Log(partition=9 + number).append(command, at=at) for number, command in enumerate(commands)]
    outcomes = await asyncio.gather(*(make_worker(service=service).outcomes(record) for record in records))
    return [outcome for [outcome] in outcomes]


async def held(connection: Connection) -> list[tuple[datetime, datetime]]:
    """Every time that is held, and blocked, of one doctor or patient."""
    rows = await connection.fetch(
        """
        SELECT starts_at, ends_at FROM appointments WHERE status IN ('pending', 'confirmed', 'reschedule_proposed')
        UNION ALL SELECT proposed_starts_at, proposed_starts_at + (ends_at - starts_at) FROM appointments WHERE proposed_starts_at IS NOT NULL
        UNION ALL SELECT starts_at, ends_at FROM time_off WHERE status = 'blocked'
        ORDER BY 1
        """
    )
    return list(map(tuple, rows))


async def nothing_overlaps(connection: Connection) -> bool:
    times = await held(connection)
    return all(one[1] <= other[0] for one, other in pairwise(times))


@pytest.mark.parametrize("turn", range(3))
async def test_a_time_is_proposed_or_booked(
    turn: int, make_worker: MakeWorker, database_settings: Settings, connection: Connection
) -> None:
    await make_worker().outcomes(Log(partition=turn).append(example_import()))
    outcomes = await race(make_worker, database_settings, example_proposal(), ANOTHERS)
    assert outcomes in (["reschedule_proposed", "slot_already_booked"], ["slot_already_booked", "booked"])
    assert await nothing_overlaps(connection)


@pytest.mark.parametrize("turn", range(3))
async def test_a_patients_time_is_proposed_by_one_doctor_or_booked_with_another(
    turn: int, make_worker: MakeWorker, database_settings: Settings, connection: Connection
) -> None:
    await make_worker().outcomes(Log(partition=turn).append(example_import()))
    elsewhere = example_booking(appointment_id="booked", doctor_id="another", starts_at=OVERLAPPING)
    outcomes = await race(make_worker, database_settings, example_proposal(), elsewhere)
    assert outcomes in (["reschedule_proposed", "patient_already_booked"], ["patient_already_booked", "booked"])
    assert await nothing_overlaps(connection)


async def test_one_patients_time_is_proposed_by_one_of_two_doctors(
    make_worker: MakeWorker, database_settings: Settings, connection: Connection
) -> None:
    other = example_import(appointment_id="other", doctor_id="another", starts_at=START + hours(1))
    await make_worker().outcomes(*(Log().append(command) for command in (example_import(),)))
    await make_worker().outcomes(Log(partition=1).append(other))
    second = example_proposal(appointment_id="other", doctor_id="another", actor=doctor("another"), starts_at=OVERLAPPING)
    outcomes = await race(make_worker, database_settings, example_proposal(), second)
    assert sorted(outcomes) == ["patient_already_booked", "reschedule_proposed"]
    assert await nothing_overlaps(connection)


@pytest.mark.parametrize("turn", range(3))
async def test_a_time_is_blocked_or_booked(turn: int, make_worker: MakeWorker, database_settings: Settings, connection: Connection) -> None:
    off = example_block(time_off_id=f"off-{turn}", starts_at=OTHER_START, ends_at=OTHER_START + hours(3))
    outcomes = await race(make_worker, database_settings, off, ANOTHERS)
    assert outcomes in (["blocked", "slot_already_booked"], ["slot_already_booked", "booked"])
    assert await nothing_overlaps(connection)


async def test_a_time_is_blocked_or_proposed(make_worker: MakeWorker, database_settings: Settings, connection: Connection) -> None:
    await make_worker().outcomes(Log().append(example_import()))
    off = example_block(starts_at=OTHER_START + minutes(29), ends_at=OTHER_START + hours(3))
    outcomes = await race(make_worker, database_settings, off, example_proposal())
    assert outcomes in (["blocked", "slot_already_booked"], ["slot_already_booked", "reschedule_proposed"])
    assert await nothing_overlaps(connection)


async def test_a_time_is_imported_or_booked(make_worker: MakeWorker, database_settings: Settings, connection: Connection) -> None:
    brought = example_import(appointment_id="imported", patient_id="a-third", starts_at=OTHER_START)
    outcomes = await race(make_worker, database_settings, brought, ANOTHERS)
    assert outcomes in (["imported", "slot_already_booked"], ["slot_already_booked", "booked"])
    assert await nothing_overlaps(connection)


@pytest.mark.parametrize(
    "other, word",
    [
        pytest.param(example_withdrawal(), "reschedule_withdrawn", id="withdraw"),
        pytest.param(example_cancel(), "cancelled", id="cancel"),
    ],
)
async def test_of_an_acceptance_and_something_else_one_holds(
    other: BookingCommand, word: str, make_worker: MakeWorker, database_settings: Settings
) -> None:
    log = Log()
    await make_worker().outcomes(log.append(example_import()), log.append(example_proposal()))
    outcomes = await race(make_worker, database_settings, example_acceptance(), other)
    # What is accepted can still be cancelled; else the second finds the proposal answered.
    assert outcomes in (["rescheduled", "wrong_status"], ["wrong_status", word], *([["rescheduled", word]] if word == "cancelled" else []))


@pytest.mark.parametrize(
    "after_the_deadline, expected",
    [
        pytest.param(-MILLISECOND, [["rescheduled", "wrong_status"], ["rescheduled", "not_due"]], id="before the deadline"),
        pytest.param(timedelta(), [["rescheduled", "wrong_status"], ["rescheduled", "not_due"]], id="at the deadline"),
        pytest.param(MILLISECOND, [["expired", "expired"], ["wrong_status", "expired"]], id="after the deadline"),
    ],
)
async def test_whether_an_acceptance_or_the_expiry_holds_is_said_by_the_log_and_not_by_who_comes_first(
    after_the_deadline: timedelta, expected: list[list[str]], make_worker: MakeWorker, database_settings: Settings, connection: Connection
) -> None:
    log = Log()
    await make_worker().outcomes(log.append(example_import()), log.append(example_proposal()))
    outcomes = await race(make_worker, database_settings, example_acceptance(), example_expire(), at=START + after_the_deadline)
    assert outcomes in expected
    status = await connection.fetchval("SELECT status FROM appointments")
    assert status == (AppointmentStatus.CONFIRMED if outcomes[0] == "rescheduled" else AppointmentStatus.CANCELLED)


@pytest.mark.usefixtures("no_locks")
async def test_without_locks_the_unique_index_lets_a_time_be_proposed_once(
    make_worker: MakeWorker, database_settings: Settings, connection: Connection
) -> None:
    log = Log()
    await make_worker().outcomes(
        log.append(example_import()),
        log.append(example_import(appointment_id="other", patient_id="another", starts_at=START + hours(1))),
    )
    outcomes = await race(make_worker, database_settings, example_proposal(), example_proposal(appointment_id="other"))
    assert sorted(outcomes) == ["reschedule_proposed", "slot_already_booked"]
    assert await nothing_overlaps(connection)
