"""Booking is asked to complete an appointment when a session for it ends in which doctor and patient met."""

from typing import Final

from shared.auditor.calls.words import LIVE
from shared.auditor.history import History
from shared.auditor.report import ViolationKind

_COMPLETE: Final = "booking.appointment.complete.v1"


def check(history: History) -> None:
    """Look for the request of every such session."""
    booking = history.others.get("booking")
    if booking is None or history.scope.is_trimmed(booking.topics.commands):
        return
    requested = {
        (command.entity_id, command.cause)
        for command in booking.all_commands()
        if command.type == _COMPLETE and command.identity.startswith(f"{history.words.source}\n")
    }
    for event in history.events.values():
        if event.is_refusal or event.status in LIVE or not event.state.took_place or event.state.common.appointment_id is None:
            continue
        asked = (event.state.common.appointment_id, event.identity.rpartition("\n")[2])
        if asked not in requested and not history.is_in_flight(event):
            sentence = f"The {event.entity} {event.entity_id} took place, and booking was not asked to complete {asked[0]}."
            history.findings.add(ViolationKind.MISSING_REQUEST, sentence, history.of_event(event))
