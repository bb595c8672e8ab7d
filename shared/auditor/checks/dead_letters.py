"""One dead letter for each bad record, true to the original, and none for a good one."""

from shared.auditor.envelopes import Readability
from shared.auditor.facts import Command, DeadLetter, Event
from shared.auditor.history import History
from shared.auditor.report import ViolationKind
from shared.auditor.words import IDEMPOTENCY_CONFLICT, UNPROCESSABLE


def check(history: History) -> None:
    """Judge every dead letter by its record, then look for the records that lack one."""
    for position, letters in history.dead_letters_by_position.items():
        _judge(history, position, letters)
    for command in history.all_commands():
        if command.readability is Readability.UNREADABLE:
            _demand(history, command, "cannot be read")
    for identity, attempts in history.attempts.items():
        events = history.decisions.get(identity)
        if events is not None:
            _demand_for_identity(history, attempts, events[0])
    for letter in history.event_dead_letters.values():
        _judge_of_event(history, letter)


def _demand_for_identity(history: History, attempts: list[Command], outcome: Event) -> None:
    """The record whose data is wrong, and those that use the identity for something else, are set aside."""
    decided = history.deciding_command(outcome)
    if decided is None:
        return
    if _is_bad_data(history, outcome):
        _demand(history, decided, f"was refused as {outcome.reason}")
    for command in attempts:
        if command.body_digest != decided.body_digest:
            _demand(history, command, "has the identity of another command")


def _demand(history: History, command: Command, fault: str) -> None:
    """This record must have a dead letter as soon as its consumer has committed it."""
    if (command.partition, command.offset) in history.dead_letters_by_position:
        return
    if not history.is_decided(command):
        history.in_flight_commands += 1
        return
    sentence = f"The record at partition {command.partition}, offset {command.offset} {fault} and has no dead letter."
    history.findings.add(ViolationKind.MISSING_DEAD_LETTER, sentence, history.of_command(command))


def _judge(history: History, position: tuple[int, int], letters: list[DeadLetter]) -> None:
    partition, offset = position
    if offset < history.scope.beginning(history.topics.commands, partition):
        return
    command = history.commands[partition].get(offset)
    place = f"partition {partition}, offset {offset}"
    proofs = tuple(map(history.of_dead_letter, letters))
    if command is None:
        sentence = f"A dead letter says that it comes from {place}, where nothing lies."
        history.findings.add(ViolationKind.DEAD_LETTER_WITHOUT_CAUSE, sentence, *proofs)
        return
    proofs = (*proofs, history.of_command(command))
    if len(letters) > 1:
        sentence = f"The record at {place} has {len(letters)} dead letters with different ids."
        history.findings.add(ViolationKind.SEVERAL_DEAD_LETTERS, sentence, *proofs)
    for letter in letters:
        if not _is_true(command, letter):
            sentence = f"The dead letter {letter.id} does not carry the key, value and headers of the record at {place}."
            history.findings.add(ViolationKind.DEAD_LETTER_ALTERED, sentence, *proofs)
    fault = _fault(history, command, letters[0])
    if fault is not None:
        sentence = f"The record at {place} was set aside as {letters[0].reason}, but {fault}."
        history.findings.add(ViolationKind.DEAD_LETTER_WITHOUT_CAUSE, sentence, *proofs)


def _fault(history: History, command: Command, letter: DeadLetter) -> str | None:
    """Why this readable record should not have been set aside."""
    events = history.decisions.get(command.identity)
    if command.readability is Readability.UNREADABLE or events is None:
        # A readable one that was set aside and got no outcome is reported as that.
        return None
    decided = history.deciding_command(events[0])
    if decided is None or decided.body_digest != command.body_digest:
        is_conflict = letter.reason == IDEMPOTENCY_CONFLICT
        return None if is_conflict else f"it has the identity of another command: that is an {IDEMPOTENCY_CONFLICT}"
    if decided.key != command.key and letter.reason == IDEMPOTENCY_CONFLICT:
        return None
    return None if _is_bad_data(history, events[0]) else f"it was decided: {events[0].type}"


def _is_bad_data(history: History, outcome: Event) -> bool:
    """Whether the command was refused because its data breaks the schema, and not by a rule."""
    return outcome.status_code == UNPROCESSABLE and outcome.reason not in history.words.rules_with_422


def _judge_of_event(history: History, letter: DeadLetter) -> None:
    """Whoever reads events sets aside only what is none."""
    place = (letter.original_partition, letter.original_offset)
    if (
        letter.original_offset < history.scope.beginning(history.topics.events, letter.original_partition)
        or place in history.unusable_events
    ):
        return
    sentence = (
        f"{letter.service} set the event at partition {place[0]}, offset {place[1]} of {history.topics.events} aside as {letter.reason}, "
        "and nothing is wrong with it."
    )
    history.findings.add(ViolationKind.DEAD_LETTER_WITHOUT_CAUSE, sentence, history.of_dead_letter(letter))


def _is_true(command: Command, letter: DeadLetter) -> bool:
    """Whether the dead letter carries what the record carried, cut only where it had to be."""
    cut = command.oversize
    if cut is None:
        return letter.raw_digest == command.raw_digest
    if letter.value_head != cut.value_head:
        return False
    if not cut.value_is_cut:
        return True
    return any(cut.value_sha256 in text for text in letter.texts) and any(str(cut.value_bytes) in text for text in letter.texts)
