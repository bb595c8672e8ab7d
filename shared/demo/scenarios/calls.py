"""What is promised about calls and text sessions."""

import asyncio
from datetime import timedelta
from typing import Final

from shared.demo.findings import Finding, Verdict, promise
from shared.demo.scenarios.telling import count, duration, listed, told_once
from shared.demo.stage import Cast, Stage, by_doctor, by_patient, event_as
from shared.messages.billing import SessionUnitEventType
from shared.messages.calls import (
    CallEventType,
    CallFailed,
    CallStarted,
    CancelCall,
    ConnectCall,
    EndTextSession,
    RecordActivity,
    StartCall,
    StartTextSession,
    TextSessionEnded,
    TextSessionStarted,
)
from shared.messages.fields import Modality
from shared.messages.notify import Template
from shared.messages.refusal import Rejected

#: A scenario waits no longer than this for a call to fail.
_LONGEST_WAIT: Final = timedelta(seconds=30)
_LATENESS_ALLOWED_SECONDS: Final = 5
_ACTIVITIES: Final = 50
CALLING: Final = Cast(doctors=("unreachable",), patients=("calling",))
WRITING: Final = Cast(doctors=("writing",), patients=("writing",))


async def stuck_call_fails(stage: Stage) -> Finding:
    """Media never flows: the call fails, nothing is charged, the patient is told once, and it never comes back."""
    doctor, patient = stage.doctor("unreachable"), stage.patient("calling")
    await stage.grant(patient, video=1)
    started = await stage.web.request(StartCall(doctor_id=doctor, patient_id=patient, modality=Modality.VIDEO, actor=by_patient(patient)))
    promise(isinstance(started, CallStarted), f"the start came to {started.type}")
    assert isinstance(started, CallStarted)
    assert started.deadline_at is not None
    call_id, limit = started.call_id, started.deadline_at - started.started_at
    if limit > _LONGEST_WAIT:
        await stage.web.request(CancelCall(call_id=call_id, doctor_id=doctor, actor=by_patient(patient)))
        hint = "it needs a mesh started with CAREMESH_CALL_CONNECT_TIMEOUT_SECONDS=5"
        return Finding(Verdict.NOT_RUN, f"here a call may connect for {duration(limit)}: {hint}")
    promise(
        await stage.until(
            lambda: stage.events_of(call_id, CallEventType.FAILED), seconds=limit.total_seconds() + _LATENESS_ALLOWED_SECONDS
        ),
        f"still connecting {_LATENESS_ALLOWED_SECONDS} seconds after its deadline",
    )
    message = stage.events_of(call_id, CallEventType.FAILED)[0]
    failed = event_as(CallFailed, message)
    late_milliseconds = message.timestamp - started.deadline_at.timestamp() * 1000
    promise(late_milliseconds >= 0, f"it failed {-late_milliseconds:.0f} ms before its deadline")
    promise(
        failed.failure_reason == f"Connection timeout after {limit.total_seconds():g} seconds", f"its reason is {failed.failure_reason}"
    )
    promise(not failed.is_connected, "it is called connected")
    await told_once(stage, call_id, Template.CALL_FAILED, patient)
    too_late = await stage.web.request(ConnectCall(call_id=call_id, doctor_id=doctor, actor=by_doctor(doctor)))
    promise(isinstance(too_late, Rejected), f"a connection afterwards came to {too_late.type}")
    charged = [heard for heard in stage.heard if heard.type == SessionUnitEventType.DEDUCTED and heard.value["session_id"] == call_id]
    promise(not charged, "it was charged")
    return Finding(Verdict.PASS, f"{late_milliseconds:.0f} ms after its {duration(limit)}; nothing charged; told once")


async def no_activity_lost(stage: Stage) -> Finding:
    """Both sides write at once, through two publishers: every record counts on its side, and none after the end."""
    doctor, patient = stage.doctor("writing"), stage.patient("writing")
    await stage.grant(patient, text=1)
    started = await stage.web.request(StartTextSession(doctor_id=doctor, patient_id=patient, actor=by_patient(patient)))
    promise(isinstance(started, TextSessionStarted), f"the start came to {started.type}")
    assert isinstance(started, TextSessionStarted)
    session_id = started.session_id

    def activity(*, of_doctor: bool) -> RecordActivity:
        actor = by_doctor(doctor) if of_doctor else by_patient(patient)
        return RecordActivity(session_id=session_id, doctor_id=doctor, actor=actor)

    requests = [
        (stage.web if number % 2 else stage.mobile).request(activity(of_doctor=of_doctor))
        for number in range(_ACTIVITIES)
        for of_doctor in (True, False)
    ]
    seen = count(await asyncio.gather(*requests))
    promise(seen == {"activity_recorded": 2 * _ACTIVITIES}, f"{2 * _ACTIVITIES} records came to {listed(seen)}")
    ended = await stage.web.request(EndTextSession(session_id=session_id, doctor_id=doctor, actor=by_doctor(doctor)))
    promise(isinstance(ended, TextSessionEnded), f"the end came to {ended.type}")
    assert isinstance(ended, TextSessionEnded)
    counted = (ended.patient_activity_count, ended.doctor_activity_count)
    promise(counted == (_ACTIVITIES, _ACTIVITIES), f"{_ACTIVITIES} of each side, and {counted[0]} and {counted[1]} counted")
    late = await stage.mobile.request(activity(of_doctor=False))
    promise(isinstance(late, Rejected), f"a record after the end came to {late.type}")
    await told_once(stage, session_id, Template.SESSION_ENDED, patient)
    return Finding(Verdict.PASS, f"{_ACTIVITIES} of each side at once: all counted, none after the end")
