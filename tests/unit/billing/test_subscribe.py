"""Giving a patient units, once for each subscription, and taking what is left of them away."""

from datetime import datetime, timedelta

import pytest

from services.billing.domain import decide
from services.billing.domain.account import Account
from services.billing.domain.decision import Decision, Deducted, Exhausted, Known, Refused, SubscriptionChanged
from services.billing.domain.ledger import EntryKind
from services.billing.domain.rules import Rules
from services.billing.domain.subscription import Subscription, UnitCounts
from shared.messages.billing import BillingCommand, SubscriptionEventType, SubscriptionReason, SubscriptionStatus
from shared.messages.fields import Actor, Modality, Role
from tests.examples import MILLISECOND, NOW, PATIENT, admin, doctor, minutes, patient, system
from tests.examples_of_billing import (
    PERIOD,
    RULES,
    events_of,
    example_account,
    example_activation,
    example_cancellation,
    example_expiry,
    example_import,
    example_moment,
    example_session,
    example_subscription,
    names_of,
    the_refusal,
    units,
)

END = NOW + timedelta(days=20)
NOTHING = example_account()


def at(command: BillingCommand, known: Known, *, now: datetime = NOW, rules: Rules = RULES) -> Decision:
    return decide(known, command, "sub-1", example_moment(now=now), rules)


def the_change(decision: Decision) -> SubscriptionChanged:
    change = decision.events[0]
    assert isinstance(change, SubscriptionChanged), change
    return change


@pytest.mark.parametrize(
    "command, type_",
    [(example_activation(), SubscriptionEventType.ACTIVATED), (example_import(starts_at=None), SubscriptionEventType.IMPORTED)],
)
def test_a_grant_gives_units_of_each_modality(command: BillingCommand, type_: SubscriptionEventType) -> None:
    decision = at(command, Known(NOTHING))
    change = the_change(decision)
    assert (change.type, change.at) == (type_, NOW)
    assert change.subscription.remaining == change.subscription.granted == units(10)
    assert (change.subscription.starts_at, change.subscription.status) == (NOW, SubscriptionStatus.ACTIVE)
    assert [(entry.kind, entry.modality, entry.sequence, entry.before, entry.after) for entry in change.entries] == [
        (EntryKind.GRANTED, modality, 1, 0, 10) for modality in Modality
    ]
    assert decision.account.subscriptions == (change.subscription,)


def test_a_grant_of_one_modality_is_one_entry() -> None:
    decision = at(example_activation(units={"video": 3}), Known(NOTHING))
    assert [(entry.modality, entry.after) for entry in the_change(decision).entries] == [(Modality.VIDEO, 3)]
    assert the_change(decision).subscription.granted == UnitCounts(video=3)


def test_a_grant_comes_on_top_and_the_patient_may_be_told_again_that_few_are_left() -> None:
    account = example_account(example_subscription(subscription_id="older", remaining=units(2)), told_low=True)
    decision = at(example_activation(), Known(account))
    assert decision.account.balance(Modality.VOICE).remaining == 12
    assert not decision.account.balance(Modality.VOICE).told_low
    assert [held.subscription_id for held in decision.account.subscriptions] == ["older", "sub-1"]


@pytest.mark.parametrize("patient_id, version", [(PATIENT, 1), ("another", 0)])
def test_a_payment_that_is_reported_twice_gives_one_grant(patient_id: str, version: int) -> None:
    decision = at(example_activation(), Known(NOTHING, subscription=example_subscription(patient_id=patient_id)))
    refusal = the_refusal(decision)
    assert (refusal.status_code, refusal.reason) == (409, SubscriptionReason.SUBSCRIPTION_EXISTS)
    [refused] = events_of(decision, Refused)
    assert refused.version == version
    assert decision.account is NOTHING


