"""A doctor and a patient are in one live call or active text session at a time; a patient also while a text session waits."""

from collections import defaultdict
from typing import Final

from shared.auditor.calls.words import LIVE, TEXT_SESSION
from shared.auditor.facts import Event
from shared.auditor.history import History
from shared.auditor.holdings import Holding, Slot, contradictions, holdings_of
from shared.auditor.report import ViolationKind

#: Whoever is in two at once is so whatever time it is: all of them contend for one and the same slot.
_PRESENCE: Final = (Slot(0, 1),)


def check(history: History) -> None:
    """Judge every doctor and every patient by what they ever were in."""
    of_doctors: defaultdict[str, list[Holding]] = defaultdict(list)
    of_patients: defaultdict[str, list[Holding]] = defaultdict(list)
    for (kind, identifier), changes in history.entities.items():
        name = f"the {kind} {identifier}"
        of_doctors[changes[0].doctor_id or ""] += holdings_of(name, changes, _of_doctor)
        of_patients[changes[0].patient_id or ""] += holdings_of(name, changes, _of_patient)
    for doctor_id, holdings in of_doctors.items():
        _judge(history, f"The doctor {doctor_id}", holdings, is_doctor=True)
    for patient_id, holdings in of_patients.items():
        _judge(history, f"The patient {patient_id}", holdings, is_doctor=False)


def _of_doctor(event: Event) -> tuple[Slot, ...]:
    return _PRESENCE if event.status in LIVE and event.status != "waiting" else ()


def _of_patient(event: Event) -> tuple[Slot, ...]:
    return _PRESENCE if event.status in LIVE else ()


def _judge(history: History, who: str, holdings: list[Holding], *, is_doctor: bool) -> None:
    rules = history.scope.rules
    may_be_several = rules is None or rules.text_sessions_per_doctor > 1
    for one, other in contradictions(holdings, in_one_log=is_doctor):
        if any(holding.released is None and history.is_in_flight(holding.proof) for holding in (one, other)):
            continue
        if is_doctor and may_be_several and {one.proof.entity, other.proof.entity} == {TEXT_SESSION}:
            # As many as a setting allows: only that no call is beside them is judged.
            continue
        sentence = f"{who} was in {one.entity_id} and in {other.entity_id} at once."
        history.findings.add(ViolationKind.TWO_LIVE_SESSIONS, sentence, history.of_event(one.proof), history.of_event(other.proof))
