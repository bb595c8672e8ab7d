"""Reversing: a unit and its earning go back, once."""

import pytest

from services.billing.domain import decide
from services.billing.domain.decision import Decision, Known, Lapsed, Reversed
from services.billing.domain.ledger import Deduction, EntryKind, postings
from shared.messages.billing import ReverseSessionUnit, SessionUnitReason
from shared.messages.fields import Actor, Modality
from tests.examples import NOW, admin, doctor, minutes, patient, system
from tests.examples_of_billing import (
    RULES,
    events_of,
    example_account,
    example_deduction,
    example_moment,
    example_reversal,
    example_subscription,
    names_of,
    the_refusal,
    units,
)

AT = NOW + minutes(60)


def reverse(deduction: Deduction | None, command: ReverseSessionUnit | None = None) -> Decision:
    known = Known(example_account(example_subscription(remaining=units(7))), deduction=deduction)
    return decide(known, command or example_reversal(), "", example_moment(now=AT), RULES)


@pytest.mark.parametrize("actor", [admin(), system()])
def test_a_unit_and_its_earning_go_back(actor: Actor) -> None:
    decision = reverse(example_deduction(), example_reversal(actor=actor, reason_code="complaint"))
    [reversed_] = events_of(decision, Reversed)
    entry = reversed_.entry
    assert reversed_.deduction == example_deduction(is_reversed=True)
    assert (entry.kind, entry.at, entry.before, entry.after, entry.reason_code) == (EntryKind.REVERSED, AT, 7, 8, "complaint")
    assert {posting.account: posting.amount for posting in postings(entry)} == {
        "subscription:sub-1": 1,
        "session:session-1": -1,
        "doctor:doctor-1": -500_000,
        "platform": 500_000,
    }
    assert decision.account.subscriptions[0].remaining.of(Modality.VOICE) == 8
    assert names_of(decision.events) == ["Reversed"]


@pytest.mark.parametrize("actor", [patient(), doctor()])
def test_the_parties_cannot_reverse(actor: Actor) -> None:
    refusal = the_refusal(reverse(example_deduction(), example_reversal(actor=actor)))
    assert (refusal.status_code, refusal.reason) == (403, SessionUnitReason.NOT_A_PARTY)


def test_what_was_never_deducted_cannot_be_reversed() -> None:
    refusal = the_refusal(reverse(None))
    assert (refusal.status_code, refusal.reason) == (404, SessionUnitReason.DEDUCTION_NOT_FOUND)


def test_another_doctors_deduction_is_not_found() -> None:
    refusal = the_refusal(reverse(example_deduction(), example_reversal(doctor_id="another")))
    assert (refusal.status_code, refusal.reason) == (404, SessionUnitReason.DEDUCTION_NOT_FOUND)


def test_a_unit_is_reversed_once() -> None:
    refusal = the_refusal(reverse(example_deduction(is_reversed=True)))
    assert (refusal.status_code, refusal.reason) == (409, SessionUnitReason.ALREADY_REVERSED)


def test_a_unit_of_a_subscription_that_is_no_more_is_lost_and_the_earning_goes_back_all_the_same() -> None:
    decision = reverse(example_deduction(subscription_id="no-more"))
    [reversed_], [lapsed] = events_of(decision, Reversed), events_of(decision, Lapsed)
    assert (reversed_.entry.before, reversed_.entry.after, lapsed.entry.after) == (7, 8, 7)
    assert (reversed_.entry.sequence, lapsed.entry.sequence) == (2, 3)
    assert decision.account.balance(Modality.VOICE).remaining == 7
    assert decision.account.subscriptions[0].remaining.of(Modality.VOICE) == 7
