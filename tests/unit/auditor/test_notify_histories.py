"""What notify does when it does all right."""

import random

import pytest

from shared.auditor import ViolationKind
from tests.unit.auditor.mesh_log import header
from tests.unit.auditor.notify_log import NOTIFY, NotifyLog


@pytest.fixture
def log() -> NotifyLog:
    return NotifyLog()


def a_whole_story(log: NotifyLog) -> None:
    log.prefer(without=("sms",), quiet=True)
    told = log.send("1", by=("email", "push", "sms", "in_app"))
    log.read(told)
    log.end(told, "email")
    log.end(told, "push", "unsent", reason="refused")
    log.send("2", recipient="doc-a", by=("in_app",))
    log.prefer("pat-b", without=("email", "push", "sms", "chat", "in_app"))
    log.send("3", recipient="pat-b", why_not="opted_out")


def test_a_whole_story_without_fault_is_clean(log: NotifyLog) -> None:
    a_whole_story(log)
    counts = log.is_clean().counts["notify"]
    assert counts.entities == {"notification": {"accepted": 2, "suppressed": 1}, "preferences": {"set": 2}}
    assert (counts.commands, counts.events) == (8, 10)


def test_copies_in_any_order_change_nothing(log: NotifyLog) -> None:
    a_whole_story(log)
    for record in list(log.records):
        if record.topic == NOTIFY.events:
            log.copy(record)
    random.Random(7).shuffle(log.records)
    counts = log.is_clean().counts["notify"]
    assert (counts.events, counts.event_copies) == (10, 10)


def test_what_is_read_again_and_preferred_again_repeats_its_version(log: NotifyLog) -> None:
    told = log.send()
    log.read(told)
    log.read(told)
    log.end(told, "email")
    log.read(told)
    log.prefer(quiet=True)
    log.prefer(quiet=True)
    log.prefer(quiet=False)
    assert (told.version, log.preferred["pat-a"]["version"]) == (4, 2)
    log.is_clean()


def test_a_recipient_who_wants_no_inbox_is_told_by_the_other_channels(log: NotifyLog) -> None:
    log.prefer(without=("in_app",))
    told = log.send()
    log.end(told, "email", "suppressed", reason="no_channel")
    log.send("2", by=("in_app",), why_not="no_channel")
    log.is_clean()


def test_who_opts_out_while_a_delivery_waits_is_not_told_although_they_want_it_again(log: NotifyLog) -> None:
    told = log.send()
    log.prefer(without=("email",))
    log.prefer()
    log.end(told, "email", "suppressed", reason="opted_out")
    log.is_clean()


def test_what_the_appointment_has_made_untrue_is_not_told(log: NotifyLog) -> None:
    log.booked(confirmed=True)
    log.send("1", template="appointment_booked", about_version=1, why_not="stale")
    log.send("2", template="appointment_confirmed", about_version=2)
    log.is_clean()


@pytest.mark.parametrize("reason", ["notification_exists", "not_waiting", "not_in_inbox", "not_a_party"])
def test_a_refusal_repeats_the_version(log: NotifyLog, reason: str) -> None:
    told = log.send()
    again = log.command_of("notify.notification.send.v1", {"notification_id": "note-1", "recipient_id": "pat-a"}, key="pat-a")
    named = {"notification_id": "note-1", "recipient_id": "pat-a"}
    log.refuse(again, reason, 403 if reason == "not_a_party" else 409, told.version, **named)
    log.is_clean()
    log.spoil(log.records[-1], version=1)
    assert log.audit().kinds() == {ViolationKind.VERSION_NOT_CURRENT}


def test_a_refusal_of_preferences_names_the_recipient(log: NotifyLog) -> None:
    log.prefer()
    wish = log.command_of("notify.preferences.set.v1", {"recipient_id": "pat-a"}, key="pat-a")
    refused = log.refuse(wish, "not_a_party", 403, 1, recipient_id="pat-a")
    assert header(refused, "ce_subject") == "pat-a"
    log.is_clean()


def test_requests_that_notify_has_not_committed_are_in_flight(log: NotifyLog) -> None:
    told = log.send()
    later = log.command_of("notify.notification.send.v1", {"notification_id": "note-2", "recipient_id": "pat-a"}, key="pat-a")
    report = log.audit(committed={"notify": {(NOTIFY.commands, later.partition): later.offset}})
    assert report.passed, report.violations
    assert report.counts["notify"].in_flight_commands == report.in_flight == 1
    for event in told.events[1:]:
        log.remove(event)
    # What is being published is cut anywhere.
    assert log.audit(committed={"notify": {}}).passed
