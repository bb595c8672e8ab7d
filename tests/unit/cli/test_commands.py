import json
import sys
from pathlib import Path

import pytest

from shared.cli import main
from shared.cli.config import effective, unknown_variables
from shared.cli.topics import differences
from shared.messages.registry import COMMANDS
from shared.topics import TOPICS


@pytest.fixture(autouse=True)
def _no_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREMESH_HOME", str(tmp_path))
    for name in ("CAREMESH_KAFKA_BOOTSTRAP_SERVERS", "CAREMESH_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["caremesh", *arguments])
    with pytest.raises(SystemExit) as caught:
        main.main()
    return caught.value.code


BOOK = ("send", "book", "doctor_id=d", "patient_id=p", "starts_at=+2d", "modality=text", "actor=patient:p")
ASKS_THE_MESH = [
    ("topics",),
    ("topics", "create"),
    ("migrate",),
    ("verify",),
    ("lag",),
    BOOK,
    (*BOOK, "--no-wait"),
    ("tail", "booking"),
    ("trace", "apt-1"),
    ("show", "appointment", "apt-1"),
    ("sweeps", "list"),
    ("sweeps", "run", "appointments-expire"),
    ("dlq", "list"),
    ("dlq", "show", "abcdef"),
    ("dlq", "replay", "abcdef"),
    ("dlq", "replay", "--all"),
]


@pytest.mark.parametrize("arguments", [*ASKS_THE_MESH, ("run", "booking")], ids=" ".join)
def test_without_a_mesh_a_command_cannot_look_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert exit_code(monkeypatch, *arguments) == 2
    assert "caremesh up" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", ASKS_THE_MESH, ids=" ".join)
def test_without_a_mesh_json_is_still_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert exit_code(monkeypatch, *arguments, "--json") == 2
    assert "caremesh up" in json.loads(capsys.readouterr().out)["problem"]


@pytest.mark.parametrize("arguments", [*ASKS_THE_MESH, ("status",), ("config",), ("demo",), ("up",), ("run", "booking")], ids=" ".join)
def test_a_setting_without_a_valid_value_is_named_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CAREMESH_PENDING_EXPIRY_SECONDS", "soon")
    assert exit_code(monkeypatch, *arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("CAREMESH_PENDING_EXPIRY_SECONDS: ")
    assert "Traceback" not in message


def test_a_setting_that_is_no_json_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CAREMESH_DATABASE_PASSWORDS", '{"booking": hidden')
    assert exit_code(monkeypatch, "config") == 2
    assert capsys.readouterr().err == "CAREMESH_DATABASE_PASSWORDS: is to be JSON.\n"


def test_settings_that_do_not_go_together_are_told_without_ceremony(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CAREMESH_KAFKA_SASL_USERNAME", "mesh")
    assert exit_code(monkeypatch, "config") == 2
    assert capsys.readouterr().err.startswith("CAREMESH_KAFKA_SASL_USERNAME is set, but")


def test_an_unknown_service_is_answered_with_the_known_ones(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(monkeypatch, "run", "bookings") == 2
    assert "booking, booking-processor" in capsys.readouterr().err


WITHOUT_KAFKA = ("migrate", "show", "sweeps")


@pytest.mark.parametrize("arguments", [arguments for arguments in ASKS_THE_MESH if arguments[0] not in WITHOUT_KAFKA], ids=" ".join)
def test_kafka_that_is_not_there_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CAREMESH_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    assert exit_code(monkeypatch, *arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("Kafka at 127.0.0.1:9 is not to be reached")
    assert "Traceback" not in message


def test_a_service_that_cannot_start_says_so_before_it_does(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CAREMESH_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("CAREMESH_DATABASE_URL", "postgresql://me:hidden@127.0.0.1:9/mesh")
    assert exit_code(monkeypatch, "run", "booking") == 2
    assert capsys.readouterr().err.startswith("Kafka at 127.0.0.1:9 is not to be reached")


@pytest.mark.parametrize("arguments", [("migrate",), ("show", "appointment", "apt-1"), ("sweeps", "list")], ids=" ".join)
def test_a_database_that_is_not_there_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CAREMESH_DATABASE_URL", "postgresql://me:hidden@127.0.0.1:9/mesh")
    assert exit_code(monkeypatch, *arguments) == 2
    message = capsys.readouterr().err
    assert "postgresql://me:***@127.0.0.1:9/mesh" in message
    assert "hidden" not in message


def test_the_demo_does_not_invent_appointments_on_a_real_cluster_unasked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CAREMESH_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    assert exit_code(monkeypatch, "demo") == 2
    assert "--yes" in capsys.readouterr().err


def test_config_masks_secrets_and_says_where_a_value_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREMESH_DATABASE_URL", "postgresql://me:hidden@host/mesh")
    monkeypatch.setenv("CAREMESH_KAFKA_SASL_PASSWORD", "hidden")
    monkeypatch.setenv("CAREMESH_DATABASE_PASSWORDS", '{"booking": "hidden"}')
    entries = {entry.variable: entry for entry in effective()}
    assert entries["CAREMESH_DATABASE_URL"].value == "postgresql://me:***@host/mesh"
    assert entries["CAREMESH_KAFKA_SASL_PASSWORD"].value == "***"
    assert entries["CAREMESH_DATABASE_PASSWORDS"].value == {"booking": "***"}
    assert entries["CAREMESH_KAFKA_SASL_PASSWORD"].origin == "set"
    assert entries["CAREMESH_PENDING_EXPIRY_SECONDS"].value == 86_400
    assert entries["CAREMESH_PENDING_EXPIRY_SECONDS"].origin == "default"
    assert not any("hidden" in str(entry) for entry in entries.values())


def test_config_is_one_json_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(monkeypatch, "config", "--json") == 0
    assert json.loads(capsys.readouterr().out)["CAREMESH_TOPIC_PREFIX"] == "telemed"


def test_a_mistyped_variable_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREMESH_PENDING_EXPIRY_SECOND", "3")
    sentences = [sentence for sentence in unknown_variables(entry.variable for entry in effective()) if "_SECOND " in sentence]
    assert sentences == [
        "CAREMESH_PENDING_EXPIRY_SECOND is set, but there is no such setting. Did you mean CAREMESH_PENDING_EXPIRY_SECONDS?"
    ]


def test_a_topic_that_is_set_otherwise_is_told_with_what_to_do() -> None:
    wanted = TOPICS[0].configuration()
    assert differences(wanted, wanted | {"segment.bytes": "1"}) == []
    (problem,) = differences(wanted, wanted | {"message.timestamp.type": "CreateTime"})
    assert problem == "message.timestamp.type is CreateTime, and should be LogAppendTime: set it with kafka-configs.sh --alter"
    # Not every client may see how a topic is set.
    assert differences(wanted, None) == []


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("snd",), "Did you mean 'send'?"),
        (("send",), "Say which command: `caremesh send --help` lists them."),
        (("send", "bok"), "There is no command bok. Did you mean book"),
        (("send", "book", "--id", "a b"), "1 to 128 characters"),
        ((*BOOK, "--id", "a"), "starts_at=+2d is another time whenever it is sent"),
        (("send", "book", "--source", "a b"), "a source is a URI reference"),
        (("send", "book", "--timeout", "0"), "0.1"),
        (("send", "book"), "doctor_id: Field required"),
        (("show", "apointment", "apt-1"), "Did you mean appointment"),
        (("show", "appointment", "a b"), "1 to 128 characters"),
        (("trace", "a b"), "1 to 128 characters"),
        (("tail", "boking"), "Did you mean booking"),
        (("tail", "booking", "--since", "soon"), "such as 90s, 15m, 2h or 7d"),
        (("tail", "booking", "--limit", "0"), "greater than or equal to 1"),
        (("tail",), "Missing argument"),
        (("sweeps", "run", "appointment-expire"), "Did you mean appointments-expire"),
        (("dlq", "replay"), "or --all"),
        (("dlq", "replay", "abcdef", "--all"), "or --all"),
        (("dlq", "list", "--topic", "boking"), "There is no topic boking"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_typed_wrong_gets_a_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    # What is typed wrong is told first: nobody wants to start a mesh to learn of it.
    monkeypatch.setenv("CAREMESH_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    assert exit_code(monkeypatch, *arguments) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert words in message
    assert "Traceback" not in message


@pytest.mark.parametrize("type_", ["booking.appointment.book.v1", "book"])
def test_help_after_a_type_explains_its_fields(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], type_: str) -> None:
    assert exit_code(monkeypatch, "send", type_, "--help") == 0
    explained = capsys.readouterr().out
    for words in ("doctor_id", "text | voice | video", "whole number, 5 to 480", "required", "caremesh send booking.appointment.book.v1"):
        assert words in explained


def test_help_alone_lists_every_command_that_can_be_sent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(monkeypatch, "send", "--help") == 0
    listed = capsys.readouterr().out
    assert all(type_ in listed for type_ in COMMANDS)


def test_what_nobody_here_decides_is_not_published(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("shared.cli.send.modules", lambda: ("services.booking",))
    assert exit_code(monkeypatch, "send", "calls.call.connect.v1", "call_id=c", "doctor_id=d", "actor=doctor:d") == 2
    assert capsys.readouterr().err.startswith("Nobody here decides calls.call.connect.v1: calls is no part of this mesh.")
