"""Notify on the path: what is asked for, what becomes of it, what is heard, and copies of all that."""

from itertools import count
from typing import Any

from shared.codec.record import StoredRecord
from shared.messages.billing import Money
from shared.messages.fields import Command
from shared.messages.notify import Channel, DeliveryStatus, ParameterValue, Priority, Template
from tests.examples import NOW, hours
from tests.examples_of_notify import (
    ALL,
    QUIET,
    RECIPIENT,
    example_mark_read,
    example_preferences,
    example_record,
    example_record_delivery,
    example_send,
    heard_appointment,
)
from tests.integration.notify.conftest import MakeWorker
from tests.integration.worker import Worker, headers_of, outcome_of, value_of

Connection = Any


class Log:
    """Records at ascending offsets."""

    def __init__(self) -> None:
        self._offsets = count()

    def append(self, command: Command, *, identifier: str | None = None, at: Any = NOW) -> StoredRecord:
        offset = next(self._offsets)
        return example_record(command, identifier=identifier or f"command-{offset}", at=at, offset=offset)

    def again(self, record: StoredRecord) -> StoredRecord:
        return StoredRecord(record.topic, record.partition, next(self._offsets), record.timestamp, record.key, record.value, record.headers)


async def give_addresses(connection: Connection, recipient_id: str = RECIPIENT, **addresses: str) -> None:
    names = ["recipient_id", *addresses, "updated_at"]
    places = ", ".join(f"${number}" for number in range(1, len(names)))
    await connection.execute(f"INSERT INTO recipients ({', '.join(names)}) VALUES ({places}, now())", recipient_id, *addresses.values())


async def deliveries(connection: Connection, notification_id: str = "ntf-1") -> dict[str, tuple[str, str | None]]:
    rows = await connection.fetch("SELECT channel, status, reason FROM deliveries WHERE notification_id = $1", notification_id)
    return {row["channel"]: (row["status"], row["reason"]) for row in rows}


async def test_a_request_is_accepted_and_lies_in_the_inbox_at_once(worker: Worker, connection: Connection) -> None:
    await give_addresses(connection, email="a@example.org")
    accepted, sent = await worker.handle(Log().append(example_send()))
    assert [outcome_of(accepted), outcome_of(sent)] == ["accepted", "sent"]
    assert (value_of(sent)["channel"], value_of(sent)["version"]) == ("in_app", 2)
    assert headers_of(sent)["ce_causationid"] == "command-0"
    assert value_of(sent)["deliveries"] == [
        {"channel": "email", "status": "waiting", "reason": None, "attempts": 0},
        {"channel": "in_app", "status": "sent", "reason": None, "attempts": 0},
    ]
    assert await connection.fetchval("SELECT inbox_at FROM notifications WHERE recipient_id = $1", RECIPIENT) == NOW
    assert await deliveries(connection) == {"email": ("waiting", None), "in_app": ("sent", None)}
    assert await connection.fetchval("SELECT due_at FROM deliveries WHERE channel = 'email'") == NOW


async def test_a_request_that_comes_twice_is_one_notification(worker: Worker, make_worker: MakeWorker, connection: Connection) -> None:
    log = Log()
    first = log.append(example_send())
    messages = await worker.handle(first, log.again(first))
    assert messages[:2] == messages[2:]
    assert await make_worker().handle(first) == messages[:2]
    assert await worker.outcomes(log.append(example_send(), identifier="another")) == ["notification_exists"]
    assert await worker.outcomes(log.append(example_send(recipient_id="another"), identifier="other")) == ["notification_exists"]
    assert await connection.fetchval("SELECT count(*) FROM notifications") == 1


async def test_the_state_that_a_worker_loads_is_the_state_that_another_published(
    worker: Worker, make_worker: MakeWorker, connection: Connection
) -> None:
    log = Log()
    await give_addresses(connection, **{channel: f"address-{channel}" for channel in ALL})
    params: dict[str, ParameterValue] = {
        "starts_at": "2030-01-08T14:00:00Z",
        "duration_minutes": 30,
        "earning": Money(amount_minor=5, currency="USD"),
        "nothing": None,
    }
    [_, sent] = await worker.handle(log.append(example_send(params=params, version=7)))
    [read] = await make_worker().handle(log.append(example_mark_read()))
    same = {"type", "id", "time", "version", "read_at", "decision", "channel", "reason"}
    assert {name: value for name, value in value_of(read).items() if name not in same} == {
        name: value for name, value in value_of(sent).items() if name not in same
    }


async def test_what_became_of_a_delivery_is_published_once(worker: Worker, connection: Connection) -> None:
    log = Log()
    await give_addresses(connection, email="a@example.org", sms="+265991234567")
    await worker.handle(log.append(example_send()))
    record = log.append(example_record_delivery(attempts=3), identifier="record")
    [sent] = await worker.handle(record, log.again(record))
    assert (outcome_of(sent), value_of(sent)["channel"], value_of(sent)["version"]) == ("sent", "email", 3)
    assert {"channel": "email", "status": "sent", "reason": None, "attempts": 3} in value_of(sent)["deliveries"]
    again = example_record_delivery(status=DeliveryStatus.UNSENT, reason="failed")
    assert await worker.outcomes(log.append(again)) == ["not_waiting"]
    unsent = example_record_delivery(channel=Channel.SMS, status=DeliveryStatus.UNSENT, reason="timed_out", attempts=8)
    assert await worker.outcomes(log.append(unsent)) == ["unsent"]
    assert await deliveries(connection) == {"email": ("sent", None), "sms": ("unsent", "timed_out"), "in_app": ("sent", None)}
    assert await connection.fetchval("SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL") == 0


