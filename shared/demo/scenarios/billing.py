"""What is promised about units and money."""

import asyncio
from datetime import timedelta
from typing import Final

from shared.client import Message
from shared.demo.findings import Finding, Verdict, promise
from shared.demo.scenarios.telling import count, duration, told_once
from shared.demo.stage import Cast, Stage, by_doctor, by_patient, event_as
from shared.messages.billing import (
    DeductSessionUnit,
    SessionBillingEventType,
    SessionSettled,
    SessionUnitDeducted,
    SessionUnitEventType,
    SessionUnitRejected,
)
from shared.messages.calls import (
    EndTextSession,
    RecordActivity,
    StartTextSession,
    TextSessionActivityRecorded,
    TextSessionEnded,
    TextSessionEventType,
    TextSessionStarted,
)
from shared.messages.fields import Modality
from shared.messages.notify import Template

#: A scenario waits no longer than this for a unit to fall due.
_LONGEST_PERIOD: Final = timedelta(seconds=10)
_UNITS: Final = 3
PAYING: Final = Cast(doctors=("earning",), patients=("paying",))
_PATIENCE_SECONDS: Final = 10
_PAUSE_SECONDS: Final = 0.2


async def balance_never_negative(stage: Stage) -> Finding:
    """Three units, and everybody deducts at once: the tick, and two publishers, again and again, also units that are not due."""
    doctor, patient = stage.doctor("earning"), stage.patient("paying")
    await stage.grant(patient, text=_UNITS)
    session_id, period = await _active_session(stage, doctor, patient)
    if period > _LONGEST_PERIOD:
        await stage.web.request(EndTextSession(session_id=session_id, doctor_id=doctor, actor=by_doctor(doctor)))
        hint = "it needs a mesh started with CAREMESH_BILLING_PERIOD_SECONDS=2"
        return Finding(Verdict.NOT_RUN, f"here a unit lasts {duration(period)}: {hint}")

    def ended() -> bool:
        return bool(stage.events_of(session_id, TextSessionEventType.ENDED))

    asked = 0
    patience_seconds = (_UNITS + 1) * period.total_seconds() + _PATIENCE_SECONDS
    deadline = asyncio.get_running_loop().time() + patience_seconds
    while not ended():
        promise(asyncio.get_running_loop().time() < deadline, f"the session went on for more than {patience_seconds:g} seconds")
        requests = [
            client.request(_deduct(session_id, unit, doctor, patient))
            for unit in range(1, _UNITS + 2)
            for client in (stage.web, stage.mobile)
        ]
        asked += len(requests)
        unexpected = count(
            [outcome for outcome in await asyncio.gather(*requests) if not isinstance(outcome, SessionUnitDeducted | SessionUnitRejected)]
        )
        promise(not unexpected, f"a deduction came to {unexpected}")
        await asyncio.sleep(_PAUSE_SECONDS)
    end = event_as(TextSessionEnded, stage.events_of(session_id, TextSessionEventType.ENDED)[0])
    promise(end.reason == "insufficient_balance", f"the session ended for another reason: {end.reason}")
    promise(
        await stage.until(lambda: _about(stage, session_id, SessionBillingEventType.SETTLED), seconds=_PATIENCE_SECONDS),
        "it was not settled",
    )
    _check_units(stage, session_id)
    await told_once(stage, session_id, Template.BALANCE_EXHAUSTED, patient)
    return Finding(Verdict.PASS, f"{asked} deductions for {_UNITS} units: {_UNITS} taken, never below 0, the session ended, told once")


async def _active_session(stage: Stage, doctor: str, patient: str) -> tuple[str, timedelta]:
    """A session that the doctor has answered, and how long a unit lasts: asked too early, billing says when the first falls due."""
    started = await stage.web.request(StartTextSession(doctor_id=doctor, patient_id=patient, actor=by_patient(patient)))
    promise(isinstance(started, TextSessionStarted), f"the start came to {started.type}")
    assert isinstance(started, TextSessionStarted)
    answered = await stage.web.request(RecordActivity(session_id=started.session_id, doctor_id=doctor, actor=by_doctor(doctor)))
    promise(isinstance(answered, TextSessionActivityRecorded), f"the doctor's answer came to {answered.type}")
    assert isinstance(answered, TextSessionActivityRecorded)
    asked = asyncio.get_running_loop().time()
    while True:
        early = await stage.web.request(_deduct(started.session_id, 1, doctor, patient))
        if isinstance(early, SessionUnitRejected) and early.conflict is not None and early.conflict.due_at is not None:
            return started.session_id, early.conflict.due_at - answered.time
        late = asyncio.get_running_loop().time() - asked > _PATIENCE_SECONDS
        promise(not late, f"a unit that is not due came to {early.type}")
        await asyncio.sleep(_PAUSE_SECONDS)


def _deduct(session_id: str, unit: int, doctor: str, patient: str) -> DeductSessionUnit:
    return DeductSessionUnit(session_id=session_id, unit=unit, doctor_id=doctor, patient_id=patient, modality=Modality.TEXT)


def _check_units(stage: Stage, session_id: str) -> None:
    deducted = {event.id: event for event in _deducted(stage, session_id)}.values()
    units = sorted(event.unit for event in deducted)
    promise(units == list(range(1, _UNITS + 1)), f"deducted were the units {units}")
    balances = sorted((event.balance.sequence, event.balance.before, event.balance.after) for event in deducted)
    promise([after for _, _, after in balances] == list(range(_UNITS - 1, -1, -1)), f"the balance went {balances}")
    settled = event_as(SessionSettled, _about(stage, session_id, SessionBillingEventType.SETTLED)[0])
    earned = sum(event.earning.amount_minor for event in deducted)
    promise(settled.units_deducted == _UNITS, f"settled are {settled.units_deducted} units")
    promise(settled.earning.amount_minor == earned, f"the doctor earned {settled.earning.amount_minor}, and not {earned}")


def _about(stage: Stage, session_id: str, event_type: str) -> list[Message]:
    return [message for message in stage.heard if message.type == event_type and message.value.get("session_id") == session_id]


def _deducted(stage: Stage, session_id: str) -> list[SessionUnitDeducted]:
    return [event_as(SessionUnitDeducted, message) for message in _about(stage, session_id, SessionUnitEventType.DEDUCTED)]
