"""Taking a unit that is due: once, from the oldest subscription that has one, and never more than there is."""

from datetime import timedelta

import pytest

from services.billing.domain import decide
from services.billing.domain.decision import Decision, Deducted, Exhausted, Known, RunsLow
from services.billing.domain.ledger import EntryKind
from services.billing.domain.subscription import Subscription, UnitCounts
from shared.messages.billing import DeductSessionUnit, SessionUnitReason, SubscriptionStatus
from shared.messages.fields import Modality
from tests.examples import MILLISECOND, NOW, minutes
from tests.examples_of_billing import (
    CAUSE,
    PERIOD,
    RATES,
    RULES,
    SESSION,
    events_of,
    example_account,
    example_deduct,
    example_deduction,
    example_moment,
    example_session,
    example_subscription,
    names_of,
    the_refusal,
    units,
)

DUE = NOW + PERIOD


def deduct(known: Known, command: DeductSessionUnit | None = None, after: timedelta = PERIOD) -> Decision:
    return decide(known, command or example_deduct(), "", example_moment(now=NOW + after), RULES)


def test_a_unit_leaves_the_subscription_and_its_doctor_earns() -> None:
    before = example_account(example_subscription())
    decision = deduct(Known(before, example_session()), after=PERIOD + 2 * MILLISECOND)
    [deducted] = events_of(decision, Deducted)
    assert deducted.deduction == example_deduction()
    entry = deducted.entry
    assert (entry.kind, entry.at, entry.sequence, entry.before, entry.after) == (EntryKind.DEDUCTED, DUE, 2, 10, 9)
    assert (entry.subscription_id, entry.cause) == ("sub-1", CAUSE)
    assert decision.account.balance(Modality.VOICE).remaining == 9
    assert decision.account.balance(Modality.TEXT) == before.balance(Modality.TEXT)
    assert decision.account.subscriptions[0].remaining == UnitCounts(10, 9, 10)
    assert decision.sessions == (example_session(units_taken=1),)
    assert names_of(decision.events) == ["Deducted"]


@pytest.mark.parametrize("modality", list(Modality))
@pytest.mark.parametrize("currency", list(RATES))
def test_what_a_doctor_earns_is_the_rate_in_the_subscriptions_currency(modality: Modality, currency: str) -> None:
    known = Known(example_account(example_subscription(currency=currency)), example_session(modality=modality))
    [deducted] = events_of(deduct(known, example_deduct(modality=modality)), Deducted)
    assert (deducted.deduction.amount_minor, deducted.deduction.currency) == (RATES[currency][modality], currency)


@pytest.mark.parametrize(
    "command",
    [
        example_deduct(doctor_id="another"),
        example_deduct(patient_id="another"),
        example_deduct(modality=Modality.VIDEO),
    ],
)
def test_a_session_of_others_is_not_found(command: DeductSessionUnit) -> None:
    refusal = the_refusal(deduct(Known(example_account(example_subscription()), example_session()), command))
    assert (refusal.status_code, refusal.reason) == (404, SessionUnitReason.SESSION_NOT_FOUND)


def test_a_session_that_calls_never_told_of_is_not_found() -> None:
    refusal = the_refusal(deduct(Known(example_account(example_subscription()))))
    assert (refusal.status_code, refusal.reason) == (404, SessionUnitReason.SESSION_NOT_FOUND)