async def test_a_delivery_can_be_recorded_in_the_batch_of_its_request(worker: Worker, connection: Connection) -> None:
    log = Log()
    await give_addresses(connection, email="a@example.org")
    batch = [log.append(example_send()), log.append(example_record_delivery()), log.append(example_mark_read())]
    assert await worker.outcomes(*batch) == ["accepted", "sent", "sent", "read"]
    assert await deliveries(connection) == {"email": ("sent", None), "in_app": ("sent", None)}
    assert await connection.fetchval("SELECT version FROM notifications") == 4


async def test_preferences_hold_for_what_comes_after_them(worker: Worker, connection: Connection) -> None:
    log = Log()
    await give_addresses(connection, email="a@example.org")
    changed = await worker.handle(log.append(example_preferences(unwanted=frozenset({Channel.EMAIL}), quiet_hours=QUIET)))
    assert value_of(changed[0])["quiet_hours"] == QUIET
    assert value_of(changed[0])["channels"] == {"email": False, "push": True, "sms": True, "chat": True, "in_app": True}
    assert await worker.outcomes(log.append(example_send())) == ["accepted", "sent"]
    assert await deliveries(connection) == {"email": ("suppressed", "opted_out"), "in_app": ("sent", None)}
    same = await worker.handle(log.append(example_preferences(unwanted=frozenset({Channel.EMAIL}), quiet_hours=QUIET)))
    assert [outcome_of(message) for message in same] == ["changed"]
    assert value_of(same[0])["version"] == 1
    batch = [log.append(example_preferences()), log.append(example_send(notification_id="next"))]
    assert value_of((await worker.handle(*batch))[0])["version"] == 2
    assert await deliveries(connection, "next") == {"email": ("waiting", None), "in_app": ("sent", None)}


async def test_a_normal_notification_waits_until_the_quiet_hours_end_and_a_critical_one_does_not(
    worker: Worker, connection: Connection
) -> None:
    log = Log()
    await give_addresses(connection, email="a@example.org")
    night = NOW + hours(9)
    await worker.handle(
        log.append(example_preferences(quiet_hours=QUIET)),
        log.append(example_send(notification_id="normal"), at=night),
        log.append(example_send(notification_id="critical", template=Template.APPOINTMENT_EXPIRED, priority=Priority.CRITICAL), at=night),
    )
    due = dict(await connection.fetch("SELECT notification_id, due_at FROM deliveries WHERE channel = 'email'"))
    assert due == {"normal": NOW + hours(17), "critical": night}
    assert await connection.fetchval("SELECT count(*) FROM notifications WHERE inbox_at = $1", night) == 2


async def test_the_state_that_was_heard_makes_a_request_stale_and_never_goes_back(
    worker: Worker, make_worker: MakeWorker, connection: Connection
) -> None:
    log = Log()
    heard = [heard_appointment("pending", 1, word="booked"), heard_appointment("cancelled", 3, word="cancelled", offset=1)]
    assert await worker.handle(*heard) == []
    late = heard_appointment("confirmed", 2, offset=2)
    assert await make_worker().handle(late, late) == []
    assert tuple(await connection.fetchrow("SELECT kind, entity_id, status, version FROM entities")) == (
        "appointment",
        "apt-1",
        "cancelled",
        3,
    )
    [suppressed] = await worker.handle(log.append(example_send(version=2)))
    assert (outcome_of(suppressed), value_of(suppressed)["reason"]) == ("suppressed", "stale")
    assert await connection.fetchval("SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL") == 0
    assert await worker.outcomes(log.append(example_send(notification_id="never", template=Template.APPOINTMENT_CANCELLED))) == [
        "accepted",
        "sent",
    ]


async def test_a_request_may_come_before_its_cause_is_heard(worker: Worker) -> None:
    log = Log()
    await worker.handle(heard_appointment("pending", 1, word="booked"))
    assert await worker.outcomes(log.append(example_send(version=2))) == ["accepted", "sent"]
    assert await worker.outcomes(log.append(example_send(notification_id="unknown", entity_id="apt-2"))) == ["accepted", "sent"]
    # Whichever comes first in a batch: the two topics have no order.
    in_one_batch = [
        log.append(example_send(notification_id="late", version=2)),
        heard_appointment("cancelled", 3, word="cancelled", offset=1),
    ]
    assert await worker.outcomes(*in_one_batch) == ["suppressed"]


async def test_events_of_a_type_that_is_not_known_are_passed_over(worker: Worker) -> None:
    assert await worker.handle(heard_appointment("whatever", 1, word="teleported")) == []
    assert await worker.handle(heard_appointment("a-status-of-later", 1)) == []


async def test_wrong_data_is_refused_under_the_key_of_the_body(worker: Worker) -> None:
    log = Log()
    await worker.handle(log.append(example_send()))
    record = log.append(example_send(notification_id="ntf-1"), identifier="bad")
    assert record.value is not None
    broken = StoredRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value.replace(b'"normal"', b'"urgent"'),
        record.headers,
    )
    rejected, dead = await worker.handle(broken)
    assert (outcome_of(rejected), value_of(rejected)["status_code"], value_of(rejected)["version"]) == ("invalid_data", 422, 2)
    assert outcome_of(dead) == "[invalid_data]"


async def test_a_thousand_requests_are_one_batch(worker: Worker, connection: Connection) -> None:
    log = Log()
    await connection.execute(
        "INSERT INTO recipients (recipient_id, email, updated_at) SELECT 'r-' || n, 'a@example.org', now() FROM generate_series(0, 99) n"
    )
    batch = [log.append(example_send(notification_id=f"ntf-{n}", recipient_id=f"r-{n % 100}")) for n in range(1000)]
    outcomes = await worker.outcomes(*batch)
    assert outcomes.count("accepted") == 1000
    assert await connection.fetchval("SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL") == 1000
