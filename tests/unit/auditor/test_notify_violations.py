"""What notify promises, broken once each: the auditor finds exactly that, and shows the records."""

from typing import Any

import pytest

from shared.auditor import ViolationKind
from tests.unit.auditor.booking_log import BookingLog
from tests.unit.auditor.mesh_log import expect, iso, value_of
from tests.unit.auditor.notify_log import Notification, NotifyLog

K = ViolationKind
ALL = ("email", "push", "sms", "chat", "in_app")


@pytest.fixture
def log() -> NotifyLog:
    return NotifyLog()


def waiting(channel: str, **other: Any) -> dict[str, Any]:
    return {"channel": channel, "status": "waiting", "reason": None, "attempts": 0} | other


# Once


@pytest.mark.parametrize("word, reason", [("sent", None), ("unsent", "failed"), ("suppressed", "no_channel")])
def test_it_came_to_two_ends_on_one_channel(log: NotifyLog, word: str, reason: str | None) -> None:
    told = log.send()
    log.end(told, "email")
    second = log.end(told, "email", word, reason=reason)
    expect(log, K.TOLD_TWICE, proof=second)


def test_the_inbox_was_told_twice(log: NotifyLog) -> None:
    told = log.send(by=("in_app",))
    expect(log, K.TOLD_TWICE, proof=log.end(told, "in_app"))


def test_two_ends_claim_one_version(log: NotifyLog) -> None:
    told = log.send()
    log.end(told, "email")
    told.version -= 1
    expect(log, K.TOLD_TWICE, K.VERSION_TAKEN_TWICE, proof=log.end(told, "email", "unsent", reason="failed"))


def test_one_notification_was_accepted_twice(log: NotifyLog) -> None:
    log.send(by=("email",))
    again = log.send(by=("email",))
    expect(log, K.VERSION_TAKEN_TWICE, proof=again.events[0])


def test_it_was_accepted_again_as_a_change(log: NotifyLog) -> None:
    told = log.send(by=("email",))
    told.version += 1
    again = log.command_of("notify.notification.send.v1", {"notification_id": "note-1", "recipient_id": "pat-a"}, key="pat-a")
    expect(log, K.ILLEGAL_TRANSITION, proof=log.tell(told, again, "accepted"))


def test_a_request_has_no_outcome(log: NotifyLog) -> None:
    booking = log.of(BookingLog)
    request = booking.notify(booking.book("1").events[0], "pat-a", "appointment_booked")
    expect(log, K.MISSING_OUTCOME, proof=request)


def test_a_version_is_missing(log: NotifyLog) -> None:
    told = log.send()
    told.version += 1
    expect(log, K.VERSION_GAP, proof=log.end(told, "email"))


# What became of it


def test_a_suppressed_one_was_sent(log: NotifyLog) -> None:
    log.prefer(without=ALL)
    told = log.send(why_not="opted_out")
    expect(log, K.TOLD_TWICE, K.ILLEGAL_TRANSITION, proof=log.end(told, "email"))


def test_an_end_came_before_the_request_was_accepted(log: NotifyLog) -> None:
    told = log.send(by=("email",))
    log.remove(told.events.pop())
    told.version = 0
    expect(log, K.ILLEGAL_TRANSITION, K.MISSING_OUTCOME, proof=log.end(told, "email"))


def test_it_was_sent_by_a_channel_that_was_never_there(log: NotifyLog) -> None:
    told = log.send()
    sent = log.end(told, "sms")
    without = [delivery for delivery in value_of(sent)["deliveries"] if delivery["channel"] != "sms"]
    expect(log, K.ILLEGAL_TRANSITION, proof=log.spoil(sent, deliveries=without))


def test_it_is_suppressed_as_a_whole_after_it_was_accepted(log: NotifyLog) -> None:
    told = log.send()
    event = log.spoil(log.end(told, "email", "suppressed", reason="no_channel"), channel=None)
    expect(log, K.ILLEGAL_TRANSITION, proof=event)


def test_an_event_says_otherwise_than_its_deliveries(log: NotifyLog) -> None:
    told = log.send()
    sent = log.end(told, "email")
    in_inbox = value_of(sent)["deliveries"][1]
    expect(log, K.ILLEGAL_TRANSITION, proof=log.spoil(sent, deliveries=[waiting("email"), in_inbox]))


def test_its_reason_is_not_that_of_its_delivery(log: NotifyLog) -> None:
    told = log.send()
    expect(log, K.ILLEGAL_TRANSITION, proof=log.spoil(log.end(told, "email", "unsent", reason="failed"), reason="refused"))


def test_what_became_of_it_elsewhere_has_changed(log: NotifyLog) -> None:
    told = log.send(by=("email", "push", "in_app"))
    told.deliveries["push"] = waiting("push", status="unsent", reason="failed")
    expect(log, K.ILLEGAL_TRANSITION, proof=log.end(told, "email"))


@pytest.mark.parametrize(
    "fields",
    [
        {"template": "appointment_declined"},
        {"priority": "critical"},
        {"about": {"entity": "appointment", "entity_id": "apt-2", "version": None}},
        {"accepted_at": "2030-01-01T00:00:00Z"},
        {"read_at": "2030-01-08T00:00:00Z"},
    ],
)
def test_what_was_asked_for_has_changed(log: NotifyLog, fields: dict[str, Any]) -> None:
    told = log.send()
    expect(log, K.ILLEGAL_TRANSITION, proof=log.spoil(log.end(told, "email"), **fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"deliveries": [waiting("email", status="suppressed", reason="no_channel")]},
        {"deliveries": [waiting("email", status="sent"), waiting("push")]},
        {"channel": "email"},
        {"read_at": "2030-01-08T00:00:00Z"},
        {"accepted_at": "2030-01-01T00:00:00Z"},
    ],
)
def test_it_begins_as_nothing_begins(log: NotifyLog, fields: dict[str, Any]) -> None:
    accepted = log.send(by=("email",)).events[0]
    expect(log, K.ILLEGAL_TRANSITION, proof=log.spoil(accepted, **fields))


