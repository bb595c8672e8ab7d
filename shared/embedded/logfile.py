"""Log files of bounded size."""

from pathlib import Path
from typing import IO

MAX_BYTES = 10_000_000


def open_log(path: Path) -> IO[bytes]:
    """Open a log for a program that writes to it itself; what is over the limit from earlier runs moves to ``<name>.1``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab")


def tail(path: Path, *, lines: int = 15) -> str:
    """Return the last lines of a log, for a message about why its program ended."""
    try:
        with path.open("rb") as file:
            size_bytes = file.seek(0, 2)
            file.seek(max(0, size_bytes - 20_000))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
