"""How notifications leave the mesh: by real SMTP, and by whatever Apprise speaks to."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import SecretStr

from services.notify import mail as mails
from services.notify.channels import AppriseProvider, providers_of
from services.notify.domain.attempt import Answer
from services.notify.mail import SmtpProvider
from services.notify.provider import Outgoing, idempotency_key
from services.notify.wording import Words
from shared.messages.notify import Channel
from shared.path.errors import FatalError
from shared.settings import Settings
from tests.mail_server import MailServer, drop, hang, mail_server, refuse_for_ever, refuse_for_now
from tests.system.harness.waiting import until

WORDS = Words("Your appointment is confirmed", "On Tuesday — see you.\n\nReference: apt_1")
FROM = "Caremesh <no-reply@mesh.example>"


def outgoing(address: str = "amina@example.org", words: Words = WORDS, notification_id: str = "ntf-1") -> Outgoing:
    return Outgoing(notification_id, address, words, idempotency_key(notification_id, Channel.EMAIL))


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


async def test_an_e_mail_arrives_as_it_was_worded(mail: MailServer) -> None:
    assert await SmtpProvider(mail.url, FROM).send(outgoing()) is Answer.TAKEN
    [message] = mail.received
    assert mail.recipients == ["amina@example.org"]
    assert (message["To"], message["From"], message["Subject"]) == ("amina@example.org", FROM, WORDS.title)
    assert message.get_content().strip().replace("\r\n", "\n") == WORDS.body
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Notification-Id"] == "ntf-1"
    assert abs(datetime.now(UTC) - message["Date"].datetime) < timedelta(minutes=1)


async def test_every_attempt_has_the_same_message_id_and_every_notification_another(mail: MailServer) -> None:
    provider = SmtpProvider(mail.url, FROM)
    for notification_id in ("ntf-1", "ntf-1", "ntf-2", "a:b/c"[:3] + "-x" * 60):
        await provider.send(outgoing(notification_id=notification_id))
    first, again, second, third = mail.message_ids
    assert first == again
    assert len({first, second, third}) == 3
    assert first.endswith("@mesh.example>")


@pytest.mark.parametrize(
    "title", ["Bcc: everybody@example.org", "Ünïcödé — 16:00", "Ünïcödé " * 20 + "end", "x" * 300, "word " * 14 + "end"]
)
async def test_a_title_is_a_title_whatever_is_in_it(mail: MailServer, title: str) -> None:
    assert await SmtpProvider(mail.url, FROM).send(outgoing(words=Words(title, "Body."))) is Answer.TAKEN
    [message] = mail.received
    assert message["Subject"] == title
    assert message["Bcc"] is None


async def test_a_connection_carries_many_mails_and_is_let_go_after_a_while(mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mails, "_IDLE_SECONDS", 0.2)
    provider = SmtpProvider(mail.url, FROM)
    for number in range(5):
        assert await provider.send(outgoing(notification_id=f"ntf-{number}")) is Answer.TAKEN
    assert (len(mail.received), mail.connections) == (5, 1)
    await until(lambda: not mail.sessions, "it is let go")
    assert await provider.send(outgoing()) is Answer.TAKEN
    assert mail.connections == 2
    monkeypatch.setattr(mails, "_MOST_MAILS", 2)
    for number in range(4):
        assert await provider.send(outgoing(notification_id=f"ntf-{number}")) is Answer.TAKEN
    assert mail.connections == 4


async def test_a_connection_that_died_while_it_rested_costs_nothing(mail: MailServer) -> None:
    provider = SmtpProvider(mail.url, FROM)
    assert await provider.send(outgoing()) is Answer.TAKEN
    mail.cut()
    assert await provider.send(outgoing(notification_id="ntf-2")) is Answer.TAKEN
    assert len(set(mail.message_ids)) == 2


async def test_a_server_that_has_had_enough_of_a_connection_gets_the_next_mail_over_another(mail: MailServer) -> None:
    mail.patience = 2
    provider = SmtpProvider(mail.url, FROM)
    answers = [await provider.send(outgoing(notification_id=f"ntf-{number}")) for number in range(4)]
    assert answers == [Answer.TAKEN] * 4
    assert mail.connections == 2


async def test_a_mail_that_is_refused_spoils_no_other(mail: MailServer) -> None:
    provider = SmtpProvider(mail.url, FROM)
    assert await provider.send(outgoing()) is Answer.TAKEN
    mail.refused.add("nobody@example.org")
    assert await provider.send(outgoing(address="nobody@example.org")) is Answer.REFUSED
    assert await provider.send(outgoing(notification_id="ntf-2")) is Answer.TAKEN
    assert mail.recipients == ["amina@example.org"] * 2


async def test_mails_at_the_same_time_go_over_connections_of_their_own(mail: MailServer) -> None:
    provider = SmtpProvider(mail.url, FROM)
    answers = await asyncio.gather(*(provider.send(outgoing(notification_id=f"ntf-{number}")) for number in range(8)))
    assert answers == [Answer.TAKEN] * 8
    assert len(set(mail.message_ids)) == 8


async def test_an_address_that_no_server_takes_is_refused(mail: MailServer) -> None:
    assert await SmtpProvider(mail.url, FROM).send(outgoing(address="ämina@example.org")) is Answer.REFUSED
    assert mail.received == []


async def test_an_unknown_address_is_refused_for_ever_and_a_busy_server_for_now(mail: MailServer) -> None:
    provider = SmtpProvider(mail.url, FROM)
    mail.refused.add("amina@example.org")
    assert await provider.send(outgoing()) is Answer.REFUSED
    mail.refused.clear()
    mail.answer = refuse_for_now
    assert await provider.send(outgoing()) is Answer.FAILED
    mail.answer = refuse_for_ever
    assert await provider.send(outgoing()) is Answer.REFUSED


async def test_a_connection_that_ends_before_the_answer_leaves_it_unknown(mail: MailServer) -> None:
    mail.answer = drop
    assert await SmtpProvider(mail.url, FROM).send(outgoing()) is Answer.UNKNOWN
    assert len(mail.received) == 1


async def test_a_server_that_is_not_there_has_taken_nothing(mail: MailServer) -> None:
    port = mail.port
    async with mail_server() as other:
        assert other.port != port
    assert await SmtpProvider(other.url, FROM).send(outgoing()) is Answer.FAILED


async def test_an_attempt_that_hangs_can_be_ended(mail: MailServer) -> None:
    mail.answer = hang
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await SmtpProvider(mail.url, FROM).send(outgoing())


async def test_a_password_goes_over_a_network_inside_tls_alone() -> None:
    assert SmtpProvider("smtp://me:secret@mail.example", FROM)._options["start_tls"] is True
    assert SmtpProvider("smtps://me:secret@mail.example", FROM)._options["use_tls"] is True
    assert SmtpProvider("smtp://me:p%40ss@127.0.0.1:25", FROM)._options["password"] == "p@ss"


class Web:
    """An HTTP server that notes what is posted to it."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.status = "200 OK"
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length"))
        self.posted.append((head.split(" ")[1], json.loads(await reader.readexactly(length))))
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    web = Web()
    server = await asyncio.start_server(web.serve, "127.0.0.1", 0)
    web.port = server.sockets[0].getsockname()[1]
    yield web
    server.close()


