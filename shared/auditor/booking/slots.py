"""A time is refused only for what held it: of two that contend, the one accepted lies first in the log."""

from typing import Final

from shared.auditor.booking.overlaps import slots_of
from shared.auditor.booking.words import APPOINTMENT
from shared.auditor.facts import Conflict, Event
from shared.auditor.history import History
from shared.auditor.instants import shown
from shared.auditor.report import ViolationKind

_SLOT_ALREADY_BOOKED: Final = "slot_already_booked"
_PATIENT_ALREADY_BOOKED: Final = "patient_already_booked"


def check(history: History) -> None:
    """Look up what each time was refused for."""
    if history.scope.is_trimmed(history.topics.events):
        return
    for event in history.events.values():
        if event.conflict is None or history.is_in_flight(event):
            continue
        if event.reason == _SLOT_ALREADY_BOOKED:
            _judge_slot(history, event, event.conflict)
        elif event.reason == _PATIENT_ALREADY_BOOKED:
            _judge_patient(history, event, event.conflict)


def _judge_slot(history: History, refusal: Event, conflict: Conflict) -> None:
    changes = history.entities.get((conflict.entity, conflict.entity_id), [])
    if not all(change.shares_log_with(refusal) for change in changes):
        # A misrouted command: the two logs have no common order.
        return
    earlier = [change for change in changes if change.position < refusal.position]
    found = _fault(history, refusal, conflict, earlier)
    if found is not None:
        kind, fault = found
        sentence = f"The event {refusal.id} refuses a time for the {conflict.entity} {conflict.entity_id}, which {fault}."
        history.findings.add(kind, sentence, history.of_event(refusal), *map(history.of_event, changes))


def _fault(history: History, refusal: Event, conflict: Conflict, earlier: list[Event]) -> tuple[ViolationKind, str] | None:
    if not earlier:
        return ViolationKind.OUT_OF_LOG_ORDER, "was not there before it in the log"
    last = earlier[-1]
    if last.doctor_id != refusal.key:
        return ViolationKind.UNFOUNDED_REFUSAL, f"is the doctor {last.doctor_id}'s"
    slots = slots_of(last)
    if not slots:
        return ViolationKind.OUT_OF_LOG_ORDER, f"was {last.status} by then"
    if conflict.starts_us is not None and conflict.starts_us not in {slot.starts_us for slot in slots}:
        return ViolationKind.UNFOUNDED_REFUSAL, f"held nothing that starts at {shown(conflict.starts_us)}"
    command = history.deciding_command(refusal)
    if command is not None and last.deadline_us is not None and command.log_time_us > last.deadline_us:
        return ViolationKind.OUT_OF_LOG_ORDER, f"had lapsed at {shown(last.deadline_us)}"
    return None


def _judge_patient(history: History, refusal: Event, conflict: Conflict) -> None:
    """With whichever doctor, so the logs have no common order; but it was that patient's, and held that time once."""
    changes = history.entities.get((APPOINTMENT, conflict.entity_id), [])
    patients = {change.patient_id for change in changes}
    # A proposal names no patient: whose it is, is said by the appointment that it would move.
    refused = history.entities.get((refusal.entity, refusal.entity_id or ""), [])
    patient_id = refused[0].patient_id if refused else refusal.patient_id
    if not changes:
        fault = "which was never there"
    elif patient_id is not None and patient_id not in patients:
        fault = f"which is not the patient {patient_id}'s"
    elif conflict.starts_us is not None and not any(
        slot.starts_us == conflict.starts_us for change in changes for slot in slots_of(change)
    ):
        fault = f"which never held anything that starts at {shown(conflict.starts_us)}"
    else:
        return
    sentence = f"The event {refusal.id} refuses a time for the appointment {conflict.entity_id}, {fault}."
    history.findings.add(ViolationKind.UNFOUNDED_REFUSAL, sentence, history.of_event(refusal), *map(history.of_event, changes))
