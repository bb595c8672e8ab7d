"""What is promised about appointments."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from shared.client import Message, Rejected
from shared.client.publisher import RecordPublisher
from shared.codec.encode import encode_command
from shared.demo.findings import Finding, Verdict, promise
from shared.demo.scenarios.telling import count, duration, listed, told_once
from shared.demo.stage import WEB, Cast, Stage, book, cancel, confirm, slot
from shared.messages.booking import AppointmentEvent, AppointmentEventType, AppointmentRejected
from shared.messages.fields import EventData
from shared.messages.notify import Template
from shared.topics import commands_topic

_RACERS: Final = 50
_ROUNDS: Final = 20
_DOCTORS_TO_CHOOSE_FROM: Final = 100
_COPIES: Final = 50
_COPIES_TIMEOUT_SECONDS: Final = 10
#: A scenario waits no longer than this for an appointment to expire.
_LONGEST_EXPIRY: Final = timedelta(seconds=30)
_LATENESS_ALLOWED_SECONDS: Final = 5

_CONFLICT: Final = 409

#: Who is told something in each of the scenarios.
RACING: Final = Cast(doctors=("race",), patients=tuple(f"race-{number}" for number in range(_RACERS)))
TORN: Final = Cast(patients=tuple(f"both-{number}" for number in range(_ROUNDS)))
PERSISTENT: Final = Cast(patients=("again",))
WAITING: Final = Cast(doctors=("silent",), patients=("waiting",))


async def fifty_race_for_one_slot(stage: Stage) -> Finding:
    """Fifty patients ask for the same half hour of one doctor at once."""
    doctor, starts_at = stage.doctor("race"), slot(3)
    outcomes = await asyncio.gather(
        *(
            (stage.web if number % 2 else stage.mobile).request(book(doctor, stage.patient(f"race-{number}"), starts_at))
            for number in range(_RACERS)
        )
    )
    seen = count(outcomes)
    promise(seen == {"booked": 1, "409 slot_already_booked": _RACERS - 1}, f"{_RACERS} asked: {listed(seen)}")
    (winner,) = _booked(outcomes)
    for loser in (outcome for outcome in outcomes if isinstance(outcome, AppointmentRejected)):
        names_winner = loser.conflict is not None and loser.conflict.appointment_id == winner.appointment_id
        promise(names_winner, "a refusal names another appointment than the winner's")
        heard = partial(stage.copies_of, loser.id)
        promise(await stage.until(heard, seconds=_COPIES_TIMEOUT_SECONDS), "a refusal reached one listener, and not another")
        promise(f'"{winner.patient_id}"' not in heard()[0].raw.decode(), "a refusal tells who the winner is")
    await told_once(stage, winner.appointment_id, Template.APPOINTMENT_BOOKED, winner.patient_id)
    await _call_off(stage, winner)
    await told_once(stage, winner.appointment_id, Template.APPOINTMENT_CANCELLED, doctor)
    return Finding(Verdict.PASS, f"{_RACERS} patients, one slot: 1 booked, {_RACERS - 1} × 409; the winner is told")


async def one_patient_two_doctors(stage: Stage) -> Finding:
    """A patient asks two doctors, whose commands lie on two partitions, for the same time at once."""
    first = stage.doctor("left")
    others = (stage.doctor(f"right-{number}") for number in range(_DOCTORS_TO_CHOOSE_FROM))
    second = next((doctor for doctor in others if stage.partition(doctor) != stage.partition(first)), stage.doctor("right"))
    for number in range(_ROUNDS):
        patient, starts_at = stage.patient(f"both-{number}"), slot(number)
        outcomes = await asyncio.gather(
            stage.web.request(book(first, patient, starts_at)), stage.mobile.request(book(second, patient, starts_at))
        )
        seen = count(outcomes)
        promise(seen == {"booked": 1, "409 patient_already_booked": 1}, f"round {number + 1}: {listed(seen)}")
        (booked,) = _booked(outcomes)
        if number == _ROUNDS - 1:
            await told_once(stage, booked.appointment_id, Template.APPOINTMENT_BOOKED, patient)
        await _call_off(stage, booked)
    return Finding(Verdict.PASS, f"two doctors, one patient, one time, {_ROUNDS} times: always 1 booked, 1 × 409")


async def delivered_often_decided_once(stage: Stage) -> Finding:
    """One command is published fifty times at once, as a publisher does that got no answer."""
    command = book(stage.doctor("again"), stage.patient("again"), slot(0))
    topic = commands_topic(stage.settings.topic_prefix, "booking")
    record = encode_command(command, topic=topic, source=WEB, identifier=f"again-{stage.run_id}", time=datetime.now(UTC))
    async with RecordPublisher(stage.settings) as one, RecordPublisher(stage.settings) as another:
        # Source and id make the command, not the connection that it comes by.
        await asyncio.gather(*((one if number % 2 else another).publish(record) for number in range(_COPIES)))

    def answers() -> list[Message]:
        return [message for message in stage.heard if message.headers.get("ce_causationid") == f"again-{stage.run_id}"]

    def outcomes() -> list[Message]:
        return [message for message in answers() if "decision" in message.value]

    promise(await stage.until(outcomes, seconds=_COPIES_TIMEOUT_SECONDS), f"no outcome within {_COPIES_TIMEOUT_SECONDS} seconds")
    await stage.until(lambda: len(outcomes()) >= _COPIES, seconds=_COPIES_TIMEOUT_SECONDS)
    ids = {message.headers["ce_id"] for message in outcomes()}
    promise(len(ids) == 1, f"{len(ids)} different outcomes")
    promise(len({message.raw for message in outcomes()}) == 1, "the copies of the outcome differ")
    # Whoever asks now, much too late, gets that outcome.
    outcome = await stage.web.request(command, identifier=f"again-{stage.run_id}")
    promise({outcome.id} == ids, "who asks again gets another outcome")
    (booked,) = _booked([outcome])
    await told_once(stage, booked.appointment_id, Template.APPOINTMENT_BOOKED, booked.patient_id)
    await _call_off(stage, booked)
    return Finding(Verdict.PASS, f"published {_COPIES} times: 1 decision, 1 outcome, the same to the byte; told once")


async def pending_expires(stage: Stage) -> Finding:
    """A doctor never answers: the appointment expires, its patient is told once, and the time is free again."""
    doctor, patient, starts_at = stage.doctor("silent"), stage.patient("waiting"), slot(0)
    (booked,) = _booked([await stage.web.request(book(doctor, patient, starts_at))])
    appointment_id, deadline = booked.appointment_id, booked.expires_at
    assert deadline is not None
    limit = deadline - booked.created_at
    if limit > _LONGEST_EXPIRY:
        await stage.web.request(cancel(doctor, patient, appointment_id))
        hint = "it needs a mesh started with CAREMESH_PENDING_EXPIRY_SECONDS=6"
        return Finding(Verdict.NOT_RUN, f"here an appointment waits {duration(limit)} for its doctor: {hint}")
    patience_seconds = limit.total_seconds() + _LATENESS_ALLOWED_SECONDS
    expired = AppointmentEventType.EXPIRED
    promise(
        await stage.until(lambda: stage.events_of(appointment_id, expired), seconds=patience_seconds),
        f"still pending {_LATENESS_ALLOWED_SECONDS} seconds after its deadline",
    )
    event = stage.events_of(appointment_id, expired)[0]
    late_milliseconds = event.timestamp - deadline.timestamp() * 1000
    promise(late_milliseconds >= 0, f"it expired {-late_milliseconds:.0f} ms before its deadline")
    promise(event.value["status"] == "cancelled", f"its status is {event.value['status']}")

    await told_once(stage, appointment_id, Template.APPOINTMENT_EXPIRED, patient)
    too_late = await stage.web.request(confirm(doctor, appointment_id))
    promise(isinstance(too_late, Rejected) and too_late.status_code == _CONFLICT, f"a confirmation afterwards came to {too_late.type}")
    again = await stage.mobile.request(book(doctor, stage.patient("next"), starts_at))
    promise(not isinstance(again, Rejected), "the time is not free again")
    await _call_off(stage, *_booked([again]))
    return Finding(
        Verdict.PASS,
        f"{late_milliseconds:.0f} ms after its {duration(limit)}; told once; the time is free again",
    )


async def _call_off(stage: Stage, *booked: AppointmentEvent) -> None:
    """Leave nothing pending behind: on a mesh with long limits it would stand there for a day."""
    for event in booked:
        await stage.web.request(cancel(event.doctor_id, event.patient_id, event.appointment_id))


def _booked(outcomes: Sequence[EventData]) -> list[AppointmentEvent]:
    return [outcome for outcome in outcomes if isinstance(outcome, AppointmentEvent)]
