"""No two appointments of a doctor, and none of a patient, hold overlapping intervals at any moment of history; nor do a doctor's time off."""

from collections import defaultdict
from collections.abc import Iterable

from shared.auditor.booking.words import APPOINTMENT, HOLDING, TIME_OFF
from shared.auditor.facts import Event
from shared.auditor.history import History
from shared.auditor.holdings import Holding, Slot, contradictions, holdings_of
from shared.auditor.instants import MICROSECONDS_PER_MINUTE, shown
from shared.auditor.report import ViolationKind


def check(history: History) -> None:
    """Judge every doctor and every patient by what ever held their time."""
    of_doctors: defaultdict[str, list[list[Event]]] = defaultdict(list)
    of_patients: defaultdict[str, list[list[Event]]] = defaultdict(list)
    for (kind, _), changes in history.entities.items():
        of_doctors[changes[0].doctor_id or ""].append(changes)
        if kind == APPOINTMENT:
            of_patients[changes[0].patient_id or ""].append(changes)
    for doctor_id, entities in of_doctors.items():
        _judge(history, ViolationKind.DOCTOR_OVERLAP, f"The doctor {doctor_id}", entities)
    for patient_id, entities in of_patients.items():
        _judge(history, ViolationKind.PATIENT_OVERLAP, f"The patient {patient_id}", entities)


def slots_of(event: Event) -> tuple[Slot, ...]:
    """The intervals that are held after this event: of a proposal the old and the proposed one."""
    if event.entity == TIME_OFF:
        return (Slot(event.state.starts_us, event.state.ends_us),) if event.status == "blocked" else ()
    if event.status not in HOLDING:
        return ()
    appointment = event.state
    length_us = appointment.duration_minutes * MICROSECONDS_PER_MINUTE
    starts = {appointment.starts_us, appointment.starts_us if appointment.proposed_starts_us is None else appointment.proposed_starts_us}
    return tuple(Slot(start, start + length_us) for start in sorted(starts))


def _judge(history: History, kind: ViolationKind, whose: str, entities: Iterable[list[Event]]) -> None:
    holdings = [holding for changes in entities for holding in holdings_of(_name(changes[0]), changes, slots_of)]
    for one, other in contradictions(holdings, in_one_log=kind is ViolationKind.DOCTOR_OVERLAP):
        if _may_be_in_flight(history, one) or _may_be_in_flight(history, other):
            continue
        kinds = {one.proof.entity, other.proof.entity}
        if kinds == {TIME_OFF}:
            # What is blocked may be blocked once more.
            continue
        sentence = (
            f"{whose} held overlapping times at once: {one.entity_id} from {shown(one.starts_us)} to {shown(one.ends_us)}, "
            f"{other.entity_id} from {shown(other.starts_us)} to {shown(other.ends_us)}."
        )
        found = ViolationKind.TIME_OFF_OVERLAP if TIME_OFF in kinds else kind
        history.findings.add(found, sentence, history.of_event(one.proof), history.of_event(other.proof))


def _name(event: Event) -> str:
    return f"the {event.entity} {event.entity_id}"


def _may_be_in_flight(history: History, holding: Holding) -> bool:
    """Whether the event that let it go may be still to come."""
    return holding.released is None and history.is_in_flight(holding.proof)
