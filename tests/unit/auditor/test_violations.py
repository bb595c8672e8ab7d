"""Each promise broken once: the auditor finds exactly that, and shows the records."""

from datetime import timedelta

import pytest

from shared.auditor import ViolationKind
from shared.auditor.report import PROOFS_PER_KIND
from tests.unit.auditor.booking_log import BOOKING, DAY_MS, SLOT, BookingLog, state
from tests.unit.auditor.mesh_log import at, expect, header, iso

LATER = SLOT + timedelta(minutes=10)


def test_two_appointments_of_a_doctor_overlap() -> None:
    log = BookingLog()
    log.book("1")
    second = log.book("2", patient="pat-b", starts_at=LATER)
    expect(log, ViolationKind.DOCTOR_OVERLAP, proof=second.events[0])


def test_two_appointments_of_a_doctor_overlapped_in_a_history_that_ended_well() -> None:
    log = BookingLog()
    first = log.book("1")
    second = log.book("2", patient="pat-b", starts_at=LATER)
    log.cancel(first)
    log.confirm(second)
    expect(log, ViolationKind.DOCTOR_OVERLAP)


def test_a_slot_was_taken_at_the_very_moment_of_a_deadline() -> None:
    log = BookingLog()
    first = log.book("1")
    assert first.expires_at is not None
    log.now_ms = round(first.expires_at.timestamp() * 1000) - 1_000
    log.book("2", patient="pat-b")
    expect(log, ViolationKind.DOCTOR_OVERLAP)


def test_two_appointments_of_a_patient_with_two_doctors_overlap() -> None:
    log = BookingLog()
    first = log.book("1")
    log.book("2", doctor="doc-b", starts_at=LATER)
    log.cancel(first)
    expect(log, ViolationKind.PATIENT_OVERLAP)


def test_a_committed_command_has_no_outcome() -> None:
    log = BookingLog()
    command = log.command("confirm", {"appointment_id": "apt-1", "doctor_id": "doc-a"})
    expect(log, ViolationKind.MISSING_OUTCOME, proof=command)


def test_a_readable_command_was_set_aside_without_an_outcome() -> None:
    log = BookingLog()
    command = log.command("confirm", {"appointment_id": "apt-1", "doctor_id": "doc-a"})
    log.dead_letter(command, "handler_failed")
    expect(log, ViolationKind.MISSING_OUTCOME, proof=command)


def test_one_command_was_decided_twice() -> None:
    log = BookingLog()
    command = log.command("book", {"doctor_id": "doc-a", "patient_id": "pat-a"})
    log.refuse(command, "too_many_pending")
    again = log.copy(command)
    second = log.refuse(again, "slot_already_booked")
    log.spoil(second, id="another-id")
    expect(log, ViolationKind.SEVERAL_OUTCOMES, proof=second)


def test_a_second_decision_under_the_first_ones_id_is_no_copy() -> None:
    log = BookingLog()
    command = log.command("book", {"doctor_id": "doc-a", "patient_id": "pat-a"})
    log.refuse(command, "too_many_pending")
    second = log.refuse(log.copy(command), "slot_already_booked")
    expect(log, ViolationKind.COPIES_DIFFER, proof=second)


def test_a_copy_with_another_header_is_no_copy() -> None:
    log = BookingLog()
    copy = log.copy(log.book("1").events[0])
    log.put(copy, copy._replace(headers=(*copy.headers, ("traceparent", b"00"))))
    expect(log, ViolationKind.COPIES_DIFFER, proof=copy)


def test_a_confirm_ended_as_a_decline() -> None:
    log = BookingLog()
    log.change(log.book("1"), "confirm", "declined", tell=("pat-a",), status="cancelled", cancelled_by="doctor")
    expect(log, ViolationKind.WRONG_OUTCOME)


def test_a_command_changed_another_appointment() -> None:
    log = BookingLog()
    first, second = log.book("1"), log.book("2", starts_at=SLOT + timedelta(hours=1))
    log.confirm(second)
    command = second.commands[-1]
    log.spoil(command, appointment_id=first.appointment_id)
    expect(log, ViolationKind.WRONG_OUTCOME, proof=command)


def test_a_command_under_anothers_key_was_taken() -> None:
    log = BookingLog()
    log.book("1", key="doc-b")
    expect(log, ViolationKind.WRONG_OUTCOME)


def test_the_events_of_a_decision_skip_a_number() -> None:
    log = BookingLog()
    lapsed = log.book("1")
    deadline = lapsed.expires_at
    log.now_ms += DAY_MS
    winner = log.book("2", patient="pat-b")
    lapsed.version, lapsed.status, lapsed.expires_at, lapsed.cancelled_by = 2, "cancelled", None, "system"
    expired = log.event("expired", winner.commands[0], state(lapsed), time=deadline, index=2)
    log.notify(expired, "pat-a", "appointment_expired", "critical")
    expect(log, ViolationKind.DECISION_INDEX_GAP, proof=expired)


