"""How late deadlines are kept: the append time of the event beside the deadline, while many fall due."""

import asyncio
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from bench.ground import Ground, Stage
from bench.load import make_load
from bench.processes import Crew
from bench.progress import Steps
from bench.results import Spread, Table, Target
from bench.sizes import Sizes
from bench.traffic import Outcome, Reader, VoidError, load_commands
from bench.workers import start_workers, wait_decided, wait_ready
from bench.workload import activity, call_starts
from shared.codec.record import OutgoingMessage
from shared.kafka_client import client_options
from shared.messages.booking import AppointmentEventType
from shared.messages.calls import CallEventType

_LATEST_SECONDS: Final = 60
#: As by default, where an appointment expires after 24 hours and the warning comes 2 hours before.
_WARNING_SHARE: Final = 2 / 24
#: A booking, a warning and an expiry each; a start and a failure.
_EVENTS_OF_APPOINTMENT, _EVENTS_OF_CALL = 3, 2
LIMIT_MILLISECONDS: Final = 100


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How late the deadlines of one kind were kept, in each round."""

    what: str
    window_seconds: float
    rounds_milliseconds: Sequence[Sequence[float]]

    def percentile(self, number: int) -> Spread:
        """One of the first to the 99th."""
        return Spread.of(_percentile(number, late) for late in self.rounds_milliseconds)

    @property
    def highest(self) -> Spread:
        """The latest."""
        return Spread.of(map(max, self.rounds_milliseconds))

    @property
    def late_milliseconds(self) -> list[float]:
        """Of all rounds."""
        return [*chain.from_iterable(self.rounds_milliseconds)]

    @property
    def due(self) -> str:
        """How many, and within how long."""
        return f"{len(self.rounds_milliseconds[0]):,} due within {self.window_seconds:g} s"


@dataclass(frozen=True, slots=True)
class Lateness:
    """What was measured."""

    kinds: Sequence[Deadlines]

    def targets(self) -> list[Target]:
        """The 99th percentiles."""
        return [
            Target(
                what=f"lateness p99 of {kind.what}, {kind.due}",
                measured=kind.percentile(99),
                limit=LIMIT_MILLISECONDS,
                form=".0f",
                unit=" ms",
            )
            for kind in self.kinds
        ]

    def table(self) -> Table:
        """Every figure."""
        rows = []
        for kind in self.kinds:
            figures = (kind.percentile(50), kind.percentile(99), kind.highest)
            rows.append((kind.what, kind.due, *(figure.text(".0f") for figure in figures)))
        return Table("Lateness, milliseconds", ("what", "due", "p50", "p99", "highest"), rows)

    def as_json(self) -> dict[str, Any]:
        """All of it; a histogram has how many of all rounds were late by so many whole milliseconds."""
        return {
            kind.what: {
                "due": len(kind.rounds_milliseconds[0]),
                "window_seconds": kind.window_seconds,
                "p50_milliseconds": kind.percentile(50).as_json(),
                "p99_milliseconds": kind.percentile(99).as_json(),
                "highest_milliseconds": kind.highest.as_json(),
                "histogram": dict(sorted(Counter(int(late) for late in kind.late_milliseconds).items())),
            }
            for kind in self.kinds
        }


def _percentile(number: int, late_milliseconds: Sequence[float]) -> float:
    return statistics.quantiles(late_milliseconds, n=100, method="inclusive")[number - 1]


def steps_of(sizes: Sizes) -> int:
    """How many steps it takes."""
    return sizes.rounds * len(_KINDS)


async def measure_lateness(ground: Ground, sizes: Sizes, steps: Steps) -> Lateness:
    """Let appointments expire, and then calls time out, at an even rate; round by round."""
    rounds: defaultdict[str, list[Sequence[float]]] = defaultdict(list)
    for number in range(sizes.rounds):
        label = f"round {number + 1} of {sizes.rounds}"
        for what, measure in _KINDS.items():
            with steps.step(f"lateness, {label}: {sizes.lateness_due:,} {what} within {sizes.lateness_window_seconds:g} s"):
                late = _late_milliseconds(what, await measure(ground, sizes), sizes)
            rounds[what].append(late)
            steps.say(f"lateness of {what}: p50 {_percentile(50, late):.0f} ms, p99 {_percentile(99, late):.0f} ms")
    return Lateness([Deadlines(what, sizes.lateness_window_seconds, of_what) for what, of_what in rounds.items()])


async def _of_appointments(ground: Ground, sizes: Sizes) -> list[Outcome]:
    """Book at an even rate; nobody answers."""
    expiry_seconds = sizes.lateness_after_seconds
    load = make_load(sizes.lateness_due, doctors=sizes.doctors, patients=sizes.patients, conflicts=False)
    stage_of = ground.stage("lateness", pending_expiry_seconds=expiry_seconds, expiry_warning_seconds=expiry_seconds * _WARNING_SHARE)
    async with stage_of as stage, Crew(stage.folder) as crew, Reader(stage.settings, stage.events_topic) as events:
        await _start(crew, stage)
        await _publish_evenly(stage, load.messages, sizes.lateness_window_seconds)
        outcomes = await _all(events, crew, _EVENTS_OF_APPOINTMENT * sizes.lateness_due, sizes)
    return _first_of(AppointmentEventType.EXPIRED, outcomes)


async def _of_calls(ground: Ground, sizes: Sizes) -> list[Outcome]:
    """Start calls at an even rate; nobody answers. Meanwhile, until the last has timed out, text sessions are written in."""
    traffic_seconds = sizes.lateness_window_seconds + sizes.lateness_after_seconds
    traffic = activity(int(traffic_seconds * sizes.lateness_traffic_per_second), sizes.active_sessions)
    stage_of = ground.stage("lateness", service="calls", call_connect_timeout_seconds=sizes.lateness_after_seconds)
    async with stage_of as stage, Crew(stage.folder) as crew, Reader(stage.settings, stage.events_topic) as events:
        await _start(crew, stage)
        prepared = 0
        for messages in traffic.preparation:
            await load_commands(stage, messages)
            prepared += len(messages)
            await wait_decided(crew, stage, prepared, timeout_seconds=_LATEST_SECONDS)
        await asyncio.sleep(1)
        expected = await events.count() + _EVENTS_OF_CALL * sizes.lateness_due + len(traffic.requests)
        await asyncio.gather(
            _publish_evenly(stage, call_starts(sizes.lateness_due), sizes.lateness_window_seconds),
            _publish_evenly(stage, traffic.requests, traffic_seconds),
        )
        outcomes = await _all(events, crew, expected, sizes)
    return _first_of(CallEventType.FAILED, outcomes)


async def _start(crew: Crew, stage: Stage) -> None:
    """One consumer and one processor."""
    start_workers(crew, stage, 1)
    crew.start("processor", ["-m", f"services.{stage.service}", "processor"], stage.environment())
    await wait_ready(crew, stage, groups={stage.consumer_group: 1, f"{stage.consumer_group}-processor": 1})


async def _publish_evenly(stage: Stage, messages: Sequence[OutgoingMessage], seconds: float) -> None:
    """Publish all of them, at an even rate."""
    producer = AIOKafkaProducer(**client_options(stage.settings), enable_idempotence=True, linger_ms=0)
    await producer.start()
    try:
        beginning = time.monotonic()
        for index, message in enumerate(messages):
            wait_seconds = beginning + index * seconds / len(messages) - time.monotonic()
            if wait_seconds > 0:
                await asyncio.sleep(wait_seconds)
            await producer.send(stage.commands_topic, key=message.key, value=message.value, headers=message.headers)
    finally:
        await producer.stop()


async def _all(events: Reader, crew: Crew, expected: int, sizes: Sizes) -> list[Outcome]:
    """Every event, once there are so many; copies that come right after are among them."""
    await events.wait_for(expected, timeout_seconds=sizes.lateness_after_seconds + _LATEST_SECONDS, check=crew.check)
    await asyncio.sleep(1)
    return await events.outcomes()


def _first_of(type_: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Of events of this type, the first copy of each."""
    first: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.type == type_:
            first.setdefault(outcome.event_id, outcome)
    return [*first.values()]


def _late_milliseconds(what: str, outcomes: Sequence[Outcome], sizes: Sizes) -> list[float]:
    """See that each fell due once, and how late.

    Raises:
        VoidError: some did not.
    """
    if len(outcomes) != sizes.lateness_due:
        message = f"Of {what} there were {len(outcomes)}, and there must be {sizes.lateness_due}. The measurement is void."
        raise VoidError(message)
    return [(outcome.appended_at_seconds - datetime.fromisoformat(outcome.time).timestamp()) * 1000 for outcome in outcomes]


_KINDS: Final = {"appointments that expire": _of_appointments, "calls that time out": _of_calls}
