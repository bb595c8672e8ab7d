"""How a process of the mesh begins: it looks for no cycles while it loads, and for them again when it runs."""

import subprocess
import sys

from tests.architecture.sources import ROOT

#: Stands in for all that a service loads: says whether cycles were looked for meanwhile.
_LOADS_AND_RUNS = """
import shared.loading
import gc
print("loading", gc.isenabled())
from shared.runtimes.process import run_process
async def main():
    print("running", gc.isenabled(), gc.get_freeze_count() > 0)
run_process(main())
"""


def test_cycles_are_looked_for_once_all_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADS_AND_RUNS], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["loading False", "running True True"]