@pytest.mark.parametrize("is_reversed, version", [(False, 1), (True, 2)])
def test_a_unit_is_deducted_once_for_ever_also_if_it_was_reversed(*, is_reversed: bool, version: int) -> None:
    known = Known(
        example_account(example_subscription()), example_session(units_taken=1), deduction=example_deduction(is_reversed=is_reversed)
    )
    decision = deduct(known, after=4 * PERIOD)
    refusal = the_refusal(decision)
    assert (refusal.status_code, refusal.reason) == (409, SessionUnitReason.ALREADY_DEDUCTED)
    assert decision.events[0].version == version  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "after, is_due",
    [(timedelta(), False), (PERIOD - MILLISECOND, False), (PERIOD, True), (PERIOD + MILLISECOND, True)],
)
def test_a_unit_is_deducted_when_it_is_due_and_not_before(after: timedelta, *, is_due: bool) -> None:
    decision = deduct(Known(example_account(example_subscription()), example_session()), after=after)
    if is_due:
        assert names_of(decision.events) == ["Deducted"]
    else:
        refusal = the_refusal(decision)
        assert (refusal.status_code, refusal.reason) == (409, SessionUnitReason.NOT_DUE)
        assert refusal.conflict == {"due_at": DUE}


@pytest.mark.parametrize(
    "session",
    [
        pytest.param(example_session(began_at=None), id="not connected"),
        pytest.param(example_session(paused_at=DUE - MILLISECOND), id="the connection is lost"),
        pytest.param(example_session(over_at=NOW + minutes(9), units_taken=0, ended_by_system=True), id="over before"),
    ],
)
def test_a_unit_that_may_never_be_due_is_refused(session: object) -> None:
    decision = deduct(Known(example_account(example_subscription()), session), after=10 * PERIOD)  # type: ignore[arg-type]
    assert the_refusal(decision).reason is SessionUnitReason.NOT_DUE


def test_a_unit_that_fell_due_before_the_connection_was_lost_is_deducted() -> None:
    decision = deduct(Known(example_account(example_subscription()), example_session(paused_at=DUE)), after=2 * PERIOD)
    assert names_of(decision.events) == ["Deducted"]


def test_what_was_settled_without_a_unit_stays_so() -> None:
    settled = example_session(over_at=NOW + minutes(25), units_taken=1, is_exhausted=True)
    decision = deduct(Known(example_account(example_subscription()), settled), example_deduct(unit=2), after=5 * PERIOD)
    assert the_refusal(decision).reason is SessionUnitReason.INSUFFICIENT_BALANCE


def test_missed_units_are_made_up_one_by_one_the_outcome_first() -> None:
    known = Known(example_account(example_subscription()), example_session(units_taken=1))
    decision = deduct(known, example_deduct(unit=4), after=9 * PERIOD)
    deducted = events_of(decision, Deducted)
    assert [event.deduction.unit for event in deducted] == [4, 2, 3]
    assert [event.entry.sequence for event in deducted] == [4, 2, 3]
    assert [event.deduction.due_at for event in deducted] == [NOW + unit * PERIOD for unit in (4, 2, 3)]
    assert decision.sessions[0].units_taken == 4


def test_the_last_units_are_spread_over_two_subscriptions() -> None:
    older = example_subscription(subscription_id="older", remaining=units(1), starts_at=NOW - timedelta(days=20))
    newer = example_subscription(subscription_id="newer", remaining=units(1), currency="USD")
    decision = deduct(Known(example_account(newer, older), example_session()), example_deduct(unit=2), after=2 * PERIOD)
    second, first = events_of(decision, Deducted)
    assert [event.deduction.subscription_id for event in (first, second)] == ["older", "newer"]
    assert [event.deduction.currency for event in (first, second)] == ["MWK", "USD"]
    assert [(event.entry.before, event.entry.after) for event in (first, second)] == [(2, 1), (1, 0)]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(example_subscription(status=SubscriptionStatus.EXPIRED), id="expired"),
        pytest.param(example_subscription(status=SubscriptionStatus.CANCELLED), id="cancelled"),
        pytest.param(example_subscription(ends_at=DUE), id="over when the unit fell due, and nobody has noted it"),
        pytest.param(example_subscription(starts_at=DUE + MILLISECOND), id="not begun"),
        pytest.param(example_subscription(remaining=UnitCounts(10, 0, 10)), id="empty of this modality"),
    ],
)
def test_what_gives_nothing_is_passed_over(other: Subscription) -> None:
    source = example_subscription(subscription_id="source", starts_at=NOW - timedelta(days=1))
    [deducted] = events_of(deduct(Known(example_account(other, source), example_session())), Deducted)
    assert deducted.deduction.subscription_id == "source"
    [event, *_] = deduct(Known(example_account(other), example_session())).events
    assert event.refusal.reason is SessionUnitReason.INSUFFICIENT_BALANCE  # type: ignore[union-attr]


