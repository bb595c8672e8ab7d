"""What billing does when it does all right."""

from datetime import timedelta

import pytest

from tests.unit.auditor.billing_log import PERIOD, BillingLog, lasting, units_due
from tests.unit.auditor.calls_log import Call, TextSession
from tests.unit.auditor.mesh_log import MeshLog, iso


@pytest.fixture
def log() -> BillingLog:
    return BillingLog()


def connected(log: BillingLog, name: str = "1", **how: str) -> Call:
    call = log.calls.ring(name, **how)
    log.calls.connect(call)
    return call


def active(log: BillingLog, name: str = "1") -> TextSession:
    session = log.calls.open(name)
    log.calls.write(session)
    return session


def test_a_call_is_charged_each_period_and_the_one_begun(log: BillingLog) -> None:
    held = log.grant(video=5, text=3)
    call = connected(log)
    log.deduct(call, held)
    log.deduct(call, held)
    lasting(log, call, 2 * PERIOD + timedelta(seconds=30))
    log.settle(call, held)
    assert held.remaining == {"text": 3, "voice": 0, "video": 2}
    counts = log.is_clean().counts["billing"]
    assert counts.entities["session_unit"] == {"deducted": 3}
    assert counts.entities["subscription"] == {"active": 1}


@pytest.mark.parametrize("seconds, units", [(0, 0), (59, 0), (60, 1), (599, 1), (600, 2), (601, 2)])
def test_the_boundaries_of_a_call(log: BillingLog, seconds: int, units: int) -> None:
    held = log.grant(video=9)
    call = connected(log)
    lasting(log, call, timedelta(seconds=seconds))
    assert units_due(call) == units
    log.settle(call, held)
    log.is_clean()


@pytest.mark.parametrize("end", ["nobody answered", "silence", "patient", "at once"])
def test_a_text_session_ends_in_each_way(log: BillingLog, end: str) -> None:
    held = log.grant(text=9)
    session = log.calls.open()
    if end != "nobody answered":
        log.calls.write(session)
    if end in {"nobody answered", "silence"}:
        log.calls.time_out(session)
    else:
        lasting(log, session, timedelta(seconds=1) if end == "at once" else PERIOD + timedelta(seconds=1))
    log.settle(session, held)
    log.is_clean()


def test_a_call_that_never_connected_costs_nothing_and_is_settled(log: BillingLog) -> None:
    call = log.calls.ring()
    log.calls.time_out(call)
    log.settle(call)
    assert log.is_clean().counts["billing"].entities == {"session": {"": 1}}


def test_the_last_unit_is_taken_and_the_session_is_ended(log: BillingLog) -> None:
    held = log.grant(video=1)
    call = connected(log)
    unit = log.deduct(call, held)
    cause = log.records[-2]
    assert cause.topic == log.topics.commands
    log.exhaust(call, cause)
    log.calls.end(call, by="system", reason="insufficient_balance", command=log.asked)
    log.settle(call, held)
    assert unit.unit == 1
    log.is_clean()


def test_units_go_on_to_the_next_subscription_and_may_be_of_two_currencies(log: BillingLog) -> None:
    first, second = log.grant("1", video=1), log.grant("2", video=5, currency="USD", word="import")
    call = connected(log)
    log.deduct(call, first)
    log.deduct(call, second)
    lasting(log, call, 2 * PERIOD + timedelta(seconds=30))
    log.settle(call, second)
    log.is_clean()


def test_what_was_not_covered_is_refused(log: BillingLog) -> None:
    held = log.grant(video=1)
    call = connected(log)
    log.deduct(call, held)
    lasting(log, call, 3 * PERIOD)
    log.settle(call, held)
    log.is_clean()


def test_a_unit_charged_beyond_the_end_is_given_back_when_the_session_is_settled(log: BillingLog) -> None:
    held = log.grant(video=5)
    call = connected(log)
    lasting(log, call, timedelta(minutes=9))
    log.deduct(call, held)
    log.deduct(call, held, due_at=call.connected_at + 2 * PERIOD if call.connected_at else None)
    log.taken["call-1"][0].due_at = call.ended_at or log.taken["call-1"][0].due_at
    log.spoil(log.taken["call-1"][0].events[0], due_at=iso(log.taken["call-1"][0].due_at), time=iso(log.taken["call-1"][0].due_at))
    log.settle(call, held)
    assert [unit.is_reversed for unit in log.taken["call-1"]] == [False, True]
    log.is_clean()


@pytest.mark.parametrize("before", [True, False], ids=["before it is settled", "after"])
def test_a_unit_is_reversed_by_hand_and_not_deducted_again(log: BillingLog, before: bool) -> None:  # noqa: FBT001
    held = log.grant(video=5)
    call = connected(log)
    unit = log.deduct(call, held)
    if before:
        log.reverse(unit)
    lasting(log, call, PERIOD + timedelta(seconds=1))
    log.settle(call, held)
    if not before:
        log.reverse(unit)
    log.is_clean()


def test_a_subscription_that_ends_takes_with_it_what_is_left(log: BillingLog) -> None:
    cancelled, again, expired = log.grant("1", text=2, voice=1), log.grant("2", text=1), log.grant("3", video=4)
    log.cancel(cancelled)
    log.cancel(again, by="admin")
    log.expire(expired)
    assert log.is_clean().counts["billing"].entities["subscription"] == {"cancelled": 2, "expired": 1}


def test_what_is_given_back_to_a_subscription_that_has_ended_is_lost(log: BillingLog) -> None:
    held = log.grant(video=3)
    call = connected(log)
    unit = log.deduct(call, held)
    lasting(log, call, PERIOD + timedelta(seconds=1))
    log.settle(call, held)
    log.cancel(held)
    log.reverse(unit)
    log.is_clean()


def test_that_few_are_left_is_told_again_after_a_grant(log: BillingLog) -> None:
    held = log.grant("1", video=3)
    call = connected(log)
    log.deduct(call, held)
    log.run_low(call, log.records[-2])
    log.grant("2", video=1)
    log.deduct(call, held)
    log.run_low(call, log.records[-2])
    lasting(log, call, 2 * PERIOD + timedelta(seconds=1))
    log.settle(call, held)
    log.is_clean()


def test_a_deduction_that_is_refused_changes_nothing(log: BillingLog) -> None:
    held = log.grant(video=3)
    call = connected(log)
    log.deduct(call, held)
    data = {"session_id": "call-1", "unit": 1, "doctor_id": "doc-a", "patient_id": "pat-a", "modality": "video"}
    again = log.command_of("billing.session_unit.deduct.v1", data)
    log.refuse(again, "already_deducted", version=1, deduction_id="call-1:1", session_id="call-1", patient_id="pat-a")
    log.is_clean()


def test_what_billing_has_not_heard_yet_is_not_settled_yet(log: BillingLog) -> None:
    call = log.calls.ring()
    ended = log.calls.time_out(call)
    report = MeshLog.audit(log, committed={"billing": {(ended.topic, ended.partition): ended.offset}})
    assert report.passed, report.violations
