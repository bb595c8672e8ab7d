"""How late appointments expire: the append time of the event beside the deadline, while many fall due."""

import asyncio
import statistics
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from bench.ground import Ground, Stage
from bench.load import make_load
from bench.processes import Crew
from bench.progress import Steps
from bench.results import Spread, Table, Target
from bench.sizes import Sizes
from bench.traffic import Outcome, Reader, VoidError
from bench.workers import start_workers, wait_ready
from shared.kafka_client import client_options

_EXPIRED: Final = "booking.appointment.expired.v1"
_LATEST_SECONDS: Final = 60
#: As by default, where an appointment expires after 24 hours and the warning comes 2 hours before.
_WARNING_SHARE: Final = 2 / 24


@dataclass(frozen=True, slots=True)
class Lateness:
    """What was measured."""

    appointments: int
    window_seconds: float
    p50_milliseconds: float
    p99_milliseconds: float
    highest_milliseconds: float

    def targets(self) -> list[Target]:
        """The 99th percentile."""
        return [
            Target(
                what=f"expiry lateness p99, {self.appointments:,} due within {self.window_seconds:g} s",
                measured=Spread.of([self.p99_milliseconds]),
                limit=100,
                form=".0f",
                unit=" ms",
            )
        ]

    def table(self) -> Table:
        """Every figure."""
        figures = (self.p50_milliseconds, self.p99_milliseconds, self.highest_milliseconds)
        return Table(
            "Lateness of expiry, milliseconds",
            ("due", "p50", "p99", "highest"),
            [(f"{self.appointments:,} within {self.window_seconds:g} s", *(f"{figure:.0f}" for figure in figures))],
        )

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "appointments": self.appointments,
            "window_seconds": self.window_seconds,
            "p50_milliseconds": self.p50_milliseconds,
            "p99_milliseconds": self.p99_milliseconds,
            "highest_milliseconds": self.highest_milliseconds,
        }


def steps_of(_sizes: Sizes) -> int:
    """How many steps it takes."""
    return 1


async def measure_lateness(ground: Ground, sizes: Sizes, steps: Steps) -> Lateness:
    """Book appointments at an even rate, and let them expire at the same."""
    expiry_seconds = sizes.lateness_expiry_seconds
    with steps.step(f"lateness: {sizes.lateness_appointments:,} booked, and then due within {sizes.lateness_window_seconds:g} s"):
        stage_of = ground.stage("lateness", pending_expiry_seconds=expiry_seconds, expiry_warning_seconds=expiry_seconds * _WARNING_SHARE)
        async with stage_of as stage, Crew(stage.folder) as crew, Reader(stage.settings, stage.events_topic) as events:
            start_workers(crew, stage, 1)
            crew.start("processor", ["-m", "services.booking", "processor"], stage.environment())
            await wait_ready(crew, stage, groups={stage.consumer_group: 1, f"{stage.consumer_group}-processor": 1})
            await _book(stage, sizes)
            # A booking, a warning and an expiry each.
            due = 3 * sizes.lateness_appointments
            await events.wait_for(due, timeout_seconds=expiry_seconds + _LATEST_SECONDS, check=crew.check)
            await asyncio.sleep(1)
            outcomes = await events.outcomes()
    lateness = _summary(outcomes, sizes)
    steps.say(f"lateness: p50 {lateness.p50_milliseconds:.0f} ms, p99 {lateness.p99_milliseconds:.0f} ms")
    return lateness


async def _book(stage: Stage, sizes: Sizes) -> None:
    """Publish at an even rate."""
    count = sizes.lateness_appointments
    load = make_load(count, doctors=sizes.doctors, patients=sizes.patients, conflicts=False)
    producer = AIOKafkaProducer(**client_options(stage.settings), enable_idempotence=True, linger_ms=0)
    await producer.start()
    try:
        beginning = time.monotonic()
        for index, message in enumerate(load.messages):
            wait_seconds = beginning + index * sizes.lateness_window_seconds / count - time.monotonic()
            if wait_seconds > 0:
                await asyncio.sleep(wait_seconds)
            await producer.send(stage.commands_topic, key=message.key, value=message.value, headers=message.headers)
    finally:
        await producer.stop()


def _summary(outcomes: list[Outcome], sizes: Sizes) -> Lateness:
    first: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.type == _EXPIRED and outcome.event_id not in first:
            first[outcome.event_id] = outcome
    if len(first) != sizes.lateness_appointments:
        message = f"{len(first)} appointments expired, and {sizes.lateness_appointments} must. The measurement is void."
        raise VoidError(message)
    late = [(outcome.appended_at_seconds - datetime.fromisoformat(outcome.time).timestamp()) * 1000 for outcome in first.values()]
    percentiles = statistics.quantiles(late, n=100, method="inclusive")
    return Lateness(sizes.lateness_appointments, sizes.lateness_window_seconds, percentiles[49], percentiles[98], max(late))
