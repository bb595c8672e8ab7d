"""Races between two workers, made sure to happen."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from services.booking.app import booking
from services.booking.working_set import Appointments
from shared.codec.decode import Received
from shared.database import Connection
from shared.path.service import Service, State
from shared.settings import Settings
from tests.examples import START, example_booking, minutes
from tests.integration.worker import Log, Worker


def meeting_before_they_write(settings: Settings, workers: int) -> Service[Appointments]:
    """Booking, whose workers wait for each other between reading and writing: those that locks let read at the same time."""
    return meeting(booking(settings), workers)


def meeting(service: Service[State], workers: int) -> Service[State]:
    """The same of any service."""
    load, barrier = service.load, asyncio.Barrier(workers)

    async def load_and_meet(connection: Connection, batch: Sequence[Received]) -> State:
        state = await load(connection, batch)
        if batch and not barrier.broken:
            try:
                async with asyncio.timeout(0.3):
                    await barrier.wait()
            except (TimeoutError, asyncio.BrokenBarrierError):
                await barrier.abort()
        return state

    return replace(service, load=load_and_meet)


async def race_for_one_slot(others: int, make_worker: Callable[..., Worker], settings: Settings, connection: Any) -> None:
    """Two workers, each with a booking of the same slot and others that are in nobody's way."""
    service = meeting_before_they_write(settings, 2)
    outcomes = []
    for log in (Log(partition=0), Log(partition=1)):
        name = f"{log.partition}"
        batch = [log.append(example_booking(appointment_id=f"slot-{name}", patient_id=name))]
        batch += [
            log.append(
                example_booking(
                    appointment_id=f"other-{name}-{i}",
                    doctor_id=f"others-{name}",
                    patient_id=f"{name}-{i}",
                    starts_at=START + minutes(60 * i),
                )
            )
            for i in range(others)
        ]
        outcomes.append(make_worker(service=service).outcomes(*batch))
    left, right = await asyncio.gather(*outcomes)
    assert sorted([left[0], right[0]]) == ["booked", "slot_already_booked"]
    assert left[1:] == right[1:] == ["booked"] * others
    assert await connection.fetchval("SELECT count(*) FROM appointments WHERE doctor_id = 'doctor-1'") == 1
