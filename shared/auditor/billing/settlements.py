"""A session that is over is settled once: for the units that follow from its duration alone, and for the sum of what they earned."""

from collections import Counter, defaultdict
from typing import Final, NamedTuple

from shared.auditor.billing.state import Money, Settlement
from shared.auditor.billing.words import SESSION, SESSION_UNIT
from shared.auditor.calls.state import Call
from shared.auditor.calls.words import LIVE
from shared.auditor.facts import Event
from shared.auditor.history import History
from shared.auditor.report import ViolationKind
from shared.auditor.rules import Rules
from shared.auditor.words import SYSTEM

_NO_CURRENCY: Final = "XXX"
_TEXT: Final = "text"


class _Lasted(NamedTuple):
    """What billing must know of a session that is over."""

    event: Event
    """The one that ended it."""
    modality: str
    began_us: int | None
    over_us: int
    by_system: bool

    def units_due(self, rules: Rules) -> int:
        """How many units fell due: the whole periods, and the one begun when somebody ended it."""
        if self.began_us is None:
            return 0
        lasted_us = max(self.over_us - self.began_us, 0)
        whole = lasted_us // rules.billing_period_us
        if self.modality == _TEXT:
            return max(whole, 1) if self.by_system else whole + 1
        return whole if self.by_system or lasted_us < rules.call_minimum_billed_us else whole + 1


def check(history: History) -> None:
    """Hold every settlement against the units that were deducted, and against the session that calls tell of."""
    standing = _standing(history)
    over = _sessions_that_are_over(history)
    settled: dict[str, Event] = {identifier: changes[0] for identifier, changes in history.entities_of(SESSION)}
    for identifier, event in settled.items():
        _judge_sum(history, event, standing.get(identifier, []))
        if identifier in over:
            _judge_duration(history, event, over[identifier], standing.get(identifier, []))
    for identifier, lasted in over.items():
        if identifier not in settled and not history.is_in_flight(lasted.event) and not history.scope.is_trimmed(history.topics.events):
            sentence = f"The session {identifier} is over, billing has heard of it, and it was never settled."
            history.findings.add(ViolationKind.NOT_SETTLED, sentence, history.others["calls"].of_event(lasted.event))
    _judge_units(history, over)


def _standing(history: History) -> dict[str, list[list[Event]]]:
    """Session → its units, each with all that happened to it."""
    units: defaultdict[str, list[list[Event]]] = defaultdict(list)
    for _, changes in history.entities_of(SESSION_UNIT):
        units[changes[0].state.session_id].append(changes)
    return units


def _sessions_that_are_over(history: History) -> dict[str, _Lasted]:
    """The sessions that calls say are over, as far as billing has heard it."""
    calls = history.others.get("calls")
    if calls is None:
        return {}
    found = {}
    for (_, identifier), changes in calls.entities.items():
        last = changes[-1]
        state = last.state
        if last.status in LIVE or not history.has_heard(calls, last):
            continue
        is_call = isinstance(state, Call)
        began_us = state.connected_us if is_call else state.activated_us
        over_us = state.over.ended_us or last.time_us
        found[identifier] = _Lasted(
            last, state.common.modality or _TEXT if is_call else _TEXT, began_us, over_us, state.over.ended_by in {None, SYSTEM}
        )
    return found


def _judge_sum(history: History, event: Event, units: list[list[Event]]) -> None:
    """Settled is the sum of what was deducted and not reversed by then."""
    settlement: Settlement = event.state
    counted: list[Event] = []
    for changes in units:
        # What was given back later is an event of its own.
        reversal = next((change for change in changes[1:] if _is_later(event, change)), None)
        if len(changes) == 1 or reversal is not None:
            counted.append(changes[0])
    sums: Counter[str] = Counter()
    for unit in counted:
        sums[unit.state.earning.currency] += unit.state.earning.amount_minor
    said = {money for money in settlement.earnings if money != Money(0, _NO_CURRENCY)}
    earned = {Money(amount, currency) for currency, amount in sums.items()}
    if history.scope.is_trimmed(history.topics.events) or (settlement.units_deducted, said) == (len(counted), earned):
        return
    sentence = (
        f"The session {event.entity_id} was settled for {settlement.units_deducted} units and {_shown(said)}; deducted and not reversed were "
        f"{len(counted)} units for {_shown(earned)}."
    )
    history.findings.add(ViolationKind.WRONG_SETTLEMENT, sentence, history.of_event(event), *map(history.of_event, counted))


def _is_later(settled: Event, reversal: Event) -> bool:
    """Whether a unit was given back only after its session had been settled."""
    return reversal.decided_us > settled.decided_us and reversal.identity != settled.identity


def _judge_duration(history: History, event: Event, lasted: _Lasted, units: list[list[Event]]) -> None:
    settlement: Settlement = event.state
    if settlement.modality != lasted.modality or event.time_us != lasted.over_us:
        sentence = f"The session {event.entity_id} was settled as another than calls tell of."
        history.findings.add(ViolationKind.WRONG_SETTLEMENT, sentence, history.of_event(event))
    rules = history.scope.rules
    if rules is None or history.scope.is_trimmed(history.topics.events):
        return
    due = lasted.units_due(rules)
    # Somebody may have had a unit given back that was due; it is not deducted again.
    forgiven = sum(
        len(changes) > 1 and changes[0].state.unit <= due and changes[1].identity != event.identity and not _is_later(event, changes[1])
        for changes in units
    )
    charged = settlement.units_deducted + settlement.units_refused + forgiven
    if charged != due:
        sentence = f"The session {event.entity_id} was charged {charged} units, and {due} fell due in the time that it lasted."
        history.findings.add(ViolationKind.WRONG_UNITS, sentence, history.of_event(event))


def _judge_units(history: History, over: dict[str, _Lasted]) -> None:
    """Each unit fell due a whole number of periods after the session began, or when it was over."""
    rules = history.scope.rules
    if rules is None:
        return
    for _, changes in history.entities_of(SESSION_UNIT):
        unit = changes[0]
        lasted = over.get(unit.state.session_id)
        if lasted is None or lasted.began_us is None:
            continue
        due_us = lasted.began_us + unit.state.unit * rules.billing_period_us
        if unit.state.due_us not in {due_us, min(due_us, lasted.over_us)}:
            sentence = f"The unit {unit.state.unit} of the session {unit.state.session_id} was deducted as due at another time than it was."
            history.findings.add(ViolationKind.WRONG_UNITS, sentence, history.of_event(unit))


def _shown(earnings: set[Money]) -> str:
    return " and ".join(f"{money.amount_minor} {money.currency}" for money in sorted(earnings)) or "nothing"
