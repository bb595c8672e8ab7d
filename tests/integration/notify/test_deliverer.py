"""The deliverer on a real database and by real SMTP: whatever a provider does, whoever dies, it is told once or known to be untold."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from services.notify import deliverer as deliverers
from services.notify.deliverer import Deliverer, Limits
from services.notify.domain.attempt import Answer
from services.notify.domain.notification import Rules
from services.notify.mail import SmtpProvider
from services.notify.provider import Outgoing, Provider
from shared.codec.record import OutgoingMessage, StoredRecord
from shared.messages.fields import Command
from shared.messages.notify import Channel, Priority, Template
from shared.path import backoff
from tests.examples import milliseconds
from tests.examples_of_notify import (
    ALL,
    COMMANDS_TOPIC,
    EMAIL,
    RECIPIENT,
    example_preferences,
    example_record,
    example_send,
    heard_appointment,
)
from tests.integration.worker import Worker, value_of
from tests.mail_server import MailServer, drop, hang, mail_server, refuse_for_now, take
from tests.system.harness.waiting import until

Connection = Any
FROM = "Caremesh <no-reply@mesh.example>"
#: Three attempts within a third of a second.
QUICK = Rules(channels=ALL, max_attempts=3, retry_period=timedelta(seconds=0.3))
LIMITS = Limits(concurrency=8, attempt_seconds=1)
#: A busy machine is no failing provider.
PATIENT = Limits(concurrency=8, attempt_seconds=60)


class Notify:
    """Notify as one process: what a deliverer publishes is decided, and what comes of it is kept."""

    def __init__(self, worker: Worker, engine: AsyncEngine, connection: Connection) -> None:
        self.worker, self.engine, self.connection = worker, engine, connection
        self.offsets = count()
        self.events: list[dict[str, Any]] = []
        self.published: list[OutgoingMessage] = []
        self.hears = True
        self.one_at_a_time = asyncio.Lock()

    async def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """As the brokers and the consumer do it."""
        self.published += messages
        if self.hears:
            await self._decide(*map(self._lying, messages))

    async def ask(self, *commands: Command) -> None:
        now = datetime.now(UTC)
        await self._decide(
            *(example_record(command, identifier=f"command-{(at := next(self.offsets))}", offset=at, at=now) for command in commands)
        )

    async def hear(self, status: str, version: int) -> None:
        await self._decide(heard_appointment(status, version, offset=next(self.offsets)))

    def _lying(self, message: OutgoingMessage) -> StoredRecord:
        offset, now = next(self.offsets), milliseconds(datetime.now(UTC))
        return StoredRecord(COMMANDS_TOPIC, 0, offset, now, message.key, message.value, message.headers)

    async def _decide(self, *records: StoredRecord) -> None:
        async with self.one_at_a_time:
            for message in await self.worker.handle(*records):
                assert not message.topic.endswith(".dlq"), message
                self.events.append(value_of(message))

    @asynccontextmanager
    async def delivering(self, rules: Rules = QUICK, limits: Limits = LIMITS, **providers: Provider) -> AsyncIterator[None]:
        deliverer = Deliverer(
            {Channel(name): provider for name, provider in providers.items()},
            engine=self.engine,
            publisher=self,
            topic=COMMANDS_TOPIC,
            rules=rules,
            limits=limits,
        )
        running = asyncio.create_task(deliverer.run())
        try:
            yield
        finally:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    def ends(self, channel: str = "email") -> list[tuple[str, str, str | None]]:
        """What became of which notification on a channel, each event once."""
        once = {
            event["id"]: event for event in self.events if event["type"].startswith("notify.notification") and event["channel"] == channel
        }
        return [(event["notification_id"], event["type"].split(".")[2], event["reason"]) for event in once.values()]

    async def until_ended(self, number: int, channel: str = "email", seconds: float = 20) -> float:
        return await until(
            lambda: len(self.ends(channel)) >= number, f"{number} deliveries by {channel} have ended", seconds=seconds, step=0.01
        )

    async def give(self, recipient_id: str = RECIPIENT, **addresses: str) -> None:
        names = ["recipient_id", *addresses, "updated_at"]
        places = ", ".join(f"${number}" for number in range(1, len(names)))
        statement = f"INSERT INTO recipients ({', '.join(names)}) VALUES ({places}, now())"
        await self.connection.execute(statement, recipient_id, *addresses.values())

    async def attempts(self) -> int:
        return int(await self.connection.fetchval("SELECT attempts FROM deliveries WHERE channel = 'email'"))

    async def make_everything_due(self) -> None:
        """As time passes."""
        await self.connection.execute("UPDATE deliveries SET due_at = now() WHERE due_at IS NOT NULL")


class Stub:
    """A provider whose answers a test gives."""

    def __init__(self, answer: Callable[[Outgoing], Awaitable[Answer]]) -> None:
        self.answer = answer
        self.asked: list[Outgoing] = []

    async def send(self, outgoing: Outgoing) -> Answer:
        self.asked.append(outgoing)
        return await self.answer(outgoing)


@pytest.fixture
async def notify(worker: Worker, engine: AsyncEngine, connection: Connection) -> Notify:
    return Notify(worker, engine, connection)


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


async def test_what_is_due_is_sent_once_and_that_is_published(notify: Notify, mail: MailServer) -> None:
    await notify.give(email="amina@example.org", language="en-GB", timezone="Africa/Blantyre")
    await notify.ask(example_send())
    async with notify.delivering(email=SmtpProvider(mail.url, FROM)):
        await notify.until_ended(1)
    assert notify.ends() == [("ntf-1", "sent", None)]
    assert mail.recipients == ["amina@example.org"]
    assert mail.received[0]["Subject"] == "Your appointment on Tuesday, 8 January 2030, 16:00 (Central Africa Time) is confirmed"
    sent = next(event for event in notify.events if event["channel"] == "email")
    assert {"channel": "email", "status": "sent", "reason": None, "attempts": 1} in sent["deliveries"]
    row = await notify.connection.fetchrow("SELECT status, attempts, due_at FROM deliveries WHERE channel = 'email'")
    assert tuple(row) == ("sent", 1, None)
    assert len(notify.published) == 1


async def test_the_command_that_records_it_belongs_to_the_conversation(notify: Notify, mail: MailServer) -> None:
    await notify.give(email="amina@example.org")
    await notify.ask(example_send())
    async with notify.delivering(email=SmtpProvider(mail.url, FROM)):
        await notify.until_ended(1)
    headers = {name: value.decode() for name, value in notify.published[0].headers}
    assert (headers["ce_correlationid"], headers["ce_causationid"]) == ("command-0", "command-0")
    assert headers["ce_source"] == "/caremesh/notify"
    assert notify.published[0].key == RECIPIENT.encode()
    assert b"amina" not in (notify.published[0].value or b"")


@pytest.mark.parametrize("fault", ["down", "busy", "drops", "hangs"])
async def test_a_provider_that_fails_is_asked_again_and_then_it_is_known_to_be_untold(notify: Notify, mail: MailServer, fault: str) -> None:
    await notify.give(email="amina@example.org")
    await notify.ask(example_send())
    mail.answer = {"down": take, "busy": refuse_for_now, "drops": drop, "hangs": hang}[fault]
    url = "smtp://127.0.0.1:1" if fault == "down" else mail.url
    async with notify.delivering(email=SmtpProvider(url, FROM)):
        await notify.until_ended(1)
    reason = "timed_out" if fault in {"drops", "hangs"} else "failed"
    assert notify.ends() == [("ntf-1", "unsent", reason)]
    assert await notify.attempts() == 3
    if fault != "down":
        assert len(mail.received) == 3
        assert len(set(mail.message_ids)) == 1, "each attempt is the same message"


@pytest.mark.parametrize("fault", ["busy", "drops", "hangs"])
async def test_a_provider_that_comes_back_tells_it(notify: Notify, mail: MailServer, fault: str) -> None:
    await notify.give(email="amina@example.org")
    await notify.ask(example_send())
    mail.answer = {"busy": refuse_for_now, "drops": drop, "hangs": hang}[fault]
    async with notify.delivering(email=SmtpProvider(mail.url, FROM)):
        await until(lambda: bool(mail.received), "the first attempt")
        mail.answer = take
        await notify.until_ended(1)
    assert notify.ends() == [("ntf-1", "sent", None)]
    assert len(set(mail.message_ids)) == 1


async def test_what_providers_answer_and_what_becomes_of_deliveries_is_counted(notify: Notify, mail: MailServer) -> None:
    def counted() -> list[float]:
        return [REGISTRY.get_sample_value(name, {"channel": "email"} | labels) or 0 for name, labels in series]

    series = [
        ("caremesh_deliveries_total", {"template": "appointment_confirmed", "status": "sent"}),
        ("caremesh_delivery_attempts_total", {"answer": "failed"}),
        ("caremesh_delivery_attempts_total", {"answer": "taken"}),
    ]
    before = counted()
    await notify.give(email="amina@example.org")
    await notify.ask(example_send())
    mail.answer = refuse_for_now
    async with notify.delivering(email=SmtpProvider(mail.url, FROM)):
        await until(lambda: len(mail.received) == 2, "two attempts")
        mail.answer = take
        await notify.until_ended(1)
    changes = [after - earlier for after, earlier in zip(counted(), before, strict=True)]
    assert changes == [1, len(mail.received) - 1, 1]


async def test_an_address_that_does_not_exist_is_not_tried_again(notify: Notify, mail: MailServer) -> None:
    await notify.give(email="nobody@example.org")
    await notify.ask(example_send())
    mail.refused.add("nobody@example.org")
    async with notify.delivering(email=SmtpProvider(mail.url, FROM)):
        await notify.until_ended(1)
    assert notify.ends() == [("ntf-1", "unsent", "refused")]
    assert await notify.attempts() == 1


async def test_whatever_a_library_raises_is_a_failure_and_no_address_is_logged(notify: Notify, capsys: pytest.CaptureFixture[str]) -> None:
    async def fail(outgoing: Outgoing) -> Answer:
        raise ValueError(outgoing.address)

    await notify.give(email="amina@example.org")
    await notify.ask(example_send())
    async with notify.delivering(email=Stub(fail)):
        await notify.until_ended(1)
    assert notify.ends() == [("ntf-1", "unsent", "failed")]
    logged = capsys.readouterr().out
    assert "ValueError" in logged
    assert "amina" not in logged


async def test_what_has_become_untrue_is_not_sent(notify: Notify, mail: MailServer) -> None:
    await notify.give(email="amina@example.org")
    await notify.ask(example_send(version=2), example_send(notification_id="other", template=Template.APPOINTMENT_CANCELLED, version=2))
    await notify.hear("cancelled", 3)
    async with notify.delivering(email=SmtpProvider(mail.url, FROM)):
        await notify.until_ended(2)
    assert sorted(notify.ends()) == [("ntf-1", "suppressed", "stale"), ("other", "sent", None)]
    assert len(mail.received) == 1
    suppressed = next(event for event in notify.events if event["reason"] == "stale")
    assert suppressed["channel"] == "email"


async def test_who_no_longer_wants_it_or_is_forgotten_is_not_told(notify: Notify, mail: MailServer) -> None:
    for recipient_id in ("weary", "forgotten"):
        await notify.give(recipient_id, email=f"{recipient_id}@example.org")
        await notify.ask(example_send(notification_id=recipient_id, recipient_id=recipient_id))
    await notify.ask(example_preferences(recipient_id="weary", unwanted=EMAIL))
    await notify.connection.execute("DELETE FROM recipients WHERE recipient_id = 'forgotten'")
    async with notify.delivering(email=SmtpProvider(mail.url, FROM)):
        await notify.until_ended(2)
    assert sorted(notify.ends()) == [("forgotten", "suppressed", "no_channel"), ("weary", "suppressed", "opted_out")]
    assert mail.received == []


async def test_quiet_hours_that_came_meanwhile_put_it_off(notify: Notify, mail: MailServer) -> None:
    await notify.give(email="amina@example.org")
    critical = example_send(notification_id="critical", template=Template.APPOINTMENT_EXPIRED, priority=Priority.CRITICAL)
    await notify.ask(example_send(), critical)
    # All day but for a minute that is hours away from now.
    [hour] = await notify.connection.fetchrow("SELECT extract(hour FROM now() AT TIME ZONE 'UTC' + interval '6 hours')::integer")
    always = {"start": f"{hour:02}:01", "end": f"{hour:02}:00", "timezone": "UTC"}
    await notify.ask(example_preferences(quiet_hours=always))
    async with notify.delivering(email=SmtpProvider(mail.url, FROM)):
        await notify.until_ended(1)

        async def put_off() -> bool:
            query = "SELECT due_at > now() + interval '4 hours' FROM deliveries WHERE notification_id = 'ntf-1' AND channel = 'email'"
            return bool(await notify.connection.fetchval(query))

        await until(put_off, "the normal one is put off")
    assert notify.ends() == [("critical", "sent", None)]
    assert await notify.connection.fetchval("SELECT attempts FROM deliveries WHERE notification_id = 'ntf-1' AND channel = 'email'") == 0


async def test_a_channel_that_hangs_holds_up_no_other(notify: Notify, mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # What hangs hangs on the way out, too.
    monkeypatch.setattr(deliverers, "_FAREWELL_SECONDS", 0.1)

    async def never(_: Outgoing) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    sends = []
    for number in range(300):
        await notify.give(f"r-{number}", email=f"r-{number}@example.org", sms="+265991234567")
        sends.append(example_send(notification_id=f"ntf-{number}", recipient_id=f"r-{number}"))
    await notify.ask(*sends)
    dead = Stub(never)
    async with notify.delivering(limits=PATIENT, email=SmtpProvider(mail.url, FROM), sms=dead):
        await notify.until_ended(300, seconds=60)
        assert len(dead.asked) == 8, "no more than so many wait for it"
    assert sorted(mail.recipients) == sorted(f"r-{number}@example.org" for number in range(300))
    assert notify.ends("sms") == []


async def test_several_deliverers_share_the_queue_and_send_nothing_twice(notify: Notify, mail: MailServer) -> None:
    sends = []
    for number in range(200):
        await notify.give(f"r-{number}", email=f"r-{number}@example.org")
        sends.append(example_send(notification_id=f"ntf-{number}", recipient_id=f"r-{number}"))
    await notify.ask(*sends)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(notify.delivering(limits=PATIENT, email=SmtpProvider(mail.url, FROM)))
        await notify.until_ended(200, seconds=60)
    assert len(mail.received) == 200
    assert len(set(mail.recipients)) == 200
    assert len(notify.ends()) == 200


async def test_who_dies_between_sending_and_noting_leaves_a_second_attempt_with_the_same_key(notify: Notify, mail: MailServer) -> None:
    await notify.give(email="amina@example.org")
    await notify.ask(example_send())
    sent = asyncio.Event()

    async def send_and_die(outgoing: Outgoing) -> Answer:
        await SmtpProvider(mail.url, FROM).send(outgoing)
        sent.set()
        await asyncio.Event().wait()
        raise AssertionError

    deliverer = Deliverer(
        {Channel.EMAIL: Stub(send_and_die)}, engine=notify.engine, publisher=notify, topic=COMMANDS_TOPIC, rules=QUICK, limits=PATIENT
    )
    running = asyncio.create_task(deliverer.run())
    await sent.wait()
    for task in [*deliverer._under_way]:
        task.cancel()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert notify.ends() == []
    assert await notify.attempts() == 1, "it was noted before"

    async with notify.delivering(email=SmtpProvider(mail.url, FROM)):
        await notify.make_everything_due()
        await notify.until_ended(1)
    assert notify.ends() == [("ntf-1", "sent", None)]
    assert await notify.attempts() == 2
    assert len(mail.received) == 2
    assert len(set(mail.message_ids)) == 1


async def test_an_end_that_was_noted_and_never_decided_is_told_again_in_the_same_words(notify: Notify, mail: MailServer) -> None:
    await notify.give(email="amina@example.org")
    await notify.ask(example_send())
    notify.hears = False
    async with notify.delivering(email=SmtpProvider(mail.url, FROM)):
        await until(lambda: len(notify.published) == 1, "the end is published")
        await notify.make_everything_due()
        await until(lambda: len(notify.published) == 2, "it is published again")
        notify.hears = True
        await notify.make_everything_due()
        await notify.until_ended(1)
    assert len({(message.key, message.value, tuple(message.headers)) for message in notify.published}) == 1
    assert len(mail.received) == 1
    assert notify.ends() == [("ntf-1", "sent", None)]


async def test_what_a_worker_has_in_hand_it_does_not_take_again(notify: Notify) -> None:
    await notify.give(email="amina@example.org")
    await notify.ask(example_send())
    go_on = asyncio.Event()

    async def wait_and_take(_: Outgoing) -> Answer:
        await go_on.wait()
        return Answer.TAKEN

    slow = Stub(wait_and_take)
    async with notify.delivering(limits=PATIENT, email=slow):
        await until(lambda: bool(slow.asked), "it is under way")
        await notify.make_everything_due()

        async def is_put_off() -> bool:
            return bool(
                await notify.connection.fetchval("SELECT due_at > now() + interval '10 seconds' FROM deliveries WHERE channel = 'email'")
            )

        await until(is_put_off, "it was taken, and put off")
        go_on.set()
        await notify.until_ended(1)
    assert len(slow.asked) == 1
    assert await notify.attempts() == 1


async def test_that_it_was_sent_is_noted_whoever_has_taken_over_meanwhile(notify: Notify) -> None:
    await notify.give(email="amina@example.org")
    await notify.ask(example_send())
    late, never = asyncio.Event(), asyncio.Event()

    async def take_late(_: Outgoing) -> Answer:
        await late.wait()
        return Answer.TAKEN

    async def fail_never(_: Outgoing) -> Answer:
        await never.wait()
        return Answer.FAILED

    first, second = Stub(take_late), Stub(fail_never)
    alone = Limits(concurrency=1, attempt_seconds=60)
    async with notify.delivering(limits=alone, email=first):
        await until(lambda: bool(first.asked), "the first has it")
        async with notify.delivering(limits=PATIENT, email=second):
            await notify.make_everything_due()
            await until(lambda: bool(second.asked), "the second has it")
            late.set()
            await notify.until_ended(1)
            never.set()
    assert notify.ends() == [("ntf-1", "sent", None)]
    assert {"channel": "email", "status": "sent", "reason": None, "attempts": 2} in notify.events[-1]["deliveries"]
    assert len({message.value for message in notify.published}) == 1


async def test_a_worker_that_was_away_for_too_long_has_nothing_to_say_any_more(notify: Notify, mail: MailServer) -> None:
    await notify.give(email="amina@example.org")
    await notify.ask(example_send())
    go_on = asyncio.Event()

    async def late(_: Outgoing) -> Answer:
        await go_on.wait()
        return Answer.REFUSED

    slow = Stub(late)
    # It has room for one, and so takes nothing else meanwhile.
    async with notify.delivering(limits=Limits(concurrency=1, attempt_seconds=60), email=slow):
        await until(lambda: bool(slow.asked), "the first has it")
        async with notify.delivering(email=SmtpProvider(mail.url, FROM)):
            await notify.make_everything_due()
            await notify.until_ended(1)
        go_on.set()
        await until(lambda: len(slow.asked) == 1, "it goes on")
    assert notify.ends() == [("ntf-1", "sent", None)]
    assert len(notify.published) == 1


async def test_who_is_told_to_stop_brings_what_is_under_way_to_its_end(notify: Notify) -> None:
    await notify.give(email="amina@example.org")
    await notify.ask(example_send())
    go_on = asyncio.Event()

    async def wait_and_take(_: Outgoing) -> Answer:
        await go_on.wait()
        return Answer.TAKEN

    slow = Stub(wait_and_take)
    async with notify.delivering(limits=PATIENT, email=slow):
        await until(lambda: bool(slow.asked), "it is under way")
        asyncio.get_running_loop().call_later(0.3, go_on.set)
    assert notify.ends() == [("ntf-1", "sent", None)]


async def test_a_database_that_goes_away_for_a_moment_loses_nothing(notify: Notify, mail: MailServer) -> None:
    sends = []
    for number in range(100):
        await notify.give(f"r-{number}", email=f"r-{number}@example.org")
        sends.append(example_send(notification_id=f"ntf-{number}", recipient_id=f"r-{number}"))
    await notify.ask(*sends)
    async with notify.delivering(limits=Limits(concurrency=4, attempt_seconds=60), email=SmtpProvider(mail.url, FROM)):
        for sent in range(10, 60, 10):
            await until(lambda sent=sent: len(mail.received) >= sent, f"{sent} are sent")  # type: ignore[misc]
            await notify.connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'caremesh-notify%' AND datname = current_database()"
            )
        await notify.until_ended(100, seconds=60)
    assert notify.ends() == [(event[0], "sent", None) for event in notify.ends()]
    assert len(set(mail.message_ids)) == 100


def test_the_lease_is_longer_than_an_attempt_and_what_a_failing_database_adds_to_it() -> None:
    assert Limits().lease > timedelta(seconds=Limits().attempt_seconds + deliverers._FAREWELL_SECONDS)
    assert deliverers._NOTES_FIRST_SECONDS > backoff._LONGEST_SECONDS, "who notes tries again before who takes does"


def test_the_identity_of_a_record_is_one_for_each_notification_and_channel_however_long_its_id_is() -> None:
    short, long = deliverers.command_id("ntf-1", Channel.EMAIL), deliverers.command_id("n" * 128, Channel.EMAIL)
    assert short == "record_delivery:ntf-1:email"
    assert len(long) <= 128
    assert len({short, long, deliverers.command_id("n" * 128, Channel.SMS), deliverers.command_id("n" * 127, Channel.EMAIL)}) == 4
