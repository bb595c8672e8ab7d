"""What billing promises, broken once each: the auditor finds exactly that, and shows the records."""

from datetime import timedelta
from typing import Any

import pytest

from shared.auditor import Record, ViolationKind
from tests.unit.auditor.billing_log import PERIOD, RATE, BillingLog, Subscription, Unit, lasting
from tests.unit.auditor.calls_log import Call
from tests.unit.auditor.mesh_log import expect, iso, value_of

K = ViolationKind


@pytest.fixture
def log() -> BillingLog:
    return BillingLog()


def connected(log: BillingLog, name: str = "1", **how: str) -> Call:
    call = log.calls.ring(name, **how)
    log.calls.connect(call)
    return call


def charged(log: BillingLog, units: int = 2, **granted: Any) -> tuple[Subscription, Call, list[Unit]]:
    """A call that was charged some units and goes on."""
    held = log.grant(**(granted or {"video": 5}))
    call = connected(log)
    return held, call, [log.deduct(call, held) for _ in range(units)]


def settled(log: BillingLog, units: int = 2, **granted: Any) -> tuple[Call, Record]:
    held, call, _ = charged(log, units, **granted)
    lasting(log, call, units * PERIOD + timedelta(seconds=1))
    return call, log.settle(call, held)


def with_balance(record: Record, **fields: Any) -> dict[str, Any]:
    balance: dict[str, Any] = value_of(record)["balance"]
    return {"balance": balance | fields}


# Balances


def test_a_change_of_a_balance_is_missing(log: BillingLog) -> None:
    _, _, units = charged(log)
    log.balances["pat-a", "video"] = (7, 3)
    event = log.grant("2", video=1).events[0]
    expect(log, K.BALANCE_SEQUENCE, proof=event)
    assert len(units) == 2


def test_two_changes_claim_one_place(log: BillingLog) -> None:
    _, _, units = charged(log)
    event = units[1].events[0]
    log.spoil(event, **with_balance(event, sequence=2, before=5, after=4))
    expect(log, K.BALANCE_SEQUENCE, proof=event)


def test_a_balance_is_another_before_a_change_than_after_the_one_before(log: BillingLog) -> None:
    _, _, units = charged(log)
    event = units[1].events[0]
    log.spoil(event, **with_balance(event, before=5, after=4))
    expect(log, K.BALANCE_BROKEN, proof=event)


@pytest.mark.parametrize("fields", [{"after": 3}, {"after": 5}, {"patient_id": "pat-z"}])
def test_a_deduction_moves_something_else_than_one_unit(log: BillingLog, fields: dict[str, Any]) -> None:
    _, _, units = charged(log, 1)
    event = units[0].events[0]
    log.spoil(event, **with_balance(event, **fields))
    assert K.BALANCE_BROKEN in log.audit().kinds()


def test_a_balance_fell_below_zero(log: BillingLog) -> None:
    _, _, units = charged(log, 2, video=1)
    expect(log, K.NEGATIVE_BALANCE, proof=units[1].events[0])


def test_a_subscription_gave_more_than_it_had_although_another_had_some(log: BillingLog) -> None:
    log.grant("2", video=5)
    _, _, units = charged(log, 2, video=1)
    expect(log, K.NEGATIVE_BALANCE, proof=units[1].events[0])


def test_a_grant_gives_other_units_than_it_says(log: BillingLog) -> None:
    event = log.grant(video=5).events[0]
    log.spoil(event, **with_balance(event, after=6))
    expect(log, K.BALANCE_BROKEN, proof=event)


def test_of_a_grant_of_two_modalities_one_never_came(log: BillingLog) -> None:
    held = log.grant(video=5, text=1)
    further = log.records[-2]
    assert value_of(further)["type"] == "billing.balance.changed.v1"
    log.remove(further)
    expect(log, K.BALANCE_BROKEN, proof=held.events[0])


def test_a_subscription_ended_and_left_units_behind(log: BillingLog) -> None:
    held = log.grant(video=5)
    event = log.cancel(held)
    log.spoil(event, balance=None)
    expect(log, K.BALANCE_BROKEN, proof=event)


def test_a_unit_came_from_a_subscription_that_nobody_activated(log: BillingLog) -> None:
    _, _, units = charged(log, 1)
    event = log.spoil(units[0].events[0], subscription_id="sub-ghost")
    expect(log, K.BALANCE_BROKEN, proof=event)


def test_a_subscription_was_closed_twice(log: BillingLog) -> None:
    held = log.grant(video=5)
    log.cancel(held)
    event = log.cancel(held)
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


def test_a_subscription_was_cancelled_after_its_end(log: BillingLog) -> None:
    held = log.grant(video=5)
    log.now_ms = round(held.ends_at.timestamp() * 1000)
    event = log.cancel(held)
    expect(log, K.AFTER_DEADLINE, proof=event)


