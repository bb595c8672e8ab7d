"""A mesh without fault has nothing to answer for."""

import random
from datetime import timedelta

from shared.auditor import ViolationKind
from tests.unit.auditor.booking_log import BOOKING, LIMIT, SLOT, BookingLog, state


def a_whole_story() -> BookingLog:
    log = BookingLog()
    first = log.book("1")
    log.refused_book(first)
    log.confirm(first)
    log.cancel(first)
    log.book("2", patient="pat-b")
    third = log.book("3", doctor="doc-b", patient="pat-c", structured=True)
    log.warn_of_expiry(third)
    log.expire(third)
    poison = log.publish(BOOKING.commands, b"doc-a", b"{not json", {})
    log.dead_letter(poison, "not_json")
    bad = log.command("book", {"doctor_id": "doc-a", "starts_at": "yesterday"})
    log.refuse(bad, "invalid_data", 422)
    log.dead_letter(bad, "invalid_data")
    return log


def test_a_whole_story_without_fault_is_clean() -> None:
    report = a_whole_story().is_clean()
    counts = report.counts["booking"]
    assert counts.entities == {"appointment": {"cancelled": 2, "pending": 1}}
    assert counts.refusals == {"invalid_data": 1, "slot_already_booked": 1}
    assert counts.dead_letters == 2
    assert counts.unreadable_commands == 1
    assert counts.commands == 9
    assert counts.notifications == report.counts["notify"].commands == report.commands - 9
    assert counts.events == 9


def test_copies_in_any_order_change_nothing() -> None:
    log = a_whole_story()
    for record in list(log.records):
        if record.topic != BOOKING.commands:
            log.copy(record)
    random.Random(7).shuffle(log.records)
    counts = log.is_clean().counts["booking"]
    assert counts.events == 9
    assert counts.event_copies == 9
    assert counts.dead_letter_copies == 2
    assert counts.notification_copies == counts.notifications > 0


def test_a_command_published_again_needs_no_second_outcome_in_either_mode() -> None:
    log = BookingLog()
    data = {"doctor_id": "doc-a", "patient_id": "pat-a", "starts_at": "2029-01-01T00:00:00Z", "modality": "video"}
    command = log.command("book", data, identity="same")
    log.refuse(command, "starts_in_the_past", 422)
    log.command("book", dict(reversed(data.items())), identity="same", structured=True)
    assert log.is_clean().counts["booking"].command_copies == 1


def test_another_body_under_the_same_identity_is_one_dead_letter() -> None:
    log = BookingLog()
    log.book("1", identity="same")
    other = log.command("book", {"doctor_id": "doc-a", "patient_id": "pat-b"}, identity="same")
    log.dead_letter(other, "idempotency_conflict")
    log.is_clean()


def test_slots_that_only_touch_do_not_overlap() -> None:
    log = BookingLog()
    log.book("1")
    log.book("2", starts_at=SLOT + timedelta(minutes=30))
    assert log.audit().passed


def test_a_booking_that_closes_a_lapsed_one_in_its_way_takes_its_slot() -> None:
    log = BookingLog()
    lapsed = log.book("1")
    deadline = lapsed.expires_at
    log.now_ms += round(LIMIT.total_seconds() * 1000)
    winner = log.book("2", patient="pat-b")
    lapsed.version, lapsed.status, lapsed.expires_at, lapsed.cancelled_by = 2, "cancelled", None, "system"
    expired = log.event("expired", winner.commands[0], state(lapsed), time=deadline, index=1)
    log.notify(expired, "pat-a", "appointment_expired", "critical")
    log.is_clean()


def test_what_lapsed_unswept_no_longer_holds_its_patient() -> None:
    log = BookingLog()
    log.book("1")
    log.now_ms += round(LIMIT.total_seconds() * 1000)
    log.book("2", doctor="doc-b")
    assert log.audit().passed


def test_a_cancellation_decided_first_frees_the_patient_although_its_partition_lags() -> None:
    log = BookingLog()
    first = log.book("1")
    second = log.command("book", {"appointment_id": "apt-2", "doctor_id": "doc-b", "patient_id": "pat-a"})
    log.cancel(first)
    booked = {**state(first), "appointment_id": "apt-2", "doctor_id": "doc-b", "status": "pending", "version": 1, "cancelled_by": None}
    event = log.event("booked", second, booked | {"expires_at": "2030-01-08T00:00:00Z"})
    log.notify(event, "doc-b", "appointment_requested")
    log.notify(event, "pat-a", "appointment_booked")
    log.is_clean()


def test_commands_that_nobody_committed_are_in_flight_and_not_missing() -> None:
    log = BookingLog()
    first = log.book("1")
    waiting = log.command("confirm", {"appointment_id": "apt-1", "doctor_id": "doc-a"})
    poison = log.publish(BOOKING.commands, b"doc-a", b"[]", {})
    place = (BOOKING.commands, first.commands[0].partition)
    report = log.audit(services=["booking"], committed={"booking": {place: waiting.offset}})
    assert report.passed, report.violations
    assert report.counts["booking"].in_flight_commands == report.in_flight == 2
    assert log.audit(committed={"booking": {place: poison.offset}}).kinds() == {ViolationKind.MISSING_OUTCOME}


def test_events_that_the_processor_did_not_commit_owe_no_notification_yet() -> None:
    log = BookingLog()
    first = log.book("1")
    log.records = [record for record in log.records if record.topic != BOOKING.notifications]
    place = (BOOKING.events, first.events[0].partition)
    report = log.audit(services=["booking"], committed={"booking-processor": {place: first.events[0].offset}})
    assert report.passed, report.violations
    assert report.counts["booking"].in_flight_notifications == report.in_flight == 2


def test_a_value_over_the_limit_is_cut_with_its_digest_and_length() -> None:
    from hashlib import sha256

    log = BookingLog()
    huge = log.publish(BOOKING.commands, b"doc-a", b'{"x": "' + b"y" * 100_000 + b'"}', {})
    value = huge.value or b""
    notes = {"caremesh_value_sha256": sha256(value).hexdigest(), "caremesh_value_length": str(len(value))}
    letter = log.dead_letter(huge, "too_large", value=value[: 64 * 1024], **notes)
    assert log.audit().passed
    log.spoil_header(letter, "caremesh_value_sha256", "0" * 64)
    assert log.audit().kinds() == {ViolationKind.DEAD_LETTER_ALTERED}


def test_events_of_types_to_come_are_passed_over() -> None:
    log = BookingLog()
    log.publish(BOOKING.events, b"doc-a", b"{}", {"ce_id": "x", "ce_type": "booking.clinic.opened.v1"})
    assert log.is_clean().counts["booking"].events_of_unknown_type == 1
