"""Events lie where murmur2 puts their keys: now, or before partitions were added."""

from itertools import count as counting
from itertools import repeat

import pytest

from shared.auditor import Record, ViolationKind
from shared.auditor.checks.partitions import former_counts
from shared.auditor.partitioning import partition_of
from shared.auditor.report import RecordReference
from tests.unit.auditor.booking_log import BOOKING, BookingLog
from tests.unit.auditor.mesh_log import TOPICS, expect

MINUTE_MS = 60_000


def story(log: BookingLog, numbers: range) -> list[Record]:
    """Appointments of as many doctors; of each its event."""
    return [log.book(f"{n}", doctor=f"doc-{n}", patient=f"pat-{n}").events[0] for n in numbers]


def grown(before: int, after: int, *, learned: bool = True) -> BookingLog:
    """A mesh that runs on when partitions are added; if it has not learned of them, as some producers, it goes on as before."""
    log = BookingLog(partitions=before)
    story(log, range(20))
    log.partitions = after
    story(log, range(20, 40))
    if not learned:
        log.partitions = before
        story(log, range(40, 60))
        log.partitions = after
    return log


def moved(log: BookingLog, record: Record) -> Record:
    return log.put(record, record._replace(partition=(record.partition + 1) % log.partitions))


def test_an_event_lies_on_anothers_partition() -> None:
    log = BookingLog()
    events = story(log, range(20))
    wrong = moved(log, events[7])
    expect(log, ViolationKind.WRONG_PARTITION, proof=wrong)


def test_a_notification_request_lies_on_anothers_partition() -> None:
    log = BookingLog()
    story(log, range(20))
    requests = [record for record in log.records if record.topic == BOOKING.notifications]
    wrong = moved(log, requests[9])
    expect(log, ViolationKind.WRONG_PARTITION, proof=wrong)


@pytest.mark.parametrize("before, after", [(4, 6), (8, 12), (1, 3), (7, 8)])
def test_what_was_published_before_partitions_were_added_lies_where_it_has_to(before: int, after: int) -> None:
    log = grown(before, after)
    assert any(record.partition != partition_of(record.key or b"", after) for record in log.records if record.topic == BOOKING.events), (
        "else the test shows nothing"
    )
    assert log.is_clean().counts["booking"].misrouted_commands == 0


def test_partitions_may_be_added_again_and_again() -> None:
    log = BookingLog(partitions=3)
    for turn, count in enumerate((3, 4, 6, 12)):
        log.partitions = count
        story(log, range(20 * turn, 20 * turn + 20))
    log.is_clean()


def test_a_producer_learns_of_new_partitions_within_minutes() -> None:
    log = grown(4, 6, learned=False)
    log.is_clean()
    log.now_ms += 7 * MINUTE_MS
    log.partitions = 4
    late = story(log, range(60, 80))
    log.partitions = 6
    report = log.audit()
    assert report.kinds() == {ViolationKind.WRONG_PARTITION}
    assert {late[0].topic} == {
        record.topic for violation in report.violations for record in violation.records if record.topic in BOOKING.all
    }


def test_one_producer_learns_long_before_another() -> None:
    log = BookingLog(partitions=4)
    story(log, range(20))
    for number in range(20, 120):
        log.partitions = 6 if number == 20 or number > 100 else 4
        # Until then, whoever has learned happens to write to partitions that were there before.
        doctor = next(name for name in map("doc-{}-{}".format, repeat(number), counting()) if lies_on_a_former_one(name) or number > 100)
        log.book(f"{number}", doctor=doctor, patient=f"pat-{number}")
    log.is_clean()


def lies_on_a_former_one(doctor: str) -> bool:
    """Whether its partition changes from four to six, but not to a new one."""
    return partition_of(doctor.encode(), 6) < 4 and partition_of(doctor.encode(), 6) != partition_of(doctor.encode(), 4)


def test_an_event_on_anothers_partition_is_found_also_where_partitions_were_added() -> None:
    log = grown(4, 6)
    events = [record for record in log.records if record.topic == BOOKING.events]
    for wrong in events[:3]:
        moved(log, wrong)
    assert log.audit().kinds() == {ViolationKind.WRONG_PARTITION}


def test_a_copy_lies_where_its_key_belongs_when_it_is_published_again() -> None:
    log = grown(4, 6)
    events = [record for record in log.records if record.topic == BOOKING.events]
    moving = next(event for event in events if event.partition != partition_of(event.key or b"", 6))
    copy = log.publish(moving.topic, moving.key, moving.value, {name: (content or b"").decode() for name, content in moving.headers})
    assert copy.partition != moving.partition
    log.is_clean()
    wrong = moved(log, copy)
    expect(log, ViolationKind.WRONG_PARTITION, proof=wrong)


def test_commands_beside_their_partition_are_counted_whatever_it_was_before() -> None:
    log = grown(4, 6)
    for number in range(3):
        command = log.command("confirm", {"appointment_id": "none", "doctor_id": "doc-0"}, partition=number)
        log.refuse(command, "appointment_not_found", 404, appointment_id="none")
    allowed = {partition_of(b"doc-0", 4), partition_of(b"doc-0", 6)}
    assert log.is_clean().counts["booking"].misrouted_commands == len({0, 1, 2} - allowed)


def test_where_nothing_lies_nothing_is_wrong() -> None:
    assert former_counts([], 8) == ()
    assert BookingLog().is_clean().counts.keys() == TOPICS.keys()
    assert RecordReference("t", 0, 0).id is None
