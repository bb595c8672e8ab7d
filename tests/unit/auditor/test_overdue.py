"""Nothing waits past its deadline while the sweeps run."""

from datetime import timedelta

from shared.auditor import ViolationKind
from shared.auditor.partitioning import partition_of
from tests.unit.auditor.booking_log import LIMIT, Appointment, BookingLog
from tests.unit.auditor.mesh_log import expect, milliseconds

#: Doctors whose commands share a partition, so that one log orders them.
DOCTORS = [name for name in map("doc-{}".format, range(200)) if partition_of(name.encode(), 8) == 3][:4]
SECOND_MS = 1_000


def pending(log: BookingLog, count: int = 3, *, apart_ms: int = 60 * SECOND_MS) -> list[Appointment]:
    """As many appointments that wait for their doctors, one after the other."""
    found = []
    for number in range(count):
        found.append(log.book(f"{number}", doctor=DOCTORS[number], patient=f"pat-{number}"))
        log.now_ms += apart_ms
    return found


def after_all_deadlines(log: BookingLog) -> None:
    log.now_ms += milliseconds_of(LIMIT)


def milliseconds_of(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)


def test_what_fell_due_while_everything_was_down_is_made_up_late_and_in_order() -> None:
    log = BookingLog()
    waiting = pending(log)
    after_all_deadlines(log)
    log.now_ms += milliseconds_of(timedelta(days=1))
    for appointment in waiting:
        log.expire(appointment)
    log.is_clean()


def test_workers_that_take_turns_may_swap_what_lies_close_together() -> None:
    log = BookingLog()
    waiting = pending(log, 2, apart_ms=0)
    after_all_deadlines(log)
    for appointment in reversed(waiting):
        log.expire(appointment)
    log.is_clean()


def test_one_was_never_closed_although_later_ones_were() -> None:
    log = BookingLog()
    first, second, third = pending(log)
    after_all_deadlines(log)
    log.expire(second)
    log.expire(third)
    expect(log, ViolationKind.OVERDUE, proof=first.events[0])
    assert log.audit().counts["booking"].overdue == 1


def test_one_was_closed_long_after_later_ones() -> None:
    log = BookingLog()
    first, second, _ = pending(log)
    after_all_deadlines(log)
    log.expire(second)
    log.now_ms += 60 * SECOND_MS
    log.expire(first)
    expect(log, ViolationKind.OVERDUE, proof=first.events[0])


def test_what_was_answered_in_time_waits_no_longer() -> None:
    log = BookingLog()
    first, second, third = pending(log)
    log.confirm(first)
    log.cancel(second)
    log.now_ms = milliseconds(third.expires_at) if third.expires_at else 0
    log.expire(third)
    log.is_clean()


def test_of_a_doctor_with_commands_in_flight_nothing_is_overdue_yet() -> None:
    log = BookingLog()
    first, second, _ = pending(log)
    after_all_deadlines(log)
    log.expire(second)
    waiting = log.command("expire", {"appointment_id": first.appointment_id, "doctor_id": first.doctor_id})
    report = log.audit(committed={"booking": {(waiting.topic, waiting.partition): waiting.offset}})
    assert report.passed, report.violations
