"""The mail catcher of an embedded mesh, by real SMTP, and `caremesh mail`, which shows what it has caught."""

import asyncio
import json
import smtplib
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from shared.cli.main import app
from shared.embedded.mail import MailCatcher, caught_mails


def send(catcher: MailCatcher, *mails: tuple[str, str]) -> None:
    server = urlsplit(catcher.url)
    assert server.port is not None
    with smtplib.SMTP("127.0.0.1", server.port) as smtp:
        for to, subject in mails:
            message = EmailMessage()
            message["From"], message["To"], message["Subject"] = "no-reply@example.org", to, subject
            message["Message-ID"], message["X-Notification-Id"] = f"<{subject}@example.org>", f"ntf-{subject}"
            message.set_content("Zikomo — see you.")
            smtp.send_message(message)


async def test_what_was_caught_lies_there_in_its_order_also_after_a_restart(tmp_path: Path) -> None:
    catcher = MailCatcher(tmp_path)
    await catcher.start()
    try:
        await catcher.wait_ready()
        first_url = catcher.url
        await asyncio.to_thread(send, catcher, ("a@example.org", "one"), ("b@example.org", "two"))
    finally:
        await catcher.stop()
    again = MailCatcher(tmp_path)
    await again.start()
    try:
        await again.wait_ready()
        assert again.url == first_url, "the port stays the same"
        await asyncio.to_thread(send, again, ("a@example.org", "three"))
    finally:
        await again.stop()
    caught = caught_mails(tmp_path)
    assert [(mail.to, mail.subject) for mail in caught] == [("a@example.org", "one"), ("b@example.org", "two"), ("a@example.org", "three")]
    assert (caught[0].body, caught[0].message_id, caught[0].notification_id) == ("Zikomo — see you.", "<one@example.org>", "ntf-one")
    assert [mail.subject for mail in caught_mails(tmp_path, after=caught[0].file.name)] == ["two", "three"]
    assert caught_mails(tmp_path / "elsewhere") == []


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which two e-mails lie."""
    monkeypatch.setenv("CAREMESH_HOME", str(tmp_path))
    (tmp_path / "mail").mkdir()
    for number, to in enumerate(("a", "b"), start=1):
        text = f"To: {to}@example.org\nSubject: Hello [{to}]\nDate: Tue, 08 Jan 2030 14:00:00 GMT\n\nDear {to}.\n"
        (tmp_path / "mail" / f"{number:020}-1-000001.eml").write_text(text)
    return tmp_path


@pytest.mark.usefixtures("home")
def test_what_was_caught_is_listed_shown_whole_and_found_by_address() -> None:
    def answered(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["mail", *arguments])
        assert result.exit_code == 0, result.stderr
        return result.stdout

    listed = answered()
    assert all(words in listed for words in ("2030-01-08T14:00:00Z", "a@example.org", "Hello [a]", "Hello [b]"))
    assert "Dear b." in answered("2")
    assert "Dear a." not in answered("2")
    assert [(mail["number"], mail["body"]) for mail in json.loads(answered("--to", "b@example.org", "--json"))] == [(2, "Dear b.")]
    assert json.loads(answered("--to", "c@example.org", "--json")) == []


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "arguments, code, sentence",
    [(["3"], 1, "There is no e-mail number 3"), (["first"], 2, "integer"), (["0"], 2, "greater than or equal to 1")],
)
def test_what_is_not_there_or_typed_wrong_is_told(arguments: list[str], code: int, sentence: str) -> None:
    result = CliRunner().invoke(app, ["mail", *arguments])
    assert result.exit_code == code
    assert sentence in result.stderr