@pytest.mark.parametrize(
    "starts_at, ends_at, reason",
    [
        (None, NOW, SubscriptionReason.ENDS_BEFORE_IT_STARTS),
        (NOW + minutes(2), NOW + minutes(2), SubscriptionReason.ENDS_BEFORE_IT_STARTS),
        (NOW - minutes(2), NOW - minutes(1), SubscriptionReason.ENDS_IN_THE_PAST),
        (NOW - minutes(2), NOW, SubscriptionReason.ENDS_IN_THE_PAST),
    ],
)
def test_a_subscription_that_could_never_give_a_unit_is_refused(
    starts_at: datetime | None, ends_at: datetime, reason: SubscriptionReason
) -> None:
    refusal = the_refusal(at(example_activation(starts_at=starts_at, ends_at=ends_at), Known(NOTHING)))
    assert (refusal.status_code, refusal.reason) == (422, reason)


def test_a_currency_without_a_rate_is_refused_unless_no_unit_needs_it() -> None:
    rules = Rules(rates={"EUR": {Modality.TEXT: 5}})
    refusal = the_refusal(at(example_activation(currency="EUR"), Known(NOTHING), rules=rules))
    assert (refusal.status_code, refusal.reason) == (422, SubscriptionReason.NO_RATE)
    assert "voice units in EUR" in refusal.message
    assert the_change(at(example_activation(currency="EUR", units={"text": 1}), Known(NOTHING), rules=rules))


@pytest.mark.parametrize("actor, allowed", [(admin(), True), (system(), True), (patient(), False), (doctor(), False)])
def test_only_an_administrator_or_the_system_grants(actor: Actor, *, allowed: bool) -> None:
    for command in (example_activation(actor=actor), example_import(actor=actor)):
        decision = at(command, Known(NOTHING))
        assert (names_of(decision.events) == ["SubscriptionChanged"]) is allowed
        if not allowed:
            assert (the_refusal(decision).status_code, the_refusal(decision).reason) == (403, SubscriptionReason.NOT_A_PARTY)


@pytest.mark.parametrize(
    "actor, allowed", [(admin(), True), (system(), True), (patient(), True), (patient("another"), False), (doctor(), False)]
)
def test_who_may_cancel(actor: Actor, *, allowed: bool) -> None:
    subscription = example_subscription()
    decision = at(example_cancellation(actor=actor), Known(example_account(subscription), subscription=subscription))
    assert (names_of(decision.events) == ["SubscriptionChanged"]) is allowed


def test_what_is_cancelled_gives_nothing_any_more() -> None:
    subscription = example_subscription(remaining=UnitCounts(4, 0, 2))
    other = example_subscription(subscription_id="other", remaining=units(1))
    known = Known(example_account(subscription, other), subscription=subscription)
    decision = at(example_cancellation(actor=patient(), reason_code="moved"), known)
    change = the_change(decision)
    assert (change.type, change.at, change.subscription.version) == (SubscriptionEventType.CANCELLED, NOW, 2)
    assert (change.subscription.cancelled_by, change.subscription.cancellation_reason) == (Role.PATIENT, "moved")
    assert change.subscription.remaining == units(0)
    assert [(entry.kind, entry.modality, entry.before, entry.after) for entry in change.entries] == [
        (EntryKind.LAPSED, Modality.TEXT, 5, 1),
        (EntryKind.LAPSED, Modality.VIDEO, 3, 1),
    ]
    assert decision.account.subscriptions == (other,)


def test_an_empty_subscription_ends_without_an_entry() -> None:
    subscription = example_subscription(remaining=units(0))
    decision = at(example_cancellation(), Known(example_account(subscription), subscription=subscription))
    assert the_change(decision).entries == []


@pytest.mark.parametrize("after", [timedelta(), MILLISECOND, timedelta(days=3)])
def test_a_subscription_expires_at_its_end_whenever_somebody_comes_to_note_it(after: timedelta) -> None:
    subscription = example_subscription(ends_at=END)
    decision = at(example_expiry(), Known(example_account(subscription), subscription=subscription), now=END + after)
    change = the_change(decision)
    assert (change.type, change.at, change.subscription.status) == (SubscriptionEventType.EXPIRED, END, SubscriptionStatus.EXPIRED)
    assert {entry.at for entry in change.entries} == {END}


