"""A command is refused for the status of an entity only where that status forbids it."""

from shared.auditor.facts import Event
from shared.auditor.history import History
from shared.auditor.report import ViolationKind
from shared.auditor.words import WRONG_STATUS


def check(history: History) -> None:
    """Look up the status that each such refusal speaks of, where the log decided it."""
    if history.scope.is_trimmed(history.topics.events):
        return
    for event in history.events.values():
        if event.reason == WRONG_STATUS and event.entity_id is not None and not history.is_in_flight(event):
            _judge(history, event)


def _judge(history: History, refusal: Event) -> None:
    changes = history.entities.get((refusal.entity, refusal.entity_id or ""), [])
    if not changes or not all(change.shares_log_with(refusal) for change in changes):
        return
    earlier = [change for change in changes if change.position < refusal.position]
    command = history.deciding_command(refusal)
    if earlier and earlier[-1].deadline_us is not None and command is not None and command.log_time_us >= earlier[-1].deadline_us:
        # It was over, although no event says so yet.
        return
    status = earlier[-1].status if earlier else None
    fault = _fault(history, refusal, status)
    if fault is not None:
        sentence = f"The event {refusal.id} refuses {refusal.command_type} for a wrong status, but {fault}."
        history.findings.add(ViolationKind.UNFOUNDED_REFUSAL, sentence, history.of_event(refusal), *map(history.of_event, earlier[-1:]))


def _fault(history: History, refusal: Event, status: str | None) -> str | None:
    said = None if refusal.conflict is None else refusal.conflict.status
    if said is not None and said != status:
        return f"it says that the {refusal.entity} is {said}, which was {status or 'not there'}"
    words = history.words.commands.get(refusal.command_type)
    # What a sweep closes, it closes for a deadline: that there is none is a wrong status, too.
    outcomes = () if words is None or refusal.command_type in history.words.sweeps else words.outcomes
    allowed = [outcome for outcome in outcomes if (change := history.words.events[outcome].change) is not None and status in change.before]
    return f"{status} allows {', '.join(allowed)}" if allowed else None