def test_nobody_is_told_and_a_channel_waits(log: NotifyLog) -> None:
    log.prefer(without=ALL)
    suppressed = log.send(why_not="opted_out").events[0]
    deliveries = [waiting("email"), value_of(suppressed)["deliveries"][1]]
    expect(log, K.ILLEGAL_TRANSITION, proof=log.spoil(suppressed, deliveries=deliveries))


def test_it_is_not_in_the_inbox_at_once(log: NotifyLog) -> None:
    told = log.send()
    log.remove(told.events.pop())
    expect(log, K.ILLEGAL_TRANSITION, proof=told.events[0])


@pytest.mark.parametrize(
    "deliveries",
    [None, ["email"], [{"channel": "email"}], [waiting("email"), waiting("email")]],
)
def test_deliveries_that_nobody_can_read(log: NotifyLog, deliveries: Any) -> None:
    accepted = log.send(by=("email",)).events[0]
    assert K.MALFORMED_EVENT in (log.spoil(accepted, deliveries=deliveries), log.audit())[1].kinds()


# Read


def test_what_is_not_in_the_inbox_was_read(log: NotifyLog) -> None:
    log.prefer(without=("in_app",))
    expect(log, K.ILLEGAL_TRANSITION, proof=log.read(log.send()))


def test_a_suppressed_one_was_read(log: NotifyLog) -> None:
    log.prefer(without=ALL)
    expect(log, K.ILLEGAL_TRANSITION, proof=log.read(log.send(why_not="opted_out")))


def test_it_was_read_twice(log: NotifyLog) -> None:
    told = log.send()
    log.read(told)
    told.read_at = None
    expect(log, K.ILLEGAL_TRANSITION, proof=log.read(told))


def test_it_was_read_and_its_version_stayed(log: NotifyLog) -> None:
    told = log.send()
    told.version -= 1
    expect(log, K.VERSION_TAKEN_TWICE, proof=log.read(told))


def test_it_was_read_and_nothing_says_so(log: NotifyLog) -> None:
    told = log.send()
    told.version -= 1
    expect(log, K.VERSION_TAKEN_TWICE, proof=log.spoil(log.read(told), read_at=None))


def test_it_was_read_at_another_time_than_it_says(log: NotifyLog) -> None:
    told = log.send()
    expect(log, K.ILLEGAL_TRANSITION, proof=log.spoil(log.read(told), read_at=iso(told.accepted_at)))


def test_what_is_read_again_carries_an_old_version(log: NotifyLog) -> None:
    told = log.send()
    first = log.read(told)
    log.end(told, "email")
    old = {name: value_of(first)[name] for name in ("version", "deliveries")}
    expect(log, K.VERSION_NOT_CURRENT, proof=log.spoil(log.read(told), **old))


def test_somebody_else_has_read_it(log: NotifyLog) -> None:
    expect(log, K.NOT_A_PARTY, proof=log.read(log.send(), by="pat-b"))


# Preferences


def test_somebody_else_has_set_preferences(log: NotifyLog) -> None:
    expect(log, K.NOT_A_PARTY, proof=log.prefer(by="pat-b"))


def test_preferences_are_what_they_were_in_a_new_version(log: NotifyLog) -> None:
    log.prefer()
    expect(log, K.ILLEGAL_TRANSITION, proof=log.spoil(log.prefer(), version=2))


def test_preferences_differ_in_the_same_version(log: NotifyLog) -> None:
    log.prefer()
    expect(log, K.VERSION_TAKEN_TWICE, proof=log.spoil(log.prefer(quiet=True), version=1))


# Why nobody is told


def wanted(log: NotifyLog) -> Notification:
    return log.send(why_not="opted_out")


def opted_out_of_one_by_one(log: NotifyLog) -> Notification:
    log.prefer(without=("email",))
    return log.send(why_not="opted_out")


def without_an_inbox(log: NotifyLog) -> Notification:
    return log.send(by=("in_app",), why_not="no_channel")


def true_for_ever(log: NotifyLog) -> Notification:
    return log.send(why_not="stale")


def of_something_unknown(log: NotifyLog) -> Notification:
    return log.send(template="appointment_booked", why_not="stale")


def still_true(log: NotifyLog) -> Notification:
    log.booked()
    return log.send(template="appointment_booked", why_not="stale")


def untrue_only_before_its_cause(log: NotifyLog) -> Notification:
    log.booked()
    return log.send(template="appointment_confirmed", about_version=2, why_not="stale")


@pytest.mark.parametrize(
    "suppress",
    [wanted, opted_out_of_one_by_one, without_an_inbox, true_for_ever, of_something_unknown, still_true, untrue_only_before_its_cause],
)
def test_a_notification_was_suppressed_without_a_reason(log: NotifyLog, suppress: Any) -> None:
    told = suppress(log)
    expect(log, K.UNFOUNDED_SUPPRESSION, proof=told.events[0])


def test_a_delivery_was_suppressed_without_a_reason(log: NotifyLog) -> None:
    log.prefer("pat-b", without=("email",))
    told = log.send()
    expect(log, K.UNFOUNDED_SUPPRESSION, proof=log.end(told, "email", "suppressed", reason="opted_out"))
    # Later events repeat what became of it.
    log.read(told)
    assert log.audit().totals == {K.UNFOUNDED_SUPPRESSION: 1}
