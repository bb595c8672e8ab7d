"""Asks the process beside it whether it is well: ``python -m shared.health_check [healthz | readyz]``, a container's health check.

Of the standard library alone, and of the little of it that loads quickly: it runs every few seconds in every container.
"""

import os
import socket
import sys
from typing import Final

#: A little longer than a process takes to say that its event loop hangs.
_TIMEOUT_SECONDS: Final = 5.0
_EXIT_WELL, _EXIT_UNWELL, _EXIT_USAGE = 0, 1, 2
_QUESTIONS: Final = ("healthz", "readyz")


def main(arguments: list[str]) -> int:
    """Ask, and print what the process says of itself.

    Returns:
        0 if it is well, 1 if it is not or does not answer, 2 if it cannot be asked.
    """
    question = arguments[0] if arguments else "readyz"
    port = os.environ.get("CAREMESH_HEALTH_PORT", "")
    if question not in _QUESTIONS:
        sys.stderr.write(f"There is no {question} to ask for. There are: {', '.join(_QUESTIONS)}.\n")
        return _EXIT_USAGE
    if not port.isdecimal() or int(port) == 0:
        sys.stderr.write("CAREMESH_HEALTH_PORT says on which port the process is asked: set it, for the process and for this.\n")
        return _EXIT_USAGE
    host = os.environ.get("CAREMESH_HEALTH_HOST", "127.0.0.1")
    try:
        well, says = ask("127.0.0.1" if host == "0.0.0.0" else host, int(port), question)  # noqa: S104 - "all of them" is no address to ask
    except OSError as error:
        sys.stdout.write(f"The process does not answer on port {port} ({type(error).__name__}: {error}).\n")
        return _EXIT_UNWELL
    sys.stdout.write(f"{says}\n")
    return _EXIT_WELL if well else _EXIT_UNWELL


def ask(host: str, port: int, question: str, timeout_seconds: float = _TIMEOUT_SECONDS) -> tuple[bool, str]:
    """Whether a process is well, and what it says.

    Raises:
        OSError: it does not answer.
    """
    with socket.create_connection((host, port), timeout_seconds) as connection:
        connection.sendall(f"GET /{question} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            status = answer.readline()
            body = answer.read().partition(b"\r\n\r\n")[2]
    return b" 200 " in status, body.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
