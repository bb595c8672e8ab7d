"""What must be true of billing's events, whatever happened to its processes: computed from the topic alone."""

from collections import Counter, defaultdict
from typing import Any

from tests.system.harness.reading import Events


def balances_of(events: Events) -> dict[tuple[str, str], int]:
    """The units that each patient has of each modality, proved at every prefix by the sequence."""
    changes: defaultdict[tuple[str, str], dict[int, dict[str, Any]]] = defaultdict(dict)
    for event in events.values:
        balance = event.get("balance")
        if balance is not None:
            known = changes[balance["patient_id"], balance["modality"]]
            assert balance["sequence"] not in known, f"{balance} is told twice"
            known[balance["sequence"]] = balance
    ends = {}
    for key, known in changes.items():
        sequences = sorted(known)
        assert sequences == list(range(1, len(sequences) + 1)), f"the sequence of {key} has gaps"
        after = 0
        for sequence in sequences:
            assert known[sequence]["before"] == after, f"{known[sequence]} does not follow from what was before"
            after = known[sequence]["after"]
            assert after >= 0
        ends[key] = after
    return ends


def earned(events: Events) -> Counter[tuple[str, str]]:
    """What each doctor has earned, by currency."""
    sums: Counter[tuple[str, str]] = Counter()
    for word, sign in (("deducted", 1), ("reversed", -1)):
        for event in events.of_type(word):
            sums[event["doctor_id"], event["earning"]["currency"]] += sign * event["earning"]["amount_minor"]
    return sums


def units_of(events: Events) -> dict[str, set[int]]:
    """The units of each session that stand: deducted once, and not reversed."""
    taken = Counter((event["session_id"], event["unit"]) for event in events.of_type("deducted"))
    assert set(taken.values()) <= {1}, "a unit is deducted once, for ever"
    given_back = Counter((event["session_id"], event["unit"]) for event in events.of_type("reversed"))
    assert set(given_back.values()) <= {1}, "and reversed once"
    standing: defaultdict[str, set[int]] = defaultdict(set)
    for session_id, unit in taken.keys() - given_back.keys():
        standing[session_id].add(unit)
    return dict(standing)
