"""How a process of the mesh begins: it looks for no cycles while it loads, and for them again when it runs."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, SERVICES

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


@pytest.mark.parametrize("service", SERVICES)
def test_every_entry_says_so_before_it_loads_anything_of_ours(service: str) -> None:
    first = next(_imported_lines(ROOT / "services" / service / "__main__.py"))
    assert first.startswith("import shared.loading "), first


def _imported_lines(path: Path) -> Iterator[str]:
    return (
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.split(".")[0] in {"import shared", "from shared", "from services"}
    )
