"""A plain producer that knows nothing but the contract buys, meets doctors through calls, and finds the bill right to the unit.

Billing is killed in the middle for longer than a billing period.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.system.harness.accounts import balances_of, earned, units_of
from tests.system.harness.billing_commands import RATES, activate, cancel_subscription, moment_of, reverse
from tests.system.harness.calls_commands import DOCTOR, activity, on_call, start, text_end, text_start
from tests.system.harness.mesh import Mesh
from tests.system.harness.processes import Process
from tests.system.harness.producers import Publishes
from tests.system.harness.reading import Events, ending
from tests.system.harness.waiting import until

PERIOD, MINIMUM = timedelta(seconds=2), timedelta(seconds=0.5)
LIMITS = {
    "CAREMESH_BILLING_PERIOD_SECONDS": "2",
    "CAREMESH_CALL_MINIMUM_BILLED_SECONDS": "0.5",
    "CAREMESH_CALL_RECONNECT_TIMEOUT_SECONDS": "1.5",
}
VIDEO = ("doctor-1", "patient-1")
RICH, POOR, BROKE = "patient-1", "patient-poor", "patient-broke"


def units_by_rule(over: dict[str, Any]) -> int:
    """What domain.md says that a session costs, from what calls tell of its end."""
    is_call = "call_id" in over
    began_at = over["connected_at"] if is_call else over["activated_at"]
    if began_at is None:
        return 0
    lasted = moment_of(over["ended_at"]) - moment_of(began_at)
    whole = lasted // PERIOD
    if over["ended_by"] == "system":
        return whole if is_call else max(whole, 1)
    return whole + 1 if not is_call or lasted >= MINIMUM else whole


async def over(calls: Mesh) -> dict[str, dict[str, Any]]:
    """The sessions that are over, as calls tell."""
    ends = ("ended", "failed", "declined", "cancelled", "expired")
    events = await calls.read_events()
    return {event.get("call_id") or event["session_id"]: event for end in ends for event in events.of_type(end)}


#: Every session of the story.
ALL = {"long", "short", "never", "unanswered", "poor", "broke", "text", "late-text", "lost", "paid-text"}


async def test_sessions_cost_what_the_rules_say_also_when_billing_was_down(mesh: Mesh) -> None:
    mesh.environment.update(LIMITS)
    billing, calls = mesh.of("billing"), mesh.of("calls")
    workers = [billing.consumer(), billing.processor(), calls.consumer(), calls.processor()]
    await billing.assigned(1)
    await calls.assigned(1)
    await billing.assigned(1, group=f"{billing.group}-processor")
    async with billing.native_producer() as pay, calls.native_producer() as call:
        await they_buy(billing, pay)
        await calls_of_every_kind(billing, calls, call)
        await billing_is_down(billing, call, workers[:2])
        await those_who_buy_later(billing, calls, pay, call)
        await until(lambda: settled(billing, len(ALL)), "all are settled", seconds=60)
        await pay.publish([reverse("long:1", "doctor-1", "give-back"), cancel_subscription("of-poor", POOR, "no-more")])
        await calls.end_sweeps()
        await billing.end_sweeps()
        await billing.is_clean()
    ends, events = await over(calls), await billing.read_events()
    assert events.differing() == []
    assert ending(events.outcome("pay-rich-again")) == "409 subscription_exists"
    assert ending(events.outcome("pay-odd")) == "422 no_rate"
    due = {session_id: units_by_rule(end) for session_id, end in ends.items()}
    bills = {event["session_id"]: event for event in events.of_type("settled")}
    assert bills.keys() == ends.keys() == ALL
    for session_id, bill in bills.items():
        assert bill["units_deducted"] + bill["units_refused"] == due[session_id], (session_id, ends[session_id])
    assert [ends[session_id]["reason"] for session_id in ("poor", "broke", "text")] == ["insufficient_balance"] * 3
    assert (bills["poor"]["units_deducted"], bills["poor"]["units_refused"]) == (1, 0)
    assert [due[session_id] for session_id in ("never", "unanswered", "broke", "text", "late-text")] == [0] * 5
    assert ends["lost"]["reason"] == "reconnect_timeout"
    assert [bills[session_id]["units_refused"] for session_id in ("long", "lost", "paid-text")] == [0] * 3
    standing = units_of(events)
    assert standing["long"] == set(range(2, due["long"] + 1)), "the first was given back"
    left = balances_of(events)
    assert (left[RICH, "video"], left[POOR, "video"]) == (30 - due["long"] + 1, 0)
    assert left["patient-7", "text"] == 9 - due["paid-text"]
    await what_the_command_line_shows(billing, events, due)
    await who_was_told(billing, events)


async def they_buy(billing: Mesh, pay: Publishes) -> None:
    await pay.publish(
        [
            activate("of-rich", RICH, "pay-rich", text=30, voice=30, video=30),
            activate("of-rich", RICH, "pay-rich-again", text=30, voice=30, video=30),
            activate("of-poor", POOR, "pay-poor", voice=1, video=1),
            activate("odd", RICH, "pay-odd", currency="EUR", text=1),
            activate("of-2", "patient-2", "pay-2", video=5),
        ]
    )
    await billing.decided()


async def calls_of_every_kind(billing: Mesh, calls: Mesh, call: Publishes) -> None:
    """A long one, through all that happens; a short one; two that never begin; one with a single unit, and one with none."""
    await call.publish(
        [
            start("long", *VIDEO, "ring-long"),
            on_call("connect", "long", *VIDEO, "take-long", by=DOCTOR),
            start("short", "doctor-2", "patient-2", "ring-short"),
            on_call("connect", "short", "doctor-2", "patient-2", "take-short", by=DOCTOR),
            on_call("end", "short", "doctor-2", "patient-2", "hang-up-short"),
            start("never", "doctor-3", "patient-3", "ring-never"),
            on_call("cancel", "never", "doctor-3", "patient-3", "take-back"),
            text_start("unanswered", "doctor-4", "patient-4", "open-unanswered"),
            text_end("unanswered", "doctor-4", "patient-4", "leave"),
            start("poor", "doctor-5", POOR, "ring-poor"),
            on_call("connect", "poor", "doctor-5", POOR, "take-poor", by=DOCTOR),
            start("broke", "doctor-6", BROKE, "ring-broke"),
        ]
    )
    await until(lambda: charged(billing, "long", 1), "the first unit of the long call is charged")
    await until(lambda: is_over(calls, "poor"), "the call without a further unit is ended")
    await until(lambda: is_over(calls, "broke"), "and the one without any")


async def billing_is_down(billing: Mesh, call: Publishes, workers: list[Process]) -> None:
    """Billing is killed, and so are its sweeps, for longer than a period; the calls go on."""
    killed_at = datetime.now(UTC)
    for worker in workers:
        await worker.kill()
    await call.publish(
        [
            on_call("disconnect", "long", *VIDEO, "lose"),
            on_call("reconnect", "long", *VIDEO, "regain"),
            text_start("text", "doctor-7", "patient-7", "open"),
        ]
    )
    await until(lambda: datetime.now(UTC) > killed_at + 2.5 * PERIOD, "more than two periods have passed")
    billing.consumer()
    billing.processor()
    await until(lambda: charged(billing, "long", 3), "the missed units are made up", seconds=60)


async def those_who_buy_later(billing: Mesh, calls: Mesh, pay: Publishes, call: Publishes) -> None:
    """A session opened before its patient had bought is ended, one after it is charged; a connection does not come back."""
    await until(lambda: is_over(calls, "text"), "the text session that nobody had paid for is ended")
    await pay.publish([activate("of-7", "patient-7", "pay-7", text=9), activate("of-8", "patient-8", "pay-8", video=9)])
    await billing.decided()
    await call.publish([text_start("late-text", "doctor-8", "patient-8", "open-late")])
    await until(lambda: is_over(calls, "late-text"), "and so is the one of the wrong modality")
    await call.publish(
        [
            start("lost", "doctor-9", "patient-8", "ring-lost"),
            on_call("connect", "lost", "doctor-9", "patient-8", "take-lost", by=DOCTOR),
            text_start("paid-text", "doctor-7", "patient-7", "open-paid"),
            activity("paid-text", "doctor-7", "patient-7", "answer-paid"),
        ]
    )
    await until(lambda: charged(billing, "paid-text", 1), "the text session is charged")
    await call.publish(
        [
            on_call("disconnect", "lost", "doctor-9", "patient-8", "lose-lost"),
            text_end("paid-text", "doctor-7", "patient-7", "close-paid", by=DOCTOR),
            on_call("end", "long", *VIDEO, "hang-up-long", by=DOCTOR),
        ]
    )


async def what_the_command_line_shows(billing: Mesh, events: Events, due: dict[str, int]) -> None:
    paid = earned(events)
    doctor = json.loads(await billing.caremesh("show", "doctor", "doctor-1", "--json"))["doctor"]
    assert doctor["earned_minor"] == {"MWK": paid["doctor-1", "MWK"]} == {"MWK": (due["long"] - 1) * RATES["MWK"]["video"]}
    ledger = json.loads(await billing.caremesh("ledger", "long", "--json"))["ledger"]
    assert sorted(row["entry"] for row in ledger) == ["deducted"] * due["long"] + ["reversed"]
    assert {row["because_of"].split()[0] for row in ledger} == {
        "billing.session_unit.deduct.v1",
        "billing.session_unit.reverse.v1",
        "calls.call.ended.v1",
    }
    subscription = json.loads(await billing.caremesh("show", "subscription", "of-rich", "--json"))["subscription"]
    assert subscription["units_remaining"] == {"text": 30, "voice": 30, "video": 30 - due["long"] + 1}
    balances = {record.key: record.json["remaining"] for record in await billing.read("billing.balances.v1")}
    assert balances == {f"{patient}:{modality}".encode(): units for (patient, modality), units in balances_of(events).items()}


async def who_was_told(billing: Mesh, events: Events) -> None:
    requests = [record.json for record in {r.header("ce_id"): r for r in await billing.read("notify.commands.v1")}.values()]
    of_billing = {(request["template"], request["recipient_id"], request["about"]["entity_id"]) for request in requests}
    for bill in events.of_type("settled"):
        assert ("session_settled", bill["doctor_id"], bill["session_id"]) in of_billing
        assert ("session_settled", bill["patient_id"], bill["session_id"]) in of_billing
    assert ("subscription_activated", RICH, "of-rich") in of_billing
    assert ("balance_exhausted", POOR, "poor") in of_billing
    assert ("balance_exhausted", BROKE, "broke") in of_billing
    log = "".join(process.log() for process in billing.crew.all)
    assert "Auto-deduction done" in log


async def charged(billing: Mesh, session_id: str, units: int) -> bool:
    return await billing.query("SELECT 1 FROM sessions WHERE session_id = $1 AND units_taken >= $2", session_id, units) != []


async def is_over(calls: Mesh, session_id: str) -> bool:
    return await calls.query("SELECT 1 FROM sessions WHERE session_id = $1 AND ended_at IS NOT NULL", session_id) != []


async def settled(billing: Mesh, sessions: int) -> bool:
    return await billing.query("SELECT count(*) FROM sessions WHERE over_at IS NOT NULL") == [(sessions,)]
