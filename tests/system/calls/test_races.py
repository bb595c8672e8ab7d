"""Races, both ways: of two commands about the same thing the one that lies first in the log wins, and the loser learns who won."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from tests.system.harness.calls_commands import DOCTOR, activity, on_call, start, text_end, text_start
from tests.system.harness.commands import Message
from tests.system.harness.mesh import Mesh
from tests.system.harness.producers import NativeProducer, PythonProducer
from tests.system.harness.reading import Events, ending
from tests.system.harness.waiting import SOAK, until

PAIRS = 24 * SOAK

MakeMessage = Callable[[str, str, str, str], Message]


@dataclass(frozen=True, kw_only=True)
class Race:
    """Two commands about one call or text session, each made of its id, doctor, patient, and its own id.

    Attributes:
        before: what both find.
        left: one of them.
        right: the other.
        left_first: how the two end when the left one lies first.
        right_first: how the two end, still left and right, when the right one lies first.
    """

    before: Sequence[MakeMessage]
    left: MakeMessage
    right: MakeMessage
    left_first: tuple[str, str]
    right_first: tuple[str, str]


def ring(entity: str, doctor: str, patient: str, identifier: str) -> Message:
    return start(entity, doctor, patient, identifier)


def take(entity: str, doctor: str, patient: str, identifier: str) -> Message:
    return on_call("connect", entity, doctor, patient, identifier, by=DOCTOR)


def join(entity: str, doctor: str, patient: str, identifier: str) -> Message:
    return on_call("connect", entity, doctor, patient, identifier)


def turn_down(entity: str, doctor: str, patient: str, identifier: str) -> Message:
    return on_call("decline", entity, doctor, patient, identifier, by=DOCTOR)


def take_back(entity: str, doctor: str, patient: str, identifier: str) -> Message:
    return on_call("cancel", entity, doctor, patient, identifier)


def hang_up(entity: str, doctor: str, patient: str, identifier: str) -> Message:
    return on_call("end", entity, doctor, patient, identifier)


def hang_up_too(entity: str, doctor: str, patient: str, identifier: str) -> Message:
    return on_call("end", entity, doctor, patient, identifier, by=DOCTOR)


def write(entity: str, doctor: str, patient: str, identifier: str) -> Message:
    return activity(entity, doctor, patient, identifier, by="patient")


LOST = "409 wrong_status"
OVER = "409 session_not_active"
RACES = {
    "end against end": Race(before=(ring, take), left=hang_up, right=hang_up_too, left_first=("ended", LOST), right_first=(LOST, "ended")),
    "decline against connect": Race(
        before=(ring,), left=turn_down, right=join, left_first=("declined", LOST), right_first=(LOST, "connected")
    ),
    "answer against cancel": Race(
        before=(ring,), left=take, right=take_back, left_first=("connected", LOST), right_first=(LOST, "cancelled")
    ),
    "activity against end": Race(
        before=(text_start, activity),
        left=write,
        right=text_end,
        left_first=("activity_recorded", "ended"),
        right_first=(OVER, "ended"),
    ),
    "the doctor's answer against the patient's leaving": Race(
        before=(text_start,),
        left=activity,
        right=text_end,
        left_first=("activity_recorded", "ended"),
        right_first=(OVER, "ended"),
    ),
}


@pytest.mark.parametrize("name", RACES)
async def test_log_order_decides_and_the_loser_learns_who_won(calls: Mesh, name: str) -> None:
    calls.environment.update(CAREMESH_CALL_CONNECT_TIMEOUT_SECONDS="60", CAREMESH_TEXT_RESPONSE_TIMEOUT_SECONDS="60")
    race = RACES[name]
    calls.consumer()
    calls.consumer()
    async with calls.python_producer() as one, calls.native_producer() as other:
        parties = [(f"{number}", f"doctor-{number}", f"patient-{number}") for number in range(PAIRS)]
        for step, make in enumerate(race.before):
            await one.publish([make(*pair, f"before-{step}-{pair[0]}") for pair in parties])
        await run(race, parties, one, other)
        await calls.decided()
        await calls.is_clean()
    places = {record.header("ce_id"): (record.partition, record.offset) for record in await calls.read("calls.commands.v1")}
    events = await calls.read_events()
    ways: Counter[str] = Counter()
    for number, _, _ in parties:
        left, right = events.outcome(f"left-{number}"), events.outcome(f"right-{number}")
        left_is_first = places[f"left-{number}"] < places[f"right-{number}"]
        assert (ending(left), ending(right)) == (race.left_first if left_is_first else race.right_first), number
        ways["left" if left_is_first else "right"] += 1
        for winner, loser in ((left, right), (right, left)):
            if loser["type"].endswith("rejected.v1"):
                assert loser["conflict"]["command"] == winner["decision"]["command"]
                assert "patient_id" not in loser["conflict"]
    assert min(ways.values()) >= PAIRS // 3, ways


async def run(race: Race, parties: Sequence[tuple[str, str, str]], one: PythonProducer, other: NativeProducer) -> None:
    """A third of the pairs the one way, a third the other, and a third as it comes."""
    third = PAIRS // 3
    lefts = [race.left(*pair, f"left-{pair[0]}") for pair in parties]
    rights = [race.right(*pair, f"right-{pair[0]}") for pair in parties]
    await one.publish(lefts[:third])
    await other.publish(rights[:third])
    await other.publish(rights[third : 2 * third])
    await one.publish(lefts[third : 2 * third])
    await asyncio.gather(one.publish(lefts[2 * third :]), other.publish(rights[2 * third :]))


async def test_connect_against_time_out(calls: Mesh) -> None:
    """Around the deadline both come; the log's clock decides, to the millisecond."""
    calls.environment.update(CAREMESH_CALL_CONNECT_TIMEOUT_SECONDS="4")
    calls.consumer()
    calls.processor()
    await calls.assigned(1)
    await calls.assigned(1, group=f"{calls.group}-processor")
    parties = [(f"{number}", f"doctor-{number}", f"patient-{number}") for number in range(PAIRS)]
    async with calls.python_producer() as producer:
        await producer.publish([ring(*pair, f"ring-{pair[0]}") for pair in parties])
        # From before the deadline until the sweep has come, one call after another.
        late = iter(parties)
        connected: list[str] = []

        async def the_last_third_has_failed() -> bool:
            pair = next(late, None) if len(connected) < PAIRS // 3 or await fails(calls) else None
            if pair is not None:
                connected.append(pair[0])
                await producer.publish([join(*pair, f"join-{pair[0]}")])
            return len(connected) == PAIRS

        await until(the_last_third_has_failed, "all have tried to connect", step=0.02)
        await calls.decided()
        await calls.is_clean()
    await judge(calls)


async def fails(calls: Mesh) -> bool:
    return bool(await calls.query("SELECT 1 FROM sessions WHERE status = 'failed'"))


async def judge(calls: Mesh) -> None:
    appended = {record.header("ce_id"): record.timestamp / 1000 for record in await calls.read("calls.commands.v1")}
    events: Events = await calls.read_events()
    failures = {event["call_id"]: event for event in events.of_type("failed")}
    tally: Counter[str] = Counter()
    for started in events.of_type("started"):
        number, deadline = started["call_id"], datetime.fromisoformat(started["deadline_at"])
        outcome: dict[str, Any] = events.outcome(f"join-{number}")
        in_time = appended[f"join-{number}"] <= deadline.timestamp()
        assert ending(outcome) == ("connected" if in_time else "409 timed_out")
        tally[ending(outcome)] += 1
        assert (number in failures) is not in_time
        if not in_time:
            assert failures[number]["time"] == started["deadline_at"]
            assert outcome["conflict"]["since"] == started["deadline_at"]
            assert outcome["conflict"]["status"] == "failed"
    assert min(tally.values()) >= PAIRS // 3, tally
    assert any(identifier.startswith("time_out") for identifier in appended), "the sweep took part"
