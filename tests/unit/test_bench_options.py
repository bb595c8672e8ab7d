"""What is typed wrong is said before anything is measured."""

from pathlib import Path

import pytest

from bench.__main__ import main


@pytest.mark.parametrize("name", ["results.md", "there"])
def test_results_go_to_a_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "there").write_text("a file")
    monkeypatch.setattr("sys.argv", ["bench", "--output", str(tmp_path / name)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"{name} names a file. Name a folder, such as {tmp_path / 'results'}" in capsys.readouterr().err
