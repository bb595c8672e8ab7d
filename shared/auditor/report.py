"""What the auditor says: counts, and for every broken promise a kind, a sentence and the records that prove it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

#: So many violations of one kind are kept with their proofs; the rest are only counted, so that a broken mesh cannot fill the memory.
PROOFS_PER_KIND: Final = 100


class ViolationKind(StrEnum):
    """The promises that can be broken."""

    #: Two appointments of one doctor held overlapping intervals at the same moment.
    DOCTOR_OVERLAP = "doctor_overlap"
    #: Two appointments of one patient held overlapping intervals at the same moment.
    PATIENT_OVERLAP = "patient_overlap"
    #: An appointment held a part of its doctor's time off.
    TIME_OFF_OVERLAP = "time_off_overlap"
    #: A doctor or a patient was in two live calls or text sessions at once.
    TWO_LIVE_SESSIONS = "two_live_sessions"
    #: The activity of a text session does not add up.
    ACTIVITY_MISCOUNTED = "activity_miscounted"

    #: A patient's units fell below 0, or a subscription gave more than it had.
    NEGATIVE_BALANCE = "negative_balance"
    #: What is said of a balance does not follow from what was said before.
    BALANCE_BROKEN = "balance_broken"
    #: The changes of a balance are not numbered 1, 2, 3 …
    BALANCE_SEQUENCE = "balance_sequence"
    #: One unit of one session was deducted more than once.
    UNIT_DEDUCTED_TWICE = "unit_deducted_twice"
    #: A session was charged other units than fell due.
    WRONG_UNITS = "wrong_units"
    #: What a doctor earned for a unit is not its rate, or not what was taken back.
    WRONG_EARNING = "wrong_earning"
    #: A session was settled for something else than was deducted for it.
    WRONG_SETTLEMENT = "wrong_settlement"
    #: A session that is over was never settled.
    NOT_SETTLED = "not_settled"
    #: A warning that comes once came again, or a notification came to two ends on one channel.
    TOLD_TWICE = "told_twice"

    #: A readable command that its consumer committed has no outcome.
    MISSING_OUTCOME = "missing_outcome"
    #: One command has several outcomes.
    SEVERAL_OUTCOMES = "several_outcomes"
    #: The outcome is not one that this command can have, or speaks of another appointment.
    WRONG_OUTCOME = "wrong_outcome"
    #: The events of one decision are not numbered 0, 1, 2, …
    DECISION_INDEX_GAP = "decision_index_gap"
    #: An event names a command that does not lie where it says.
    EVENT_WITHOUT_COMMAND = "event_without_command"
    #: Another service was not asked what follows from an event.
    MISSING_REQUEST = "missing_request"
    #: Records with one id differ in key, value or headers.
    COPIES_DIFFER = "copies_differ"
    #: An event's value or headers break the contract.
    MALFORMED_EVENT = "malformed_event"
    #: An event or a notification request does not lie on the murmur2 partition of its key, nor did it ever.
    WRONG_PARTITION = "wrong_partition"
    #: Kafka acknowledged a record that is no longer there.
    ACKNOWLEDGED_RECORD_VANISHED = "acknowledged_record_vanished"

    #: A bad record that its consumer committed has no dead letter.
    MISSING_DEAD_LETTER = "missing_dead_letter"
    #: A record has dead letters with different ids.
    SEVERAL_DEAD_LETTERS = "several_dead_letters"
    #: A dead letter for a good record, or for one that does not exist.
    DEAD_LETTER_WITHOUT_CAUSE = "dead_letter_without_cause"
    #: A dead letter does not carry the original's key, value and headers.
    DEAD_LETTER_ALTERED = "dead_letter_altered"
    #: A dead letter lacks a header of the contract.
    MALFORMED_DEAD_LETTER = "malformed_dead_letter"
    #: An event was published for a record that nobody could have read.
    EVENT_FROM_BAD_RECORD = "event_from_bad_record"

    #: A version of an entity is missing.
    VERSION_GAP = "version_gap"
    #: Two different events claim the same version of an entity.
    VERSION_TAKEN_TWICE = "version_taken_twice"
    #: An event that changes nothing does not repeat the version that was current.
    VERSION_NOT_CURRENT = "version_not_current"

    #: A notification that the contract demands was not requested.
    MISSING_NOTIFICATION = "missing_notification"
    #: One cause was told to one recipient under several ids.
    SEVERAL_NOTIFICATIONS = "several_notifications"
    #: A notification request that no event demands.
    NOTIFICATION_WITHOUT_CAUSE = "notification_without_cause"
    #: A notification request's key, headers or priority break the contract.
    MALFORMED_NOTIFICATION = "malformed_notification"

    #: A change that the rules do not know, or of an entity that was closed.
    ILLEGAL_TRANSITION = "illegal_transition"
    #: Something happened to an entity after its deadline, when it was over.
    AFTER_DEADLINE = "after_deadline"
    #: Something that has to wait for its time, such as an expiry or a no-show, came before it.
    BEFORE_DEADLINE = "before_deadline"
    #: What fell due was left while the sweeps closed what fell due long after it.
    OVERDUE = "overdue"
    #: A change was made by somebody who may not make it.
    NOT_A_PARTY = "not_a_party"
    #: An event's time is not the append time of its command.
    WRONG_BUSINESS_TIME = "wrong_business_time"
    #: Outcomes contradict the order of the commands in their partition.
    OUT_OF_LOG_ORDER = "out_of_log_order"
    #: A refusal names something that did not stand in the way.
    UNFOUNDED_REFUSAL = "unfounded_refusal"
    #: A notification was suppressed for a reason that the topics do not bear out.
    UNFOUNDED_SUPPRESSION = "unfounded_suppression"


@dataclass(frozen=True, slots=True)
class RecordReference:
    """A record that proves something: enough to find it with any Kafka tool."""

    topic: str
    partition: int
    offset: int
    key: str | None = None
    id: str | None = None
    """The ``ce_id``, the notification's id or the dead letter's id."""
    entity_id: str | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    kind: ViolationKind
    sentence: str
    records: tuple[RecordReference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much was looked at of one service. Copies are not counted as what they are copies of."""

    commands: int
    """Command identities that are readable."""
    command_copies: int
    unreadable_commands: int
    misrouted_commands: int
    """Commands that do not lie on the partition of their key: decided safely, but outside their doctor's order."""
    events: int
    event_copies: int
    events_of_unknown_type: int
    outcomes: Mapping[str, int]
    """Event type → commands that ended so."""
    refusals: Mapping[str, int]
    """Reason → commands refused for it."""
    entities: Mapping[str, Mapping[str, int]]
    """Kind of entity → status → how many are in it now."""
    overdue: int
    """Entities whose deadline had passed when the newest command came, and that nobody has closed yet."""
    dead_letters: int
    dead_letter_copies: int
    event_dead_letters: int
    """Events that a reader of this service's events has set aside."""
    notifications: int
    notification_copies: int
    in_flight_commands: int
    """Records that no consumer has committed and that have no outcome yet."""
    in_flight_notifications: int
    """Notification requests still to come, for events that the processor has not committed."""