def test_who_decides_late_takes_from_what_was_active_when_the_unit_fell_due() -> None:
    ended_since = example_subscription(ends_at=DUE + MILLISECOND)
    [deducted] = events_of(deduct(Known(example_account(ended_since), example_session()), after=3 * PERIOD), Deducted)
    assert deducted.deduction.due_at == DUE
    begun_since = example_subscription(starts_at=DUE + MILLISECOND)
    assert events_of(deduct(Known(example_account(begun_since), example_session()), after=3 * PERIOD), Deducted)


def test_with_nothing_left_nothing_is_deducted_and_the_session_is_ended_once() -> None:
    account = example_account(example_subscription(remaining=units(0)))
    decision = deduct(Known(account, example_session()))
    assert names_of(decision.events) == ["Refused", "Exhausted"]
    [exhausted] = events_of(decision, Exhausted)
    assert (exhausted.session.session_id, exhausted.at) == (SESSION, DUE)
    assert decision.account.balances == account.balances
    [session] = decision.sessions
    assert (session.units_taken, session.is_exhausted) == (0, True)
    again = deduct(Known(account, session), after=2 * PERIOD)
    assert the_refusal(again).reason is SessionUnitReason.INSUFFICIENT_BALANCE


def test_with_too_little_left_for_all_that_is_due_the_first_units_are_taken_and_the_outcome_is_a_refusal() -> None:
    decision = deduct(
        Known(example_account(example_subscription(remaining=units(2))), example_session()), example_deduct(unit=4), after=4 * PERIOD
    )
    assert names_of(decision.events) == ["Refused", "Deducted", "Deducted", "Exhausted"]
    assert decision.sessions[0].units_taken == 2
    assert decision.account.balance(Modality.VOICE).remaining == 0


def test_the_unit_that_leaves_nothing_ends_the_session_at_once() -> None:
    decision = deduct(Known(example_account(example_subscription(remaining=units(1))), example_session()))
    assert names_of(decision.events) == ["Deducted", "Exhausted"]
    [session] = decision.sessions
    assert (session.units_taken, session.is_exhausted, session.next_tick_at(RULES)) == (1, True, None)


def test_other_modalities_do_not_help() -> None:
    decision = deduct(Known(example_account(example_subscription(remaining=UnitCounts(5, 0, 5))), example_session()))
    assert names_of(decision.events) == ["Refused", "Exhausted"]


@pytest.mark.parametrize("left, warned", [(5, False), (4, False), (3, True), (2, True)])
def test_a_patient_is_told_when_few_are_left(left: int, *, warned: bool) -> None:
    decision = deduct(Known(example_account(example_subscription(remaining=units(left))), example_session()))
    lows = events_of(decision, RunsLow)
    assert [(low.remaining, low.threshold) for low in lows] == ([(left - 1, 2)] if warned else [])
    assert decision.account.balance(Modality.VOICE).told_low is warned


def test_a_patient_is_told_once_for_each_grant() -> None:
    account = example_account(example_subscription(remaining=units(2)), told_low=True)
    assert names_of(deduct(Known(account, example_session())).events) == ["Deducted"]


def test_a_subscription_that_is_to_begin_does_not_count_as_left() -> None:
    scheduled = example_subscription(subscription_id="scheduled", starts_at=NOW + timedelta(days=5))
    account = example_account(example_subscription(remaining=units(1)), scheduled)
    assert names_of(deduct(Known(account, example_session())).events) == ["Deducted", "Exhausted"]
