"""The deliverer on a real database and by real SMTP: whatever a provider does, it is told once or known to be untold."""

import pytest
from prometheus_client import REGISTRY

from services.notify.domain.attempt import Answer
from services.notify.mail import SmtpProvider
from services.notify.provider import Outgoing
from shared.messages.notify import Priority, Template
from tests.examples_of_notify import (
    EMAIL,
    RECIPIENT,
    example_preferences,
    example_send,
)
from tests.integration.notify.delivering import FROM, Notify, Stub
from tests.mail_server import MailServer, drop, hang, refuse_for_now, take
from tests.system.harness.waiting import until


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
