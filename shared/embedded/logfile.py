"""Log files of bounded size."""

from pathlib import Path
from typing import IO

MAX_BYTES = 10_000_000
_KEPT = 3


def open_log(path: Path) -> IO[bytes]:
    """Open a log for a program that writes to it itself; what is over the limit from earlier runs moves to ``<name>.1``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab")


class RotatingLog:
    """A log that we write for a program: at 10 MB it moves to ``<name>.1``, and so on up to ``.3``."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        """Open the log to append to it; its folder exists."""
        self._path = path
        self._max_bytes = max_bytes
        self._file = path.open("ab")
        self._size_bytes = self._file.tell()

    def write(self, content: bytes) -> None:
        """Append whole lines, and hand them to the system at once."""
        if self._size_bytes and self._size_bytes + len(content) > self._max_bytes:
            self._rotate()
        self._file.write(content)
        self._file.flush()
        self._size_bytes += len(content)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(_KEPT, 0, -1):
            older = self._path if number == 1 else self._path.with_name(f"{self._path.name}.{number - 1}")
            if older.exists():
                older.replace(self._path.with_name(f"{self._path.name}.{number}"))
        self._file = self._path.open("ab")
        self._size_bytes = 0


def tail(path: Path, *, lines: int = 15) -> str:
    """Return the last lines of a log, for a message about why its program ended."""
    try:
        with path.open("rb") as file:
            size_bytes = file.seek(0, 2)
            file.seek(max(0, size_bytes - 20_000))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
