"""No two appointments of a doctor, and none of a patient, hold overlapping intervals at any moment of history."""

from collections import defaultdict

from shared.auditor.history import Event, History
from shared.auditor.holdings import Holding, contradictions, holdings_of
from shared.auditor.instants import shown
from shared.auditor.report import ViolationKind


def check(history: History) -> None:
    """Judge every doctor and every patient by the appointments that ever held their time."""
    of_doctors: defaultdict[str, list[list[Event]]] = defaultdict(list)
    of_patients: defaultdict[str, list[list[Event]]] = defaultdict(list)
    for changes in history.appointments.values():
        of_doctors[changes[0].doctor_id].append(changes)
        of_patients[changes[0].patient_id or ""].append(changes)
    for doctor_id, appointments in of_doctors.items():
        _judge(history, ViolationKind.DOCTOR_OVERLAP, f"The doctor {doctor_id}", appointments)
    for patient_id, appointments in of_patients.items():
        _judge(history, ViolationKind.PATIENT_OVERLAP, f"The patient {patient_id}", appointments)


def _judge(history: History, kind: ViolationKind, whose: str, appointments: list[list[Event]]) -> None:
    if len(appointments) == 1:
        return
    holdings = [holding for changes in appointments for holding in holdings_of(changes[0].appointment_id or "", changes)]
    for one, other in contradictions(holdings, in_one_log=kind is ViolationKind.DOCTOR_OVERLAP):
        if _may_be_in_flight(history, one) or _may_be_in_flight(history, other):
            continue
        sentence = (
            f"{whose} has two appointments that held overlapping times at once: {one.entity_id} from {shown(one.starts_us)} to "
            f"{shown(one.ends_us)}, {other.entity_id} from {shown(other.starts_us)} to {shown(other.ends_us)}."
        )
        history.findings.add(kind, sentence, history.of_event(one.proof), history.of_event(other.proof))


def _may_be_in_flight(history: History, holding: Holding) -> bool:
    """Whether the event that let it go may be still to come."""
    return holding.released is None and holding.proof.doctor_id in history.doctors_in_flight