def test_a_patient_granted_units_to_themselves(log: BillingLog) -> None:
    event = log.grant(video=5).events[0]
    command = next(record for record in log.records if record.topic == log.topics.commands)
    log.spoil(command, actor={"role": "patient", "id": "pat-a"})
    expect(log, K.NOT_A_PARTY, proof=event)


# Units


def test_a_unit_was_deducted_twice_under_two_ids(log: BillingLog) -> None:
    held, call, units = charged(log, 1)
    again = log.deduct(call, held)
    log.spoil(again.events[0], unit=1, due_at=iso(units[0].due_at), time=iso(units[0].due_at))
    expect(log, K.UNIT_DEDUCTED_TWICE, proof=units[0].events[0])


def test_a_unit_was_deducted_twice_under_one_id(log: BillingLog) -> None:
    held, call, units = charged(log, 1)
    log.taken["call-1"].clear()
    again = log.deduct(call, held)
    expect(log, K.VERSION_TAKEN_TWICE, proof=again.events[0])
    assert again.deduction_id == units[0].deduction_id


def test_a_unit_was_skipped(log: BillingLog) -> None:
    held, call, units = charged(log, 1)
    log.taken["call-1"].append(units[0])
    skipping = log.deduct(call, held)
    assert skipping.unit == 3
    expect(log, K.WRONG_UNITS, proof=skipping.events[0])


@pytest.mark.parametrize("earning", [{"amount_minor": RATE - 1, "currency": "MWK"}, {"amount_minor": RATE, "currency": "USD"}])
def test_a_doctor_earned_something_else_than_the_rate(log: BillingLog, earning: dict[str, Any]) -> None:
    _, _, units = charged(log, 1)
    event = log.spoil(units[0].events[0], earning=earning)
    expect(log, K.WRONG_EARNING, proof=event)


def test_what_rates_say_is_left_out_when_they_were_changed(log: BillingLog) -> None:
    _, _, units = charged(log, 1)
    log.spoil(units[0].events[0], earning={"amount_minor": RATE - 1, "currency": "MWK"})
    report = log.audit(rules=None)
    assert report.passed, report.violations


def test_a_unit_was_paid_by_another_patients_subscription(log: BillingLog) -> None:
    held = log.grant(video=5)
    other = log.grant("2", patient="pat-b", video=5)
    call = connected(log)
    unit = log.deduct(call, held)
    log.spoil(unit.events[0], subscription_id=other.subscription_id)
    assert K.WRONG_EARNING in log.audit().kinds()


@pytest.mark.parametrize(
    "spoilt", [{"earning": {"amount_minor": 1, "currency": "MWK"}}, {"unit": 2}, {"session_id": "call-2"}, {"subscription_id": "sub-9"}]
)
def test_a_reversal_takes_back_something_else(log: BillingLog, spoilt: dict[str, Any]) -> None:
    _, _, units = charged(log, 1)
    event = log.reverse(units[0])
    log.spoil(event, **spoilt)
    assert K.WRONG_EARNING in log.audit().kinds()


def test_a_unit_was_reversed_twice(log: BillingLog) -> None:
    _, _, units = charged(log, 1)
    log.reverse(units[0])
    event = log.reverse(units[0])
    assert log.audit().kinds() == {K.VERSION_TAKEN_TWICE}
    assert event in log.records


def test_a_unit_was_due_at_another_time(log: BillingLog) -> None:
    held, call, units = charged(log, 1)
    later = iso(units[0].due_at + timedelta(seconds=1))
    log.spoil(units[0].events[0], due_at=later, time=later)
    lasting(log, call, PERIOD + timedelta(seconds=30))
    log.settle(call, held)
    expect(log, K.WRONG_UNITS, proof=log.taken["call-1"][0].events[0])


def test_the_time_of_a_deduction_is_not_when_the_unit_fell_due(log: BillingLog) -> None:
    _, _, units = charged(log, 1)
    event = log.spoil(units[0].events[0], time=iso(units[0].due_at + timedelta(seconds=1)))
    expect(log, K.WRONG_BUSINESS_TIME, proof=event)


# Settlements


def test_a_session_that_is_over_was_never_settled(log: BillingLog) -> None:
    call = connected(log)
    event = lasting(log, call, timedelta(seconds=30))
    expect(log, K.NOT_SETTLED, proof=event)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"units_deducted": 2, "units_refused": 1},
        {"earning": {"amount_minor": 2 * RATE, "currency": "MWK"}},
        {"earning": {"amount_minor": 3 * RATE, "currency": "USD"}},
        {"further_earnings": [{"amount_minor": 1, "currency": "USD"}]},
        {"time": "2030-01-07T09:00:00Z"},
        {"modality": "voice"},
    ],
)
def test_a_session_was_settled_for_something_else(log: BillingLog, spoilt: dict[str, Any]) -> None:
    _, event = settled(log)
    event = log.spoil(event, **spoilt)
    expect(log, K.WRONG_SETTLEMENT, proof=event)