@dataclass(frozen=True, slots=True)
class Report:
    """The auditor's verdict.

    ``violations`` holds at most `PROOFS_PER_KIND` of a kind; ``totals`` counts them all.
    """

    counts: Mapping[str, Counts]
    """By service."""
    acknowledged: int
    """Positions given by producers and looked for."""
    violations: tuple[Violation, ...]
    totals: Mapping[ViolationKind, int]

    @property
    def passed(self) -> bool:
        """Whether no promise was broken."""
        return not self.totals

    @property
    def commands(self) -> int:
        """Command identities of all services."""
        return sum(counts.commands for counts in self.counts.values())

    @property
    def in_flight(self) -> int:
        """What is still under way in all services."""
        return sum(counts.in_flight_commands + counts.in_flight_notifications for counts in self.counts.values())

    def kinds(self) -> frozenset[ViolationKind]:
        """The kinds of promises that were broken."""
        return frozenset(self.totals)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON data."""
        return {
            "passed": self.passed,
            "counts": {service: asdict(counts) for service, counts in self.counts.items()},
            "acknowledged": self.acknowledged,
            "totals": {kind.value: count for kind, count in self.totals.items()},
            "violations": [asdict(violation) for violation in self.violations],
        }


@dataclass(slots=True)
class Findings:
    """Collects violations while the checks run."""

    violations: list[Violation] = field(default_factory=list)
    totals: Counter[ViolationKind] = field(default_factory=Counter)

    def add(self, kind: ViolationKind, sentence: str, *records: RecordReference) -> None:
        """Note a violation; beyond `PROOFS_PER_KIND` of its kind it is only counted."""
        self.totals[kind] += 1
        if self.totals[kind] <= PROOFS_PER_KIND:
            self.violations.append(Violation(kind, sentence, records))
