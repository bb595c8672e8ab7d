"""What billing makes of what calls tell: whatever comes in whatever order, a session's duration alone says what it costs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from services.billing.domain import decide
from services.billing.domain.decision import Decision, Deducted, Exhausted, Known, Lapsed, Reversed, Settled
from services.billing.domain.ledger import Deduction
from services.billing.domain.session import Session, SessionNews
from services.billing.domain.subscription import Subscription
from shared.messages.calls import CallEventType, TextSessionEventType
from shared.messages.fields import Modality, Role
from tests.examples import MILLISECOND, NOW, minutes
from tests.examples_of_billing import (
    PERIOD,
    RULES,
    call_news,
    events_of,
    example_account,
    example_deduction,
    example_moment,
    example_session,
    example_subscription,
    names_of,
    seconds,
    text_news,
    units,
)


def hear(known: Known, news: SessionNews) -> Decision:
    return decide(known, news, "", example_moment(now=news.time), RULES)


def hung_up(after: timedelta, *, by: Role = Role.PATIENT, version: int = 3) -> SessionNews:
    return call_news(CallEventType.ENDED, version, connected_at=NOW, ended_at=NOW + after, ended_by=by)


def the_settlement(decision: Decision) -> Settled:
    [settled] = events_of(decision, Settled)
    assert decision.events[-1] is settled
    return settled


@pytest.mark.parametrize(
    "news, cost",
    [
        pytest.param(hung_up(seconds(59)), 0, id="the patient hangs up after 59 s"),
        pytest.param(hung_up(seconds(60)), 1, id="after 60 s"),
        pytest.param(hung_up(seconds(599), by=Role.DOCTOR), 1, id="the doctor hangs up after 599 s: the patient pays"),
        pytest.param(hung_up(seconds(600), by=Role.DOCTOR), 2, id="after 600 s"),
        pytest.param(hung_up(seconds(601), by=Role.ADMIN), 2, id="an administrator ends it after 601 s"),
        pytest.param(hung_up(seconds(601), by=Role.SYSTEM), 1, id="the system ends it after 601 s, such as for want of units"),
        pytest.param(hung_up(seconds(599), by=Role.SYSTEM), 0, id="and after 599 s"),
        pytest.param(call_news(CallEventType.FAILED, 2, ended_at=NOW + seconds(90), ended_by=Role.SYSTEM), 0, id="it never connects"),
        pytest.param(call_news(CallEventType.DECLINED, 2, ended_at=NOW + seconds(9), ended_by=Role.DOCTOR), 0, id="it is declined"),
        pytest.param(call_news(CallEventType.CANCELLED, 2, ended_at=NOW + seconds(9), ended_by=Role.PATIENT), 0, id="it is cancelled"),
    ],
)
def test_each_way_a_call_can_end(news: SessionNews, cost: int) -> None:
    session = example_session(heard_version=1, began_at=None)
    decision = hear(Known(example_account(example_subscription()), session), news)
    settled = the_settlement(decision)
    assert (len(settled.standing), settled.units_refused) == (cost, 0)
    assert decision.account.balance(Modality.VOICE).remaining == 10 - cost
    assert len(events_of(decision, Deducted)) == cost
    assert decision.sessions[0].next_tick_at(RULES) is None


@pytest.mark.parametrize(
    "ended_at, by, cost",
    [
        pytest.param(minutes(9), Role.PATIENT, 1, id="the patient ends it"),
        pytest.param(minutes(10), Role.DOCTOR, 2, id="the doctor ends it after a whole period"),
        pytest.param(minutes(20), Role.SYSTEM, 2, id="both fall silent"),
        pytest.param(seconds(1), Role.SYSTEM, 1, id="the system ends it at once: it was active"),
    ],
)
def test_each_way_a_text_session_can_end(ended_at: timedelta, by: Role, cost: int) -> None:
    news = text_news(TextSessionEventType.ENDED, 9, activated_at=NOW, ended_at=NOW + ended_at, ended_by=by)
    session = example_session(modality=Modality.TEXT)
    decision = hear(Known(example_account(example_subscription()), session), news)
    assert len(the_settlement(decision).standing) == cost
    assert decision.account.balance(Modality.TEXT).remaining == 10 - cost


@pytest.mark.parametrize(
    "news",
    [
        text_news(TextSessionEventType.EXPIRED, 2, ended_at=NOW + minutes(5), ended_by=Role.SYSTEM),
        text_news(TextSessionEventType.ENDED, 2, ended_at=NOW + minutes(3), ended_by=Role.PATIENT),
    ],
)
def test_a_text_session_that_nobody_answered_costs_nothing(news: SessionNews) -> None:
    session = example_session(modality=Modality.TEXT, began_at=None, heard_version=1)
    assert the_settlement(hear(Known(example_account(example_subscription()), session), news)).standing == []


def test_what_was_charged_before_is_not_charged_again() -> None:
    known = Known(example_account(example_subscription()), example_session(units_taken=1), deductions=[example_deduction()])
    decision = hear(known, hung_up(minutes(14)))
    assert [event.deduction.unit for event in events_of(decision, Deducted)] == [2]
    assert events_of(decision, Deducted)[0].entry.at == NOW + minutes(14)
    assert [deduction.unit for deduction in the_settlement(decision).standing] == [1, 2]


def test_what_was_charged_beyond_the_duration_is_given_back() -> None:
    deductions = [example_deduction(unit=unit) for unit in (1, 2, 3)]
    known = Known(example_account(example_subscription()), example_session(units_taken=3), deductions=deductions)
    decision = hear(known, hung_up(minutes(14), by=Role.SYSTEM))
    reversals = events_of(decision, Reversed)
    assert [(event.deduction.unit, event.deduction.is_reversed) for event in reversals] == [(2, True), (3, True)]
    assert [(event.entry.before, event.entry.after) for event in reversals] == [(10, 11), (11, 12)]
    assert {event.entry.reason_code for event in reversals} == {"session_ended_before"}
    assert [deduction.unit for deduction in the_settlement(decision).standing] == [1]


def test_what_was_reversed_before_is_neither_charged_nor_given_back_again() -> None:
    deductions = [example_deduction(unit=1, is_reversed=True), example_deduction(unit=2), example_deduction(unit=3, is_reversed=True)]
    known = Known(example_account(example_subscription()), example_session(units_taken=3), deductions=deductions)
    decision = hear(known, hung_up(minutes(14)))
    assert names_of(decision.events) == ["Settled"]
    assert [deduction.unit for deduction in the_settlement(decision).standing] == [2]


def test_a_unit_that_goes_back_to_a_subscription_that_is_no_more_is_lost() -> None:
    known = Known(example_account(), example_session(units_taken=1), deductions=[example_deduction()])
    decision = hear(known, hung_up(seconds(30)))
    assert names_of(decision.events) == ["Reversed", "Lapsed", "Settled"]
    [lapsed] = events_of(decision, Lapsed)
    assert (lapsed.entry.before, lapsed.entry.after, lapsed.entry.subscription_id) == (1, 0, "sub-1")


def test_what_the_balance_does_not_cover_is_refused_and_the_patient_told() -> None:
    known = Known(example_account(example_subscription(remaining=units(1))), example_session())
    decision = hear(known, hung_up(minutes(25)))
    assert names_of(decision.events) == ["Deducted", "Exhausted", "Settled"]
    settled = the_settlement(decision)
    assert (len(settled.standing), settled.units_refused) == (1, 2)
    [exhausted] = events_of(decision, Exhausted)
    assert exhausted.session.over_at is not None, "it is over: nobody need end it"


def test_a_patient_who_was_told_is_not_told_again_when_the_session_is_settled() -> None:
    known = Known(example_account(), example_session(is_exhausted=True))
    assert names_of(hear(known, hung_up(minutes(15))).events) == ["Settled"]


def test_units_are_charged_from_what_was_there_when_the_session_was_over() -> None:
    topped_up_since = example_subscription(starts_at=NOW + minutes(20))
    decision = hear(Known(example_account(topped_up_since), example_session()), hung_up(minutes(5)))
    assert the_settlement(decision).units_refused == 1


def test_a_session_for_which_nothing_is_left_at_the_start_is_ended_at_once() -> None:
    decision = hear(Known(example_account(example_subscription(remaining=units(0)))), call_news(CallEventType.STARTED, 1))
    assert names_of(decision.events) == ["Exhausted"]
    assert decision.sessions[0].is_exhausted
    connected = hear(Known(decision.account, decision.sessions[0]), call_news(CallEventType.CONNECTED, 2, connected_at=NOW))
    assert connected.events == ()
    assert connected.sessions[0].is_exhausted


@pytest.mark.parametrize(
    "subscription",
    [
        example_subscription(ends_at=NOW),
        example_subscription(starts_at=NOW + MILLISECOND),
    ],
)
def test_what_gives_nothing_at_the_start_does_not_count(subscription: Subscription) -> None:
    decision = hear(Known(example_account(subscription)), text_news(TextSessionEventType.STARTED, 1))
    assert names_of(decision.events) == ["Exhausted"]


def test_a_session_that_goes_on_is_not_ended_because_another_took_the_last_unit_meanwhile() -> None:
    lost = call_news(CallEventType.RECONNECTING, 3, connected_at=NOW, disconnected_at=NOW + minutes(2))
    decision = hear(Known(example_account(example_subscription(remaining=units(0))), example_session()), lost)
    assert decision.events == ()
    assert not decision.sessions[0].is_exhausted


def test_a_session_with_a_unit_left_goes_on() -> None:
    decision = hear(Known(example_account(example_subscription(remaining=units(1)))), call_news(CallEventType.STARTED, 1))
    assert decision.events == ()
    assert decision.sessions == (example_session(heard_version=1, began_at=None),)


@pytest.mark.parametrize(
    "news",
    [
        pytest.param(call_news(CallEventType.CONNECTED, 2, connected_at=NOW), id="again"),
        pytest.param(call_news(CallEventType.STARTED, 1), id="older"),
        pytest.param(call_news(CallEventType.CONNECTED, 5, connected_at=NOW, doctor_id="another"), id="of another doctor's"),
        pytest.param(call_news(CallEventType.CONNECTED, 5, connected_at=NOW, patient_id="another"), id="of another patient's"),
        pytest.param(text_news(TextSessionEventType.ACTIVATED, 5, activated_at=NOW), id="of a text session with a call's id"),
    ],
)
def test_what_is_not_news_changes_nothing(news: SessionNews) -> None:
    session = example_session(heard_version=2)
    decision = hear(Known(example_account(example_subscription(), patient_id=news.patient_id), session), news)
    assert (list(decision.events), list(decision.sessions)) == ([], [])


def test_what_is_over_is_over() -> None:
    known = Known(example_account(example_subscription()), example_session(heard_version=3, over_at=NOW + minutes(5), units_taken=1))
    assert hear(known, hung_up(minutes(50), version=9)).events == ()


CONNECTED = call_news(CallEventType.CONNECTED, 2, connected_at=NOW)
LOST = call_news(CallEventType.RECONNECTING, 3, time=NOW + minutes(11), connected_at=NOW, disconnected_at=NOW + minutes(11))
BACK = call_news(CallEventType.RECONNECTED, 4, time=NOW + minutes(12), connected_at=NOW)
NEWS = (call_news(CallEventType.STARTED, 1), CONNECTED, LOST, BACK, hung_up(minutes(21), version=5))


@pytest.mark.parametrize("order", list(permutations(NEWS)))
def test_in_whatever_order_news_come_the_session_costs_the_same(order: Sequence[SessionNews]) -> None:
    account = example_account(example_subscription())
    session: Session | None = None
    deductions: list[Deduction] = []
    settlements = []
    for news in (news for news in order for _ in range(3)):
        decision = hear(Known(account, session, deductions=deductions), news)
        account = decision.account
        deductions += [event.deduction for event in events_of(decision, Deducted)]
        settlements += events_of(decision, Settled)
        session = decision.sessions[0] if decision.sessions else session
    assert session is not None
    [settled] = settlements
    assert len(settled.standing) == 3
    assert account.balance(Modality.VOICE).remaining == 7
    assert session == replace(example_session(), heard_version=5, over_at=NOW + minutes(21), units_taken=3)


def test_a_connection_that_comes_back_counts_as_if_it_had_never_been_lost() -> None:
    known = Known(example_account(example_subscription()), example_session(heard_version=3, paused_at=NOW + minutes(9)))
    back = hear(known, call_news(CallEventType.RECONNECTED, 4, time=NOW + minutes(12), connected_at=NOW))
    [session] = back.sessions
    assert session.next_tick_at(RULES) == NOW + PERIOD
    assert session.units_due(NOW + minutes(12), RULES) == 1
