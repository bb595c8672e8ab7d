"""Only the recipient, an administrator or the system marks as read and sets preferences; and preferences change only when they differ."""

from itertools import pairwise
from typing import Final

from shared.auditor.history import History
from shared.auditor.notify.words import PREFERENCES, PREFERENCES_CHANGED, READ
from shared.auditor.report import ViolationKind
from shared.auditor.words import DOCTOR, PATIENT

_BY_PEOPLE: Final = frozenset({READ, PREFERENCES_CHANGED})


def check(history: History) -> None:
    """Look at who did it, and at what it changed."""
    for event in history.events.values():
        command = history.deciding_command(event) if event.type in _BY_PEOPLE else None
        if command is None or command.actor is None:
            continue
        role, identifier = command.actor
        if role in {PATIENT, DOCTOR} and identifier != event.key:
            sentence = f"The event {event.id} ({event.type}) came from {identifier}, and is about what is {event.key}'s."
            history.findings.add(ViolationKind.NOT_A_PARTY, sentence, history.of_event(event), history.of_command(command))
    for identifier, changes in history.entities_of(PREFERENCES):
        for before, after in pairwise(changes):
            if before.state == after.state and after.version == before.version + 1:
                sentence = f"The preferences of {identifier}, version {after.version}, are what they were before."
                history.findings.add(ViolationKind.ILLEGAL_TRANSITION, sentence, history.of_event(before), history.of_event(after))
