import json
import sys
from pathlib import Path

import pytest

from shared.cli import main
from shared.cli.masking import mask_url


@pytest.fixture
def _no_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREMESH_HOME", str(tmp_path))
    monkeypatch.delenv("CAREMESH_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("CAREMESH_DATABASE_URL", raising=False)


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["caremesh", *arguments])
    with pytest.raises(SystemExit) as caught:
        main.main()
    return caught.value.code


@pytest.mark.usefixtures("_no_mesh")
def test_status_without_a_mesh_says_so_and_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(monkeypatch, "status", "--json") == 1
    status = json.loads(capsys.readouterr().out)
    assert status["ready"] is False
    assert "caremesh up" in status["problem"]


@pytest.mark.usefixtures("_no_mesh")
def test_a_setting_without_a_valid_value_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CAREMESH_TOPIC_PARTITIONS", "none")
    assert exit_code(monkeypatch, "status") == 2
    assert "CAREMESH_TOPIC_PARTITIONS" in capsys.readouterr().err


def test_every_command_can_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in main.COMMANDS:
        assert exit_code(monkeypatch, command, "--help") == 0


@pytest.mark.parametrize(
    "url,masked",
    [
        ("postgresql://me:secret@host:1/db", "postgresql://me:***@host:1/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://me:p%40ss@host/db?sslmode=require", "postgresql://me:***@host/db?sslmode=require"),
    ],
)
def test_a_password_never_reaches_the_terminal(url: str, masked: str) -> None:
    assert mask_url(url) == masked
