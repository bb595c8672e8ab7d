"""What is to happen with a delivery that is due: an attempt, a wait, or an end. Judged just before sending."""

from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple

from services.notify.domain.notification import DeliveryReason, Preferences, Rules
from services.notify.domain.request import due_at
from services.notify.domain.stale import Entity, is_stale
from shared.messages.notify import About, Channel, DeliveryStatus, Priority, SuppressionReason, Template, UnsentReason

#: Attempts begin a little late; where the retry period is short, that is no reason for fewer of them.
_PATIENCE: Final = timedelta(minutes=1)


class Standing(NamedTuple):
    """How a delivery stands that is due.

    Attributes:
        has_address: whether the recipient can be reached on the channel, by an address and a provider.
        attempts: how many have begun.
        first_attempt_at: when the first one began, since quiet hours last put it off.
    """

    template: Template
    priority: Priority
    about: About
    channel: Channel
    preferences: Preferences
    entity: Entity | None
    has_address: bool
    attempts: int
    first_attempt_at: datetime | None


class Attempt(NamedTuple):
    """Ask the provider to take it."""


class Postpone(NamedTuple):
    """Wait until then."""

    until: datetime


class Conclude(NamedTuple):
    """Nothing more is to be tried: this has become of it."""

    status: DeliveryStatus
    reason: DeliveryReason | None


Plan = Attempt | Postpone | Conclude


class Answer(Enum):
    """What came of asking a provider."""

    #: It has taken the notification on.
    TAKEN = "taken"
    #: It did not, or could not be asked.
    FAILED = "failed"
    #: It did not answer in time, or the connection broke before it did: the notification may have arrived.
    UNKNOWN = "unknown"
    #: It will never take it.
    REFUSED = "refused"


def plan(standing: Standing, now: datetime, rules: Rules) -> Plan:
    """What is to happen with a delivery that is due."""
    if standing.channel in standing.preferences.unwanted:
        return Conclude(DeliveryStatus.SUPPRESSED, SuppressionReason.OPTED_OUT)
    if is_stale(standing.template, standing.about, standing.entity):
        return Conclude(DeliveryStatus.SUPPRESSED, SuppressionReason.STALE)
    if not standing.has_address:
        return Conclude(DeliveryStatus.SUPPRESSED, SuppressionReason.NO_CHANNEL)
    if standing.attempts >= rules.max_attempts:
        # Whoever made the last attempt did not live to tell what came of it.
        return Conclude(DeliveryStatus.UNSENT, UnsentReason.TIMED_OUT)
    due = due_at(standing.channel, standing.priority, standing.preferences, now)
    return Postpone(due) if due > now else Attempt()


def after(answer: Answer, standing: Standing, now: datetime, rules: Rules, jitter: float) -> Postpone | Conclude:
    """What is to happen after an attempt.

    Args:
        answer: what came of it.
        standing: before the attempt.
        now: when it was over.
        rules: how often, and for how long.
        jitter: 0 to 1, at random: so that what failed together does not come back together.
    """
    attempts = standing.attempts + 1
    match answer:
        case Answer.TAKEN:
            return Conclude(DeliveryStatus.SENT, None)
        case Answer.REFUSED:
            return Conclude(DeliveryStatus.UNSENT, UnsentReason.REFUSED)
        case Answer.FAILED:
            reason = UnsentReason.FAILED
        case Answer.UNKNOWN:
            reason = UnsentReason.TIMED_OUT
    # Where more is due than a failing provider can be asked in the time, there are fewer attempts, and the end comes all the same.
    is_over = standing.first_attempt_at is not None and now >= standing.first_attempt_at + 2 * rules.retry_period + _PATIENCE
    if attempts >= rules.max_attempts or is_over:
        return Conclude(DeliveryStatus.UNSENT, reason)
    return Postpone(now + delay_after(attempts, rules) * (0.75 + 0.5 * jitter))


def delay_after(attempts: int, rules: Rules) -> timedelta:
    """How long to wait after so many attempts: each time twice as long, all together the retry period."""
    first = rules.retry_period / ((1 << rules.max_attempts - 1) - 1)
    return first * (1 << attempts - 1)
