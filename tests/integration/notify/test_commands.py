"""``caremesh recipients`` and ``caremesh inbox`` on a real database: what an operator types, and what they are told."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from services.notify.commands.inbox import app as inbox
from services.notify.commands.recipients import app as recipients
from shared.settings import Settings
from tests.examples_of_notify import RECIPIENT, example_mark_read, example_send
from tests.integration.notify.test_path import Log
from tests.integration.worker import Worker

FILE = "recipient_id,email,sms\np-1,amina@example.org,\np-2,not an address,\np-3,,+265991234567\np-4,one,two,three\n"


@pytest.fixture(autouse=True)
def _on_this_database(database_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREMESH_DATABASE_URL", database_settings.database_url.get_secret_value())


async def typed(app: typer.Typer, *arguments: str) -> tuple[int, str, str]:
    """What somebody types at the command line: its exit code, what it answers, and what it complains of."""
    # It has an event loop of its own.
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


async def known(recipient_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await typed(recipients, "show", recipient_id, "--json"))[1])
    return found


async def test_an_import_takes_the_good_lines_and_tells_the_bad_ones_by_their_number(tmp_path: Path) -> None:
    file, bad = tmp_path / "patients.csv", tmp_path / "bad.csv"
    file.write_text(FILE)
    code, output, complaints = await typed(recipients, "import", str(file), "--bad", str(bad))
    assert (code, output) == (1, "2 recipients taken in, 2 bad lines.\n")
    assert "Line 3: email" in complaints
    assert "Line 5: it has 4 cells, and the first line names 3" in complaints
    assert "not an address" not in complaints, "what is in a line is personal"
    assert (await known("p-1"))["email"] == "amina@example.org"
    assert (await known("p-3"))["sms"] == "+265991234567"
    assert await known("p-2") == {"recipient_id": "p-2"}

    # What was bad is mended, and imported alone.
    assert bad.read_text().splitlines() == ["recipient_id,email,sms", "p-2,not an address,", "p-4,one,two,three"]
    bad.write_text("recipient_id,email,sms\np-2,chisomo@example.org,\n")
    assert await typed(recipients, "import", str(bad)) == (0, "1 recipients taken in, 0 bad lines.\n", "")
    code, output, _ = await typed(recipients, "import", str(file), "--json")
    assert (code, [line["line"] for line in json.loads(output)["bad_lines"]]) == (1, [3, 5])


async def test_what_is_known_of_somebody_can_be_set_shown_and_forgotten() -> None:
    assert (await typed(recipients, "set", "p-1", "--email", "amina@example.org", "--timezone", "Africa/Blantyre"))[0] == 0
    assert (await typed(recipients, "set", "p-1", "--sms", "+265 99 123 45 67"))[0] == 0
    code, output, _ = await typed(recipients, "show", "p-1")
    assert code == 0
    for words in ("amina@example.org", "+265991234567", "Africa/Blantyre"):
        assert words in output
    assert (await typed(recipients, "set", "p-1", "--sms", ""))[0] == 0
    assert (await known("p-1"))["sms"] is None
    assert (await typed(recipients, "forget", "p-1"))[0] == 0
    assert (await typed(recipients, "show", "p-1"))[0] == 1
    assert (await typed(recipients, "forget", "p-1"))[0] == 1


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["set", "p-1", "--email", "amina"], "an e-mail address is name@domain"),
        (["set", "p-1", "--sms", "0991234567"], "such as +265991234567"),
        (["set", "p-1", "--timezone", "Blantyre"], "timezone"),
        (["set", "p-1", "--unwanted", "fax"], "unwanted"),
        (["set", "p-1", "--quiet-hours", "at night"], "such as 22:00-07:00 Africa/Blantyre"),
        (["set", "p 1", "--sms", ""], "recipient_id"),
        (["set", "p-1", "--fax", "1"], "--fax"),
        (["import", "not-there.csv"], "not-there.csv cannot be read (No such file or directory)"),
        (["import", __file__], "The first line names the columns"),
        (["import"], "FILE"),
        (["forgive", "p-1"], "forgive"),
    ],
)
async def test_what_is_typed_wrong_is_told_in_a_sentence_and_nothing_is_changed(arguments: list[str], sentence: str) -> None:
    code, output, complaints = await typed(recipients, *arguments)
    assert (code, output) == (2, "")
    assert sentence in complaints
    assert await known("p-1") == {"recipient_id": "p-1"}


async def test_an_inbox_counts_what_is_not_read_and_shows_the_recipients_own_time(worker: Worker) -> None:
    await typed(recipients, "set", RECIPIENT, "--timezone", "Africa/Blantyre")
    log = Log()
    for name in ("one", "two", "three"):
        await worker.handle(log.append(example_send(notification_id=name, entity_id=name)))
    await worker.handle(log.append(example_mark_read(notification_id="two")))
    code, output, _ = await typed(inbox, RECIPIENT, "--json")
    found = json.loads(output)
    assert (code, found["unread"]) == (0, 2)
    assert all("4:00" in entry["title"] for entry in found["entries"]), "two in the afternoon, UTC"
    assert {entry["notification_id"]: entry["read_at"] is not None for entry in found["entries"]} == {
        "one": False,
        "two": True,
        "three": False,
    }
    code, output, _ = await typed(inbox, RECIPIENT, "--unread", "--json")
    assert {entry["notification_id"] for entry in json.loads(output)["entries"]} == {"one", "three"}
    code, output, _ = await typed(inbox, RECIPIENT)
    assert f"{RECIPIENT}: 2 unread" in output
    code, output, _ = await typed(inbox, "nobody", "--json")
    assert (code, json.loads(output)) == (0, {"recipient_id": "nobody", "unread": 0, "entries": []})
