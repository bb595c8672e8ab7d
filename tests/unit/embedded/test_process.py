import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from shared.embedded.process import Child, Identity, end_leftovers, write_atomically

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"]


def started(command: list[str], folder: Path) -> Child:
    child = Child(command=command, record=folder / "child.pid")
    child.start(output=subprocess.PIPE)
    return child


async def test_the_exit_code_is_the_programs_own(tmp_path: Path) -> None:
    child = started([sys.executable, "-c", "raise SystemExit(7)"], tmp_path)
    assert await child.wait() == 7
    assert child.pid is None
    assert not (tmp_path / "child.pid").exists()


async def test_a_program_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    child = started(STUBBORN, tmp_path)
    assert child.output is not None
    assert child.output.readline() == b"deaf\n"
    assert await child.stop(grace_seconds=0.2) == -signal.SIGKILL


async def test_stopping_twice_does_no_harm(tmp_path: Path) -> None:
    child = started(SLEEP, tmp_path)
    assert await child.stop(grace_seconds=5) == -signal.SIGTERM
    assert await child.stop(grace_seconds=5) == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child's life to its parent's")
def test_a_child_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time; from pathlib import Path; from shared.embedded.process import Child\n"
        f"child = Child(command={SLEEP!r}, record=Path({str(tmp_path)!r}) / 'child.pid')\n"
        "child.start(output=subprocess.DEVNULL); print(child.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    assert psutil.wait_procs([child], timeout=5)[1] == []


async def test_what_an_earlier_mesh_left_running_is_ended(tmp_path: Path) -> None:
    child = started(SLEEP, tmp_path)
    # Reaped at once, as init would: else it stays as a zombie of ours, which counts as ended.
    assert end_leftovers(tmp_path) == ["child"]
    assert await child.wait() == -signal.SIGKILL
    assert end_leftovers(tmp_path) == []


async def test_a_process_that_was_given_the_same_id_is_left_alone(tmp_path: Path) -> None:
    child = started(SLEEP, tmp_path)
    record = tmp_path / "child.pid"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"started": "long ago"}))
    assert end_leftovers(tmp_path) == []
    assert child.pid is not None
    await child.stop(grace_seconds=5)


def test_a_record_that_cannot_be_read_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "child.pid").write_text("{half")
    assert end_leftovers(tmp_path) == []
    assert not (tmp_path / "child.pid").exists()


def test_our_own_identity_is_alive_and_one_that_started_earlier_is_not() -> None:
    ours = Identity.of(os.getpid())
    assert ours is not None
    assert ours.alive()
    assert not Identity(ours.pid, "earlier").alive()


def test_a_file_written_atomically_is_for_its_owner_only(tmp_path: Path) -> None:
    write_atomically(tmp_path / "secret", "x")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