def test_an_event_names_a_command_that_is_not_there() -> None:
    log = BookingLog()
    first = log.book("1")
    log.remove(first.commands[0])
    expect(log, ViolationKind.EVENT_WITHOUT_COMMAND, proof=first.events[0])


@pytest.mark.parametrize(
    "name", ["ce_source", "ce_causationid", "ce_time", "ce_id", "ce_partitionkey", "ce_subject", "ce_specversion", "content-type"]
)
def test_a_header_of_an_event_contradicts_its_value(name: str) -> None:
    log = BookingLog()
    command = log.command("book", {"doctor_id": "doc-a", "patient_id": "pat-a"})
    copy = log.copy(command)
    log.remove(command)
    event = log.refuse(copy, "too_many_pending", appointment_id="apt-1")
    log.spoil_header(event, name, "other")
    expect(log, ViolationKind.MALFORMED_EVENT, ViolationKind.MISSING_OUTCOME, proof=event)


def test_the_value_of_an_event_does_not_begin_with_type_id_and_time() -> None:
    import orjson

    log = BookingLog()
    event = log.refuse(log.command("book", {"doctor_id": "doc-a"}), "too_many_pending")
    value = orjson.loads(event.value or b"")
    log.put(event, event._replace(value=orjson.dumps(dict(reversed(value.items())))))
    expect(log, ViolationKind.MALFORMED_EVENT, ViolationKind.MISSING_OUTCOME, proof=event)


def test_a_refusal_shows_another_patients_id() -> None:
    log = BookingLog()
    refusal = log.refused_book(log.book("1"))
    log.spoil(refusal, conflict={"appointment_id": "apt-1", "patient_id": "pat-a"})
    expect(log, ViolationKind.MALFORMED_EVENT, ViolationKind.MISSING_OUTCOME, proof=refusal)


def test_an_acknowledged_record_is_not_there() -> None:
    log = BookingLog()
    command = log.book("1").commands[0]
    there, gone = (BOOKING.commands, command.partition, command.offset), (BOOKING.commands, command.partition, 99)
    assert log.audit(acknowledged=[there]).passed
    assert log.audit(acknowledged=[there, gone]).kinds() == {ViolationKind.ACKNOWLEDGED_RECORD_VANISHED}
    assert log.audit(acknowledged=[gone], beginnings={(BOOKING.commands, command.partition): 100}).passed


def test_a_version_is_missing() -> None:
    log = BookingLog()
    first = log.book("1")
    first.version += 1
    event = log.cancel(first)
    expect(log, ViolationKind.VERSION_GAP, proof=event)


def test_the_first_version_is_missing() -> None:
    log = BookingLog()
    first = log.book("1")
    log.spoil(first.events[0], version=2)
    expect(log, ViolationKind.VERSION_GAP, proof=first.events[0])


def test_two_events_claim_one_version() -> None:
    log = BookingLog()
    first = log.book("1")
    log.confirm(first)
    first.version -= 1
    event = log.cancel(first)
    expect(log, ViolationKind.VERSION_TAKEN_TWICE, proof=event)


@pytest.mark.parametrize("version", [0, 2])
def test_a_refusal_does_not_repeat_the_current_version(version: int) -> None:
    log = BookingLog()
    log.book("1")
    command = log.command("confirm", {"doctor_id": "doc-a", "appointment_id": "apt-1"})
    refusal = log.refuse(command, "not_a_party", 403, version, appointment_id="apt-1")
    expect(log, ViolationKind.VERSION_NOT_CURRENT, proof=refusal)


def test_a_patient_was_not_told_of_the_expiry() -> None:
    log = BookingLog()
    event = log.expire(log.book("1"))
    log.remove(log.records[-1])
    expect(log, ViolationKind.MISSING_NOTIFICATION, proof=event)


def test_a_cancellation_by_the_system_told_one_party_only() -> None:
    log = BookingLog()
    event = log.cancel(log.book("1"), by="admin")
    log.remove(log.records[-1])
    expect(log, ViolationKind.MISSING_NOTIFICATION, proof=event)


def test_one_cause_was_told_twice_to_one_recipient() -> None:
    log = BookingLog()
    log.expire(log.book("1"))
    again = log.copy(log.records[-1])
    log.spoil(again, notification_id="another")
    expect(log, ViolationKind.SEVERAL_NOTIFICATIONS, proof=again)


def test_somebody_was_told_what_does_not_concern_them() -> None:
    log = BookingLog()
    request = log.notify(log.book("1").events[0], "pat-z", "appointment_booked")
    expect(log, ViolationKind.NOTIFICATION_WITHOUT_CAUSE, proof=request)


