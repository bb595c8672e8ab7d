"""Ports of 127.0.0.1 that stay the same across restarts."""

import random
import socket
from pathlib import Path

from shared.embedded.errors import EmbeddedError, PortTakenError

#: Below the range that systems hand out to outgoing connections: there, a client that reconnects to a server that is down may be
#: given the server's own port as its local one, connect to itself, and hold the port.
_LOWEST, _HIGHEST = 20_000, 32_000
_ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections of a former server that linger in TIME_WAIT do not keep a port; servers set this option as well.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """Whether a server accepts connections on this port of 127.0.0.1; unlike ``is_free``, in nobody's way while it starts."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def choose(memory: Path, *, wanted: int | None = None, avoid: frozenset[int] = frozenset()) -> int:
    """Return the port to listen on, and remember it in the file ``memory``.

    Args:
        memory: the file that remembers the port from one start to the next; its folder exists.
        wanted: a port that must be used, or None.
        avoid: ports that are spoken for although nobody listens on them yet.

    Raises:
        PortTakenError: the wanted port is not free.
        EmbeddedError: no port is free at all.
    """
    if wanted is not None:
        if not is_free(wanted):
            raise PortTakenError(wanted)
        return _remember(memory, wanted)
    remembered = _recall(memory)
    if remembered is not None and remembered not in avoid and is_free(remembered):
        return remembered
    for _ in range(_ATTEMPTS):
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311  chance spreads meshes over the range, it guards nothing
        if port not in avoid and is_free(port):
            return _remember(memory, port)
    message = f"No port of 127.0.0.1 between {_LOWEST} and {_HIGHEST} could be had: is the loopback interface up?"
    raise EmbeddedError(message)


def _recall(memory: Path) -> int | None:
    try:
        return int(memory.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _remember(memory: Path, port: int) -> int:
    memory.write_text(f"{port}\n")
    return port