def test_a_subscription_does_not_expire_before_its_end() -> None:
    subscription = example_subscription(ends_at=END)
    known = Known(example_account(subscription), subscription=subscription)
    refusal = the_refusal(at(example_expiry(), known, now=END - MILLISECOND))
    assert (refusal.status_code, refusal.reason, refusal.conflict) == (409, SubscriptionReason.NOT_DUE, {"ends_at": END})


def test_nobody_but_the_system_expires() -> None:
    subscription = example_subscription(ends_at=END)
    known = Known(example_account(subscription), subscription=subscription)
    refusal = the_refusal(at(example_expiry(actor=admin()), known, now=END))
    assert refusal.reason is SubscriptionReason.NOT_A_PARTY


@pytest.mark.parametrize("command", [example_cancellation(), example_expiry()])
@pytest.mark.parametrize("subscription", [None, example_subscription(patient_id="another")])
def test_what_does_not_exist_for_this_patient_is_not_found(command: BillingCommand, subscription: Subscription | None) -> None:
    refusal = the_refusal(at(command, Known(NOTHING, subscription=subscription), now=END))
    assert (refusal.status_code, refusal.reason) == (404, SubscriptionReason.SUBSCRIPTION_NOT_FOUND)


@pytest.mark.parametrize("command", [example_cancellation(), example_expiry()])
@pytest.mark.parametrize("status", [SubscriptionStatus.EXPIRED, SubscriptionStatus.CANCELLED])
def test_what_ended_once_does_not_end_again_and_says_who_was_first(command: BillingCommand, status: SubscriptionStatus) -> None:
    subscription = example_subscription(status=status)
    refusal = the_refusal(at(command, Known(NOTHING, subscription=subscription), now=END))
    assert (refusal.status_code, refusal.reason) == (409, SubscriptionReason.WRONG_STATUS)
    assert refusal.conflict is not None
    assert (refusal.conflict["status"], refusal.conflict["since"]) == (status, subscription.updated_at)


def test_what_has_ended_cannot_be_cancelled_although_nobody_has_noted_it() -> None:
    subscription = example_subscription(ends_at=END)
    known = Known(example_account(subscription), subscription=subscription)
    assert the_refusal(at(example_cancellation(), known, now=END)).reason is SubscriptionReason.WRONG_STATUS


def ended(command: BillingCommand, account: Account, now: datetime) -> Decision:
    """A subscription ends while the first session has lasted two periods and paid for one, and the second one period."""
    live = [example_session(session_id="first", units_taken=1), example_session(session_id="second", began_at=NOW + PERIOD)]
    return at(command, Known(account, subscription=account.subscriptions[0], live=live), now=now)


def test_units_that_nobody_has_asked_for_yet_are_taken_before_a_subscription_expires() -> None:
    end = NOW + 2 * PERIOD + MILLISECOND
    decision = ended(example_expiry(), example_account(example_subscription(ends_at=end)), end + minutes(60))
    deducted = events_of(decision, Deducted)
    assert [(event.deduction.session_id, event.deduction.unit) for event in deducted] == [("first", 2), ("second", 1)]
    assert [event.entry.sequence for event in deducted] == [2, 3]
    voice = next(entry for entry in the_change(decision).entries if entry.modality is Modality.VOICE)
    assert (voice.sequence, voice.before, voice.after) == (4, 8, 0)
    assert [session.units_taken for session in decision.sessions] == [2, 1]


def test_and_before_it_is_cancelled() -> None:
    decision = ended(example_cancellation(), example_account(example_subscription()), NOW + 2 * PERIOD)
    assert [event.deduction.session_id for event in events_of(decision, Deducted)] == ["first", "second"]


def test_a_session_that_takes_the_last_unit_so_is_ended() -> None:
    account = example_account(example_subscription(remaining=units(1)))
    decision = ended(example_cancellation(), account, NOW + 2 * PERIOD)
    assert [event.session.session_id for event in events_of(decision, Exhausted)] == ["first", "second"]


def test_nothing_happens_to_a_subscription_before_what_happened_last() -> None:
    subscription = example_subscription(starts_at=NOW, ends_at=END)
    account = example_account(subscription)
    decision = at(example_cancellation(), Known(account, subscription=subscription), now=NOW - minutes(5))
    assert the_change(decision).at == NOW