def test_a_notification_names_no_event() -> None:
    log = BookingLog()
    request = log.notify(log.book("1").events[0], "pat-a", "appointment_booked")
    log.spoil(request, notification_id="another")
    log.spoil_header(log.records[-1], "ce_causationid", "nothing")
    expect(log, ViolationKind.NOTIFICATION_WITHOUT_CAUSE, proof=request)


def test_the_news_of_an_expiry_is_not_critical() -> None:
    log = BookingLog()
    log.expire(log.book("1"))
    request = log.spoil(log.records[-1], priority="normal")
    expect(log, ViolationKind.MALFORMED_NOTIFICATION, proof=request)


def test_a_closed_appointment_was_revived() -> None:
    log = BookingLog()
    first = log.book("1")
    log.cancel(first)
    event = log.confirm(first)
    expect(log, ViolationKind.ILLEGAL_TRANSITION, proof=event)


def test_an_appointment_changed_its_time_on_the_way() -> None:
    log = BookingLog()
    first = log.book("1")
    first.starts_at = LATER
    event = log.confirm(first)
    expect(log, ViolationKind.ILLEGAL_TRANSITION, proof=event)


def test_a_warning_came_for_one_that_is_no_longer_pending() -> None:
    log = BookingLog()
    first = log.book("1")
    log.confirm(first)
    event = log.warn_of_expiry(first)
    expect(log, ViolationKind.ILLEGAL_TRANSITION, proof=event)


@pytest.mark.parametrize("late_ms", [-1_000, 0, 1, 60_000])
def test_an_answer_counts_up_to_the_millisecond_of_the_deadline(late_ms: int) -> None:
    log = BookingLog()
    first = log.book("1")
    assert first.expires_at is not None
    log.now_ms = round(first.expires_at.timestamp() * 1000) + late_ms - 1_000
    log.confirm(first)
    expect(log, *([ViolationKind.AFTER_DEADLINE] if late_ms > 0 else []))


def test_an_appointment_expired_before_its_deadline() -> None:
    log = BookingLog()
    event = log.change(log.book("1"), "expire", "expired", by=None, tell=("pat-a",), status="cancelled", cancelled_by="system")
    expect(log, ViolationKind.BEFORE_DEADLINE, proof=event)


def test_an_event_has_the_time_of_a_machine_and_not_of_the_log() -> None:
    log = BookingLog()
    first = log.book("1")
    event = log.confirm(first)
    log.spoil(event, time=iso(at(event.timestamp_ms)))
    expect(log, ViolationKind.WRONG_BUSINESS_TIME, proof=event)


def test_the_later_of_two_requests_won() -> None:
    log = BookingLog()
    early = log.command("book", {"doctor_id": "doc-a", "patient_id": "pat-b"})
    winner = log.book("1")
    refusal = log.refuse(early, "slot_already_booked", conflict={"appointment_id": winner.appointment_id})
    expect(log, ViolationKind.OUT_OF_LOG_ORDER, proof=refusal)


def test_a_slot_was_refused_for_one_that_was_already_free() -> None:
    log = BookingLog()
    first = log.book("1")
    log.cancel(first)
    refusal = log.refused_book(first)
    expect(log, ViolationKind.OUT_OF_LOG_ORDER, proof=refusal)


def test_a_slot_was_refused_for_one_that_had_lapsed() -> None:
    log = BookingLog()
    first = log.book("1")
    log.now_ms += DAY_MS
    refusal = log.refused_book(first)
    expect(log, ViolationKind.OUT_OF_LOG_ORDER, proof=refusal)


def test_a_change_was_decided_before_the_one_that_it_follows() -> None:
    log = BookingLog()
    first = log.book("1")
    early = log.command("cancel", {"doctor_id": "doc-a", "appointment_id": "apt-1"})
    confirmed = log.confirm(first)
    first.version, first.status, first.cancelled_by = 3, "cancelled", "patient"
    event = log.event("cancelled", early, state(first), time=at(first.commands[-1].timestamp_ms))
    log.notify(event, "doc-a", "appointment_cancelled")
    assert header(confirmed, "ce_id") != header(event, "ce_id")
    expect(log, ViolationKind.OUT_OF_LOG_ORDER, proof=event)


def test_a_flood_of_violations_is_counted_but_not_kept() -> None:
    log = BookingLog()
    for _ in range(PROOFS_PER_KIND + 20):
        log.command("confirm", {"appointment_id": "apt-1", "doctor_id": "doc-a"})
    report = log.audit()
    assert report.totals == {ViolationKind.MISSING_OUTCOME: PROOFS_PER_KIND + 20}
    assert len(report.violations) == PROOFS_PER_KIND
