"""Deliverers beside each other, hung, dying and cut off from their database: nobody is told twice for that, and nobody never."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from services.notify import deliverer as deliverers
from services.notify.deliverer import Deliverer, Limits
from services.notify.domain.attempt import Answer
from services.notify.mail import SmtpProvider
from services.notify.provider import Outgoing
from shared.messages.notify import Channel
from shared.path import backoff
from tests.examples_of_notify import (
    COMMANDS_TOPIC,
    example_send,
)
from tests.integration.notify.delivering import FROM, PATIENT, QUICK, Notify, Stub
from tests.mail_server import MailServer
from tests.system.harness.waiting import until


def answering(answer: Answer, *, once: asyncio.Event) -> Stub:
    """A provider that answers so, but not before that has happened."""

    async def wait(_: Outgoing) -> Answer:
        await once.wait()
        return answer

    return Stub(wait)


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
    slow = answering(Answer.TAKEN, once=go_on)
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
    first, second = answering(Answer.TAKEN, once=late), answering(Answer.FAILED, once=never)
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
    slow = answering(Answer.REFUSED, once=go_on)
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
    slow = answering(Answer.TAKEN, once=go_on)
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
