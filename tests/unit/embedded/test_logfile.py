from pathlib import Path

from shared.embedded.logfile import RotatingLog, tail


def test_a_log_and_its_older_parts_stay_within_their_bounds(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "x.log", max_bytes=100)
    for number in range(100):
        log.write(f"line {number:04}\n".encode())
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.log", "x.log.1", "x.log.2", "x.log.3"]
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
    assert tail(tmp_path / "x.log", lines=1) == "line 0099"
    assert tail(tmp_path / "x.log.1").splitlines()[-1] == "line 0089"


def test_a_log_goes_on_after_a_restart(tmp_path: Path) -> None:
    for word in ("one", "two"):
        log = RotatingLog(tmp_path / "x.log")
        log.write(f"{word}\n".encode())
        log.close()
    assert tail(tmp_path / "x.log") == "one\ntwo"


def test_the_tail_of_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert not tail(tmp_path / "none.log")
