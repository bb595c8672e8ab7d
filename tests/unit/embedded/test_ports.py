import socket
from pathlib import Path

import pytest

from shared.embedded import ports
from shared.embedded.errors import PortTakenError


def test_a_port_is_remembered_from_one_start_to_the_next(tmp_path: Path) -> None:
    assert ports.choose(tmp_path / "port") == ports.choose(tmp_path / "port")


def test_a_remembered_port_that_was_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    memory = tmp_path / "port"
    remembered = ports.choose(memory)
    with socket.create_server(("127.0.0.1", remembered)):
        replacement = ports.choose(memory)
    assert replacement != remembered
    assert ports.choose(memory) == replacement


def test_a_port_asked_for_by_number_and_taken_is_refused_by_its_number(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)):
            ports.choose(tmp_path / "port", wanted=port)


def test_a_port_that_is_spoken_for_is_avoided(tmp_path: Path) -> None:
    first = ports.choose(tmp_path / "port")
    assert ports.choose(tmp_path / "port", avoid=frozenset({first})) != first


def test_an_unreadable_memory_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("not a number")
    assert ports.is_free(ports.choose(tmp_path / "port"))


def test_asking_whether_a_server_listens_does_not_take_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ports.is_listening(port)
    assert not ports.is_listening(port)
