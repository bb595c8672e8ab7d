"""What is to happen with a delivery that is due, and after an attempt."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from services.notify.domain.attempt import Answer, Attempt, Conclude, Postpone, Standing, after, delay_after, plan
from services.notify.domain.notification import Preferences, Rules
from services.notify.domain.stale import Entity
from shared.messages.notify import About, Channel, DeliveryStatus, Priority, SuppressionReason, Template, UnsentReason
from tests.examples import NOW, hours, minutes
from tests.examples_of_notify import EMAIL, QUIET, RECIPIENT, appointment, preferences

RULES = Rules()
NIGHT = NOW + hours(9)


def standing(
    *,
    template: Template = Template.APPOINTMENT_CONFIRMED,
    priority: Priority = Priority.NORMAL,
    prefers: Preferences | None = None,
    entity: Entity | None = None,
    has_address: bool = True,
    attempts: int = 0,
    first_attempt_at: datetime | None = None,
) -> Standing:
    return Standing(
        template=template,
        priority=priority,
        about=About(entity="appointment", entity_id="apt-1"),
        channel=Channel.EMAIL,
        preferences=prefers or Preferences(recipient_id=RECIPIENT),
        entity=entity,
        has_address=has_address,
        attempts=attempts,
        first_attempt_at=first_attempt_at,
    )


def suppressed(reason: SuppressionReason) -> Conclude:
    return Conclude(DeliveryStatus.SUPPRESSED, reason)


def test_what_is_due_is_attempted() -> None:
    assert plan(standing(), NOW, RULES) == Attempt()
    assert plan(standing(entity=appointment("confirmed"), attempts=7), NOW, RULES) == Attempt()


def test_whatever_changed_since_the_request_counts_just_before_sending() -> None:
    assert plan(standing(prefers=preferences(unwanted=EMAIL)), NOW, RULES) == suppressed(SuppressionReason.OPTED_OUT)
    assert plan(standing(entity=appointment("cancelled", 3)), NOW, RULES) == suppressed(SuppressionReason.STALE)
    assert plan(standing(has_address=False), NOW, RULES) == suppressed(SuppressionReason.NO_CHANNEL)
    everything = standing(prefers=preferences(unwanted=EMAIL), entity=appointment("cancelled", 3), has_address=False)
    assert plan(everything, NOW, RULES) == suppressed(SuppressionReason.OPTED_OUT)


def test_a_retry_waits_for_the_end_of_quiet_hours_too_unless_it_is_critical() -> None:
    asleep = preferences(quiet_hours=QUIET)
    assert plan(standing(prefers=asleep, attempts=3), NIGHT, RULES) == Postpone(NOW + hours(17))
    assert plan(standing(prefers=asleep, priority=Priority.CRITICAL), NIGHT, RULES) == Attempt()
    assert plan(standing(prefers=asleep), NOW, RULES) == Attempt()


def test_a_delivery_that_nobody_lives_to_tell_of_is_not_tried_for_ever() -> None:
    assert plan(standing(attempts=8), NOW, RULES) == Conclude(DeliveryStatus.UNSENT, UnsentReason.TIMED_OUT)


@pytest.mark.parametrize(
    "answer, status, reason",
    [
        (Answer.TAKEN, DeliveryStatus.SENT, None),
        (Answer.REFUSED, DeliveryStatus.UNSENT, UnsentReason.REFUSED),
    ],
)
def test_an_answer_that_is_final_ends_it_at_the_first_attempt(answer: Answer, status: DeliveryStatus, reason: UnsentReason | None) -> None:
    assert after(answer, standing(), NOW, RULES, jitter=0.5) == Conclude(status, reason)


@pytest.mark.parametrize("answer, reason", [(Answer.FAILED, UnsentReason.FAILED), (Answer.UNKNOWN, UnsentReason.TIMED_OUT)])
def test_a_failure_is_tried_again_until_the_last_attempt(answer: Answer, reason: UnsentReason) -> None:
    assert isinstance(after(answer, standing(attempts=6, first_attempt_at=NOW), NOW + minutes(15), RULES, jitter=1), Postpone)
    last = standing(attempts=7, first_attempt_at=NOW)
    assert after(answer, last, NOW + minutes(29), RULES, jitter=0) == Conclude(DeliveryStatus.UNSENT, reason)


def test_waits_double_and_all_together_take_the_retry_period() -> None:
    delays = [delay_after(attempts, RULES) for attempts in range(1, RULES.max_attempts)]
    assert len(delays) == 7
    assert all(later == 2 * earlier for earlier, later in pairwise(delays))
    assert abs(sum(delays, timedelta()) - timedelta(minutes=30)) < timedelta(milliseconds=1)


@pytest.mark.parametrize("jitter, factor", [(0, 0.75), (0.5, 1), (1, 1.25)])
def test_jitter_spreads_what_failed_together(jitter: float, factor: float) -> None:
    next_ = after(Answer.FAILED, standing(), NOW, RULES, jitter=jitter)
    assert isinstance(next_, Postpone)
    assert abs((next_.until - NOW) - delay_after(1, RULES) * factor) < timedelta(milliseconds=1)


def test_where_a_provider_is_too_slow_for_all_that_is_due_the_end_comes_all_the_same() -> None:
    waited = standing(attempts=1, first_attempt_at=NOW)
    assert after(Answer.FAILED, waited, NOW + minutes(61), RULES, jitter=0) == Conclude(DeliveryStatus.UNSENT, UnsentReason.FAILED)
    assert isinstance(after(Answer.FAILED, waited, NOW + minutes(61) - timedelta(seconds=1), RULES, jitter=0), Postpone)


def test_one_attempt_may_be_all_there_is() -> None:
    once = Rules(max_attempts=1)
    assert plan(standing(), NOW, once) == Attempt()
    assert after(Answer.FAILED, standing(), NOW, once, jitter=0) == Conclude(DeliveryStatus.UNSENT, UnsentReason.FAILED)