def test_a_call_of_59_seconds_was_charged(log: BillingLog) -> None:
    held = log.grant(video=5)
    call = connected(log)
    lasting(log, call, timedelta(seconds=60))
    event = log.settle(call, held)
    # The very same charge, of a call that was a second shorter.
    assert call.connected_at is not None
    shorter = iso(call.connected_at + timedelta(seconds=59))
    ended = call.events[-1]
    log.spoil(ended, ended_at=shorter, connected_seconds=59.0, time=shorter)
    log.spoil(event, time=shorter)
    kinds = log.audit().kinds()
    assert K.WRONG_UNITS in kinds


def test_a_session_was_charged_more_than_fell_due(log: BillingLog) -> None:
    held, call, _ = charged(log, 2)
    lasting(log, call, 2 * PERIOD + timedelta(seconds=1))
    log.deduct(call, held)
    log.deduct(call, held)
    taken = log.taken["call-1"]
    call.ended_at = (call.ended_at or taken[3].due_at) + PERIOD
    event = log.settle(call, held)
    ended_at = value_of(call.events[-1])["ended_at"]
    log.spoil(event, time=ended_at)
    assert K.WRONG_UNITS in log.audit().kinds()


def test_a_session_that_nobody_answered_was_charged(log: BillingLog) -> None:
    held = log.grant(text=5)
    session = log.calls.open()
    log.calls.time_out(session)
    unit = log.deduct(session, held)
    log.taken[session.session_id].clear()
    event = log.settle(session, held)
    assert log.audit().kinds() == {K.WRONG_SETTLEMENT}
    log.spoil(event, units_deducted=1, earning={"amount_minor": RATE, "currency": "MWK"})
    expect(log, K.WRONG_UNITS, proof=event)
    assert unit.unit == 1


def test_nothing_of_a_duration_is_judged_when_the_period_was_changed(log: BillingLog) -> None:
    _, event = settled(log)
    log.spoil(event, units_refused=4)
    assert log.audit().kinds() == {K.WRONG_UNITS}
    assert log.audit(rules=None).passed


# Warnings


def test_that_few_are_left_was_told_twice_after_one_grant(log: BillingLog) -> None:
    held, call, _ = charged(log, 1)
    log.run_low(call, log.records[-2])
    log.deduct(call, held)
    event = log.run_low(call, log.records[-2])
    expect(log, K.TOLD_TWICE, proof=event)


def test_few_are_left_although_there_are_more(log: BillingLog) -> None:
    _, call, _ = charged(log, 1)
    event = log.run_low(call, log.records[-2], remaining=3)
    expect(log, K.BALANCE_BROKEN, proof=event)


def exhausted(log: BillingLog, *, ask: bool) -> tuple[Call, Record]:
    _, call, _ = charged(log, 1, video=1)
    return call, log.exhaust(call, log.records[-2], ask=ask)


def test_calls_were_not_asked_to_end_a_session_that_nothing_is_left_for(log: BillingLog) -> None:
    _, event = exhausted(log, ask=False)
    expect(log, K.MISSING_REQUEST, proof=event)


def test_that_nothing_is_left_was_told_twice_for_one_session(log: BillingLog) -> None:
    call, _ = exhausted(log, ask=True)
    log.calls.end(call, by="system", reason="insufficient_balance", command=log.asked)
    data = {"session_id": "call-1", "unit": 2, "doctor_id": "doc-a", "patient_id": "pat-a", "modality": "video"}
    command = log.command_of("billing.session_unit.deduct.v1", data)
    log.refuse(command, "insufficient_balance", session_id="call-1", patient_id="pat-a", deduction_id="call-1:2")
    event = log.exhaust(call, command, ask=True)
    again = log.asked
    assert again is not None
    log.calls.refuse(again, "wrong_status", version=3, call_id="call-1", conflict={"call_id": "call-1", "status": "ended"})
    log.settle(call)
    expect(log, K.TOLD_TWICE, proof=event)


def test_the_patient_was_not_told_that_nothing_is_left(log: BillingLog) -> None:
    call, event = exhausted(log, ask=True)
    told = next(record for record in reversed(log.records) if record.topic == log.topics.notifications)
    log.remove(told)
    log.calls.end(call, by="system", reason="insufficient_balance", command=log.asked)
    log.settle(call)
    expect(log, K.MISSING_NOTIFICATION, proof=event)


def test_an_event_was_decided_on_something_that_calls_never_said(log: BillingLog) -> None:
    call, event = settled(log)
    log.remove(call.events[-1])
    assert K.EVENT_WITHOUT_COMMAND in log.audit().kinds()
    assert event in log.records
