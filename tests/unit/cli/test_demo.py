import io
import random
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from shared.client import Message
from shared.codec.decode import Received, decode
from shared.codec.record import StoredRecord
from shared.demo.findings import BrokenPromiseError, Finding, Row, Verdict, any_failed, promise
from shared.demo.lines import kcat_lines, our_lines
from shared.demo.performance import rows_to_play
from shared.demo.post import ADDRESSES, Notice, Receipt
from shared.demo.scenarios import Scenario, play
from shared.demo.scenarios.telling import check_once
from shared.demo.stage import Stage, slot
from shared.demo.traffic import step_of_sweep
from shared.demo.view import table
from shared.embedded.mail import CaughtMail
from shared.messages.booking import BOOKING_COMMANDS, BookAppointment
from shared.messages.notify import DeliveryStatus, Template
from shared.settings import Settings

SETTINGS = Settings(kafka_bootstrap_servers="host:9092")


def message(**changed: object) -> Message:
    fields: dict[str, object] = {
        "topic": "telemed.booking.events.v1",
        "partition": 0,
        "offset": 0,
        "timestamp": 0,
        "key": "d",
        "headers": {"ce_type": "booking.appointment.booked.v1", "ce_id": "e"},
        "raw": b"{}",
    }
    return Message(**(fields | changed))  # type: ignore[arg-type]


async def test_the_line_for_kcat_is_a_command_that_the_mesh_takes() -> None:
    line = kcat_lines(SETTINGS, "1f")[1].command
    key, _, value = line.partition("'")[2].partition("'")[0].partition("|")
    received = decode(StoredRecord("telemed.booking.commands.v1", 0, 0, 1_800_000_000_000, key.encode(), value.encode()), BOOKING_COMMANDS)
    assert isinstance(received, Received)
    assert isinstance(received.content, BookAppointment)
    assert "-b host:9092" in line
    assert line.endswith("-K '|' -X partitioner=murmur2_random")


def test_lines_for_a_secured_cluster_name_the_password_and_do_not_hold_it() -> None:
    settings = Settings(
        kafka_bootstrap_servers="host:9092",
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="SCRAM-SHA-512",
        kafka_sasl_username="me",
        kafka_sasl_password="hidden",  # type: ignore[arg-type]
    )
    line = kcat_lines(settings, "1f")[0].command
    assert "-X sasl.mechanisms=SCRAM-SHA-512" in line
    assert "$CAREMESH_KAFKA_SASL_PASSWORD" in line
    assert "hidden" not in line


def test_our_lines_name_the_mesh_that_they_speak_to() -> None:
    environment = {"CAREMESH_HOME": "/h", "CAREMESH_PENDING_EXPIRY_SECONDS": "6"}
    commands = [line.command for line in our_lines("caremesh", environment, "/h/logs")]
    assert "CAREMESH_HOME=/h CAREMESH_PENDING_EXPIRY_SECONDS=6 caremesh verify" in commands
    assert "CAREMESH_HOME=/h CAREMESH_PENDING_EXPIRY_SECONDS=6 caremesh run booking" in commands


async def test_whatever_goes_wrong_is_a_failure_in_a_sentence() -> None:
    async def breaks(_stage: Stage) -> Finding:
        promise(kept=False, otherwise="two were booked")
        raise AssertionError

    async def crashes(_stage: Stage) -> Finding:
        raise TimeoutError

    stage = Stage(SETTINGS)
    assert await play(Scenario("t", breaks), stage) == Finding(Verdict.FAIL, "two were booked")
    assert await play(Scenario("t", crashes), stage) == Finding(Verdict.FAIL, "TimeoutError: ")
    with pytest.raises(BrokenPromiseError):
        promise(kept=False, otherwise="")


def caught(to: str) -> CaughtMail:
    return CaughtMail(file=Path("m"), sent_at=None, to=to, subject="s", body="b", message_id="<m@x>", notification_id="n")


AT_HOME = f"patient-7@{ADDRESSES}"
SINCE = datetime(2030, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "asked, mails, inbox_at, problem",
    [
        (["n", "n"], [AT_HOME], SINCE, None),
        (["n", "other"], [AT_HOME], SINCE, "was to be told 2 times"),
        (["n"], [], SINCE, "got 0 e-mails"),
        (["n"], [AT_HOME, AT_HOME], SINCE, "got 2 e-mails"),
        (["n"], ["patient-8@example.org"], SINCE, "went to somebody else"),
        (["n"], [AT_HOME], None, "not in the inbox"),
    ],
)
def test_told_once_is_one_request_one_e_mail_and_one_entry(
    asked: list[str], mails: list[str], inbox_at: datetime | None, problem: str | None
) -> None:
    stage = Stage(SETTINGS)
    stage.mailbox.is_here = True
    about = {"template": "call_failed", "recipient_id": "patient-7", "about": {"entity": "call", "entity_id": "c-1"}}
    stage.heard.extend(message(raw=orjson.dumps(about | {"notification_id": identifier})) for identifier in asked)
    notice = Notice("patient-7", Template.CALL_FAILED, "c-1", "n")
    receipt = Receipt(notice, [caught(to) for to in mails], DeliveryStatus.SENT, inbox_at)
    if problem is None:
        check_once(stage, receipt)
    else:
        with pytest.raises(BrokenPromiseError, match=problem):
            check_once(stage, receipt)


@pytest.mark.parametrize("status, is_told", [(None, True), (DeliveryStatus.SENT, True), (DeliveryStatus.UNSENT, False)])
def test_where_e_mails_go_to_another_server_notify_says_what_became_of_them(*, status: DeliveryStatus | None, is_told: bool) -> None:
    stage = Stage(SETTINGS)
    about = {
        "template": "call_failed",
        "recipient_id": "patient-7",
        "about": {"entity": "call", "entity_id": "c-1"},
        "notification_id": "n",
    }
    stage.heard.append(message(raw=orjson.dumps(about)))
    receipt = Receipt(Notice("patient-7", Template.CALL_FAILED, "c-1", "n"), [], status, SINCE)
    with nullcontext() if is_told else pytest.raises(BrokenPromiseError, match="the e-mail is unsent"):
        check_once(stage, receipt)


def test_a_row_without_a_finding_counts_as_failed() -> None:
    assert any_failed(rows_to_play())
    assert not any_failed([Row("t", Finding(verdict, "")) for verdict in (Verdict.PASS, Verdict.NOT_RUN)])
    assert any_failed([Row("t", Finding(Verdict.PASS, "")), Row("t", Finding(Verdict.FAIL, ""))])
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table(rows_to_play()))
    assert "it never came to an end" in console.export_text()


def test_slots_lie_ahead_in_working_hours() -> None:
    slots = [slot(random.randrange(1_000)) for _ in range(100)]
    assert all(starts_at > datetime.now(UTC) and 8 <= starts_at.hour < 16 for starts_at in slots)
    assert len({slot(number) for number in range(100)}) == 100


def test_what_time_did_is_shown_once() -> None:
    expired = message(
        headers={"ce_type": "booking.appointment.expired.v1", "ce_id": "e1"},
        raw=b'{"patient_id": "patient-x-3", "doctor_id": "doctor-x-2", "time": "2026-01-01T00:00:00Z"}',
    )
    seen: set[str] = set()
    step = step_of_sweep(expired, seen)
    assert step is not None
    assert (step.action, step.who, step.outcome) == ("sweep", "patient 3 → doctor 2", "expired")
    assert step_of_sweep(expired, seen) is None
    assert step_of_sweep(message(), seen) is None
