"""A slot is refused only for an appointment that held it: of two that contend, the one accepted lies first in the log."""

from shared.auditor.history import Event, History
from shared.auditor.instants import shown
from shared.auditor.report import ViolationKind
from shared.auditor.vocabulary import HOLDING, SLOT_ALREADY_BOOKED


def check(history: History) -> None:
    """Look up the appointment that each refused booking was refused for."""
    if history.scope.is_trimmed(history.topics.events):
        return
    for event in history.events.values():
        if event.reason == SLOT_ALREADY_BOOKED and event.conflict_id is not None and event.doctor_id not in history.doctors_in_flight:
            _judge(history, event, event.conflict_id)


def _judge(history: History, refusal: Event, winner_id: str) -> None:
    changes = history.appointments.get(winner_id, [])
    if any(change.decision_partition != refusal.decision_partition for change in changes):
        # A misrouted command: the two logs have no common order.
        return
    earlier = [change for change in changes if change.position < refusal.position]
    fault = _fault(history, refusal, earlier)
    if fault is not None:
        sentence = f"The event {refusal.id} refuses a slot for the appointment {winner_id}, which {fault}."
        proofs = (history.of_event(refusal), *map(history.of_event, changes))
        history.findings.add(ViolationKind.OUT_OF_LOG_ORDER, sentence, *proofs)


def _fault(history: History, refusal: Event, earlier: list[Event]) -> str | None:
    if not earlier:
        return "was not booked before it in the log"
    last = earlier[-1]
    if last.doctor_id != refusal.doctor_id:
        return f"is the doctor {last.doctor_id}'s"
    if last.status not in HOLDING:
        return f"was {last.status} by then"
    command = history.deciding_command(refusal)
    if command is not None and last.expires_us is not None and command.log_time_us > last.expires_us:
        return f"had lapsed at {shown(last.expires_us)}"
    return None
