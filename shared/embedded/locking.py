"""Files that only one process holds at a time; the system lets go of them when their holder dies, however it dies."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from shared.embedded.errors import EmbeddedError


@contextmanager
def exclusive(path: Path) -> Generator[None]:
    """Hold this file alone; wait while another process does."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class HomeLock:
    """Keeps two meshes from running in one home."""

    def __init__(self, home: Path) -> None:
        """Name the home; its folder ``run`` exists by the time of ``acquire``."""
        self._home = home
        self._path = home / "run" / "mesh.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the home, or say who has it.

        Raises:
            EmbeddedError: another mesh runs in this home; the message names its process.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode().strip() or "unknown"
            os.close(descriptor)
            message = (
                f"A mesh is already running in {self._home} (process {holder}): end it first, or give this one a home of its own "
                "with CAREMESH_HOME."
            )
            raise EmbeddedError(message) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the home."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
