"""The watchdog ends a process that hangs, even in a loop that never yields, and leaves alone what answers."""

import subprocess
import sys
import time

from shared.path.watchdog import EXIT_HUNG, Watchdog

HANGING = """
import {module}
from shared.path.watchdog import Watchdog
with Watchdog(0.2).expect("waiting for what never comes"):
    {hang}
"""


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


def test_a_process_that_hangs_ends_and_says_in_what() -> None:
    for module, hang in (("time", "time.sleep(60)"), ("itertools", "[None for _ in itertools.count() if False]")):
        ended = run(HANGING.format(module=module, hang=hang))
        assert ended.returncode == EXIT_HUNG
        assert "Hung for more than 0.2 seconds while waiting for what never comes" in ended.stderr
        assert 'File "<string>"' in ended.stderr


def test_what_ends_in_time_is_left_alone_however_often_it_fails() -> None:
    ended = run("""
import time
from shared.path.watchdog import Watchdog
watchdog = Watchdog(0.4)
for _ in range(8):
    try:
        with watchdog.expect("something short"):
            time.sleep(0.1)
            raise ValueError
    except ValueError:
        pass
print("done")
""")
    assert (ended.returncode, ended.stdout) == (0, "done\n")


def test_it_knows_the_longest_wait() -> None:
    watchdog = Watchdog(60)
    assert watchdog.oldest_seconds() == 0
    with watchdog.expect("one"):
        since = time.monotonic()
        with watchdog.expect("two"):
            pass
        assert watchdog.oldest_seconds() >= time.monotonic() - since - 0.1
    assert watchdog.oldest_seconds() == 0
    watchdog.stop()
