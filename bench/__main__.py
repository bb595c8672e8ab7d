"""Measure the mesh beside its baselines: ``python -m bench``."""

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console

from bench import curve, deliveries, filled, idle, latency, lateness, memory, requests, throughput
from bench.ground import Ground
from bench.machine import describe_machine
from bench.processes import ROOT, ProcessFailedError
from bench.progress import Steps
from bench.report import print_report, write_report
from bench.results import Section
from bench.sizes import FULL, QUICK, Sizes
from bench.traffic import VoidError
from shared.embedded.errors import EmbeddedError
from shared.logging import configure_logging
from shared.settings import Settings

_OFFICIAL_OUTPUT: Final = ROOT / "docs" / "bench"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One part of a run."""

    steps_of: Callable[[Sizes], int]
    measure: Callable[[Ground, Sizes, Steps], Awaitable[Section]]


MEASUREMENTS: Final = {
    "throughput": Measurement(throughput.steps_of, throughput.measure_throughput),
    "latency": Measurement(latency.steps_of, latency.measure_latency),
    "curve": Measurement(curve.steps_of, curve.measure_curve),
    "filled": Measurement(filled.steps_of, filled.measure_filled),
    "requests": Measurement(requests.steps_of, requests.measure_requests),
    "deliveries": Measurement(deliveries.steps_of, deliveries.measure_deliveries),
    "memory": Measurement(memory.steps_of, memory.measure_memory),
    "lateness": Measurement(lateness.steps_of, lateness.measure_lateness),
    "idle": Measurement(idle.steps_of, idle.measure_idle),
}


def main() -> None:
    """Measure, show, and write the report of a full run."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes and one round: to see that it works")
    parser.add_argument("--only", choices=MEASUREMENTS, action="append", help="measure this alone; may be given several times")
    parser.add_argument(
        "--output", type=_folder, help="the folder to write to; by default docs/bench after a full run, and nowhere after any other"
    )
    arguments = parser.parse_args()
    sizes = QUICK if arguments.quick else FULL
    wanted = [name for name in MEASUREMENTS if arguments.only is None or name in arguments.only]
    output = arguments.output or (_OFFICIAL_OUTPUT if sizes is FULL and arguments.only is None else None)
    configure_logging(Settings(log_level="warning"))
    # For a moment the partitions of a fresh topic have no leader; clients try again, and log each time as an error.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    machine = describe_machine()
    try:
        sections = uvloop.run(_run(console, sizes, wanted))
    except (EmbeddedError, ProcessFailedError, VoidError, TimeoutError) as error:
        console.print(f"{type(error).__name__}: {error}", style="red", markup=False)
        sys.exit(1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
    print_report(console, sections)
    if output is not None:
        for path in write_report(output, sections, machine, sizes):
            console.print(f"written: {path}", highlight=False)


def _folder(value: str) -> Path:
    """A folder that results can be written to; refused before anything is measured, and not after.

    Raises:
        ArgumentTypeError: it is none.
    """
    folder = Path(value)
    if folder.suffix or (folder.exists() and not folder.is_dir()):
        example = folder.parent / "results"
        message = f"{value} names a file. Name a folder, such as {example}: the page is written beside it, as {example}.md."
        raise argparse.ArgumentTypeError(message)
    return folder


async def _run(console: Console, sizes: Sizes, wanted: list[str]) -> dict[str, Section]:
    """Measure one after the other; leave no process and no file behind, however it ends."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    home = Path(tempfile.mkdtemp(prefix="caremesh-bench-"))
    ground = Ground(home)
    total = sum(MEASUREMENTS[name].steps_of(sizes) for name in wanted)
    try:
        with Steps(console, total) as steps:
            await ground.start()
            return {name: await MEASUREMENTS[name].measure(ground, sizes, steps) for name in wanted}
    finally:
        await ground.stop()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