async def test_apprise_speaks_to_a_provider_with_the_recipients_address_in_its_place(web: Web) -> None:
    provider = AppriseProvider(Channel.PUSH, f"json://127.0.0.1:{web.port}/devices/{{recipient}}", concurrency=2)
    assert await provider.send(outgoing(address="token/with?odd&signs")) is Answer.TAKEN
    [(path, body)] = web.posted
    assert unquote(path) == "/devices/token/with?odd&signs"
    assert (body["title"], body["message"]) == (WORDS.title, WORDS.body)
    web.status = "500 No"
    assert await provider.send(outgoing()) is Answer.FAILED


async def test_apprise_logs_nobodys_address(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    web.status = "500 No"
    await AppriseProvider(Channel.CHAT, f"json://127.0.0.1:{web.port}/{{recipient}}", concurrency=1).send(outgoing("amina-s-secret"))
    assert "amina-s-secret" not in caplog.text


@pytest.mark.parametrize(
    "settings, named",
    [
        ({"notify_email_url": SecretStr("smtp://")}, "CAREMESH_NOTIFY_EMAIL_URL"),
        ({"notify_email_url": SecretStr("json://127.0.0.1/no-place")}, "CAREMESH_NOTIFY_EMAIL_URL"),
        ({"notify_sms_url": SecretStr("twilio://no-place")}, "CAREMESH_NOTIFY_SMS_URL"),
        ({"notify_push_url": SecretStr("nobody-speaks-this://{recipient}")}, "CAREMESH_NOTIFY_PUSH_URL"),
    ],
)
def test_a_provider_that_cannot_be_is_told_at_the_start_without_its_secrets(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(FatalError, match=named) as refused:
        providers_of(Settings(**settings))
    assert "no-place" not in str(refused.value)


def test_only_what_is_set_up_is_a_channel() -> None:
    providers = providers_of(
        Settings(notify_email_url=SecretStr("smtp://127.0.0.1"), notify_chat_url=SecretStr("json://127.0.0.1/{recipient}"))
    )
    assert providers.keys() == {Channel.EMAIL, Channel.CHAT}
    assert isinstance(providers[Channel.EMAIL], SmtpProvider)
