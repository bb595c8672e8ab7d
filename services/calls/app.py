"""Which topics reach which rules: the map of calls.

calls.commands.v1  → domain.decide → calls.events.v1, and booking.commands.v1   (the consumer, aiokafka)
booking.events.v1  → domain.appointment.heard                                  (the consumer)
calls.events.v1    → notices.notices_of → notify.commands.v1                   (the processor, Faust)
                   → states → calls.sessions.v1                                (the processor)
what falls due     → sweeps → calls.commands.v1, booking.commands.v1           (the processor)
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final, cast

from services.calls import store
from services.calls.domain.session import Rules
from services.calls.working_set import Sessions
from shared.codec.decode import Malformed, Received
from shared.messages.booking import BOOKING_EVENTS, AppointmentEvent, AppointmentExpiring
from shared.messages.calls import (
    CALLS_COMMANDS,
    CallEventType,
    CallsCommand,
    RecordActivity,
    StartCall,
    StartTextSession,
    TextSessionEventType,
)
from shared.messages.events import Event
from shared.path.service import Locks, Parties, Service
from shared.settings import Settings

#: A command, what is wrong with one, or what booking said of an appointment.
CallsContent = CallsCommand | Malformed | AppointmentEvent

#: What booking says that changes an appointment.
_APPOINTMENT_CHANGES: Final = {
    type_: model
    for type_, model in BOOKING_EVENTS.items()
    if issubclass(model, AppointmentEvent) and not issubclass(model, AppointmentExpiring)
}


def rules_of(settings: Settings) -> Rules:
    """The settings that calls decides by."""
    return Rules(
        connect_timeout=timedelta(seconds=settings.call_connect_timeout_seconds),
        reconnect_timeout=timedelta(seconds=settings.call_reconnect_timeout_seconds),
        response_timeout=timedelta(seconds=settings.text_response_timeout_seconds),
        inactivity_timeout=timedelta(seconds=settings.text_inactivity_timeout_seconds),
        text_sessions_per_doctor=settings.text_sessions_per_doctor,
        window_before=timedelta(seconds=settings.session_window_before_seconds),
    )


def calls(settings: Settings) -> Service[Sessions]:
    """Calls, as the path sees it."""
    return Service(
        name="calls",
        commands=CALLS_COMMANDS,
        hears={"booking": _APPOINTMENT_CHANGES},
        decisions=store.decisions,
        named_entity=named_session,
        locks=locks_of,
        parties=store.parties,
        load=partial(store.load, rules=rules_of(settings)),
        record=store.record,
        log_line=log_line,
        may_be_unheard=may_be_unheard,
    )


def named_session(received: Received) -> str | None:
    """The call or text session that must exist for a command to succeed."""
    content = cast("CallsContent", received.content)
    match content:
        case Malformed() | AppointmentEvent() | StartCall() | StartTextSession():
            return None
        case _:
            return content.entity_id


def locks_of(received: Received, parties: Mapping[str, Parties]) -> Locks:
    """What a command must hold: its doctor, the id, and the patient if it occupies them."""
    content = cast("CallsContent", received.content)
    match content:
        case Malformed():
            return Locks(ordered=())
        case AppointmentEvent():
            return Locks(ordered=(f"doctor:{content.doctor_id}",))
        case StartCall() | StartTextSession():
            # Ids are unique among calls and text sessions together: billing knows both by one.
            own = () if content.entity_id is None else (f"session:{content.entity_id}",)
            return Locks(ordered=(f"doctor:{content.doctor_id}", *own), shared=(f"patient:{content.patient_id}",))
        case _:
            ordered = [f"doctor:{content.doctor_id}", f"session:{content.entity_id}"]
            party = parties.get(content.entity_id or "")
            if party is not None:
                ordered.append(f"doctor:{party.doctor_id}")
            return Locks(ordered=ordered)


def may_be_unheard(received: Received, state: Sessions) -> bool:
    """Whether a start is for an appointment of which booking may have said something that was not read yet."""
    return state.depends_on_news(received)


def log_line(event: Event) -> str | None:
    """The words that people look for."""
    if event.type == TextSessionEventType.ACTIVITY_RECORDED:
        return "Activity recorded"
    if event.type == CallEventType.FAILED:
        return "Stale connection failed"
    if event.type == TextSessionEventType.REJECTED and event.body["command"] == RecordActivity.type:
        return "Activity refused"
    return None
