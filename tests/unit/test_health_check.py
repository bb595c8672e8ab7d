"""The container's health check: asks a page, and tells by its exit code."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from shared.health_check import ask


class Server:
    """Answers every request with one status, or takes connections and never answers."""

    def __init__(self, status: str | None) -> None:
        self._status = status
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.asked: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(4096).decode().split(" ")[1])
                if self._status is None:
                    # Until the one who asks gives up.
                    connection.recv(1)
                else:
                    connection.sendall(f"HTTP/1.1 {self._status}\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def well() -> Iterator[Server]:
    server = Server("200 OK")
    yield server
    server.close()


@pytest.fixture
def unwell() -> Iterator[Server]:
    server = Server("503 Service Unavailable")
    yield server
    server.close()


def check(*arguments: str, port: str, host: str = "127.0.0.1") -> "subprocess.CompletedProcess[str]":
    environment = {"CAREMESH_HEALTH_PORT": port, "CAREMESH_HEALTH_HOST": host}
    command = [sys.executable, "-m", "shared.health_check", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_a_process_that_is_well_passes(well: Server) -> None:
    done = check(port=str(well.port))
    assert (done.returncode, done.stdout) == (0, "{}\n")
    assert check("healthz", port=str(well.port)).returncode == 0
    assert well.asked == ["/readyz", "/healthz"]


def test_all_addresses_of_a_container_are_asked_on_its_own(well: Server) -> None:
    assert check(port=str(well.port), host="0.0.0.0").returncode == 0


def test_a_process_that_is_not_fails_and_so_does_one_that_is_not_there(unwell: Server) -> None:
    assert check(port=str(unwell.port)).returncode == 1
    with socket.socket() as nobody:
        # Taken, so that it is nobody else's, and not listened on.
        nobody.bind(("127.0.0.1", 0))
        gone = check(port=str(nobody.getsockname()[1]))
    assert gone.returncode == 1
    assert "does not answer" in gone.stdout


def test_a_process_that_takes_the_question_and_does_not_answer_is_not_well() -> None:
    server = Server(None)
    with pytest.raises(TimeoutError):
        ask("127.0.0.1", server.port, "readyz", timeout_seconds=0.2)
    server.close()


@pytest.mark.parametrize("port", ["", "0", "http"])
def test_a_port_that_cannot_be_asked_is_a_mistake_of_the_set_up(port: str) -> None:
    done = check(port=port)
    assert done.returncode == 2
    assert "CAREMESH_HEALTH_PORT" in done.stderr


def test_there_is_nothing_else_to_ask() -> None:
    done = check("metrics", port="1")
    assert done.returncode == 2
    assert "healthz, readyz" in done.stderr


def test_it_loads_nothing_but_the_standard_library() -> None:
    # What a Python loads by itself is its own affair: Debian's brings a sitecustomize, and packages add to it.
    assert _loaded_by("import shared.health_check") - _loaded_by("pass") == {"shared", "shared.health_check"}


def _loaded_by(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nprint(*(name for name in sys.modules if name.split('.')[0] not in sys.stdlib_module_names))"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=30, check=True)
    return set(done.stdout.split())
